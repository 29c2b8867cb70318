"""Function URLs: an HTTP request becomes an event of format 2.0, and what the function makes of it a reply (docs/lambda 13).

:class:`FunctionUrls` is what the server of Lambda's API (:mod:`pollers.lambda_api`) hands requests over to. The way of one:
:mod:`head` (what was sent), :mod:`places` (for which URL), :mod:`proxies` (from whom), :mod:`cors`, :mod:`signatures` (who may),
:mod:`events` (the event); then the invocation; then :mod:`results` (the reply), or :mod:`streams` with :mod:`preludes`. All but
:mod:`sites`, which goes this way, and :mod:`streams` are deciders.

May import the rooms of functions, resources and Lambda's API, and what they may import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.function_urls.making import function_urls
    from pollers.function_urls.places import address_of, domain_of
    from pollers.function_urls.proxies import Proxies
    from pollers.function_urls.signatures import AnySignature, Signatures
    from pollers.function_urls.sites import Doors, FunctionUrls

__all__ = [
    "AnySignature",
    "Doors",
    "FunctionUrls",
    "Proxies",
    "Signatures",
    "address_of",
    "domain_of",
    "function_urls",
]
__getattr__ = lazily(
    __name__,
    {
        "making": "function_urls",
        "places": "address_of domain_of",
        "proxies": "Proxies",
        "signatures": "AnySignature Signatures",
        "sites": "Doors FunctionUrls",
    },
)
