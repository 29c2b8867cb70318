"""Function URLs: an HTTP request becomes an event of format 2.0, and what the function makes of it a reply (docs/lambda 13).

May import :mod:`config`, :mod:`handlers` and :mod:`pollers.jsontext`. Whoever serves HTTP (Lambda's API) hands over requests; which
URLs there are, who checks signatures and who invokes is given at the making.

The way of a request: :mod:`head` (what was sent), :mod:`places` (for which URL), :mod:`proxies` (from whom), :mod:`cors`,
:mod:`events` (the event); then the invocation; then :mod:`results` or :mod:`preludes` (the reply). All of these are deciders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.function_urls.places import domain_of
    from pollers.function_urls.proxies import Proxies

__all__ = ["Proxies", "domain_of"]
__getattr__ = lazily(__name__, {"places": "domain_of", "proxies": "Proxies"})
