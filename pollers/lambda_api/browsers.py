"""Which requests come from a web page, and are refused. A decider.

Without credentials Lambda's API takes whatever reaches it on loopback, and a browser on this machine reaches it too. A page of
another site must not run functions: neither by a request that needs no permission (a form, ``fetch`` without CORS: no answer is
read, but the function runs), nor under a host name of its own that leads to 127.0.0.1 (DNS rebinding, after which the page may read
answers too). With credentials a page needs one; but the secret of a test set-up is easily guessed, and a presigned request needs
no permission either. Function URLs are made for pages, and do not come by here. No SDK and no command sends any of these headers.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAGES = "calls from web pages are refused: anybody's page could make them"
_TYPED = "none"
"""What Sec-Fetch-Site is when no page is behind a request. There is no page of the API: one of its origin is a function's."""


def from_page(headers: Mapping[str, str]) -> str | None:
    """Why a request is refused that a web page sends, in words; None where no page is behind it."""
    if "Origin" in headers or headers.get("Sec-Fetch-Site", _TYPED).lower() != _TYPED:
        return _PAGES
    return None


def to_another(headers: Mapping[str, str], served_host: str) -> str | None:
    """Why a request for this host name is refused, in words; None if it is ours. ``served_host``: what the server listens on."""
    host = headers.get("Host")
    if host is not None and not is_ours(host, served_host):
        return f"the host name {_name(host)[:100]!r} is not served: use 127.0.0.1 or localhost"
    return None


def is_ours(host: str, served_host: str) -> bool:
    """Whether the value of a Host header names this machine, so that no page can have led its own host name here."""
    name = _name(host)
    if name == served_host.lower().strip("[]") or name == "localhost" or name.endswith(".localhost"):
        # No name server is asked for names under localhost (RFC 6761, 6.3), so they are nobody's.
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """The name or address in a Host header, without its port."""
    name = host if host.endswith("]") else host.rsplit(":", 1)[0] if ":" in host else host
    return name.strip("[]").lower()
