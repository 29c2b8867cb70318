"""Which pages of other origins may call: we answer preflights and add headers to other replies (docs/lambda 13.9 to 13.11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pollers.function_urls.replies import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from config.models import Cors
    from pollers.function_urls.replies import Headers

ANY = "*"
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_VARY = ("Vary", "Origin")


def preflight(cors: Cors | None, method: str, fields: Mapping[str, str]) -> Reply | None:
    """The answer to a preflight: what is configured, whatever was asked for; the browser compares. None for any other request.

    ``fields`` are the request's headers, their names in lower case. Without a ``Cors`` block the function sees ``OPTIONS``.
    """
    if cors is None or method != "OPTIONS" or not ("origin" in fields and "access-control-request-method" in fields):
        return None
    origin = _allowed_origin(cors, fields["origin"])
    if origin is None:
        return Reply(200, _vary(cors))
    headers: Headers = (("Access-Control-Allow-Origin", origin),)
    headers += _listed("Access-Control-Allow-Methods", cors.allow_methods)
    headers += _listed("Access-Control-Allow-Headers", cors.allow_headers)
    if cors.max_age:
        headers += (("Access-Control-Max-Age", str(cors.max_age)),)
    return Reply(200, headers + _credentials(cors) + _vary(cors))


def added(cors: Cors | None, origin: str | None) -> Headers:
    """What every other reply gets beside the headers of the function, even if that doubles one; ``origin`` is the request's."""
    if cors is None:
        return ()
    allowed = _allowed_origin(cors, origin) if origin is not None else None
    if allowed is None:
        return _vary(cors)
    headers: Headers = (("Access-Control-Allow-Origin", allowed),)
    headers += _listed("Access-Control-Expose-Headers", cors.expose_headers)
    return headers + _credentials(cors) + _vary(cors)


def _allowed_origin(cors: Cors, origin: str) -> str | None:
    """The value of Access-Control-Allow-Origin, None for an origin that is not allowed.

    ``*`` for all, but with credentials the caller's own: browsers take no ``*`` then.
    """
    if not _PRINTABLE.fullmatch(origin):
        return None
    if ANY in cors.allow_origins:
        return origin if cors.allow_credentials else ANY
    folded = origin.lower()
    return origin if any(one.lower() == folded for one in cors.allow_origins) else None


def _listed(name: str, values: Iterable[str]) -> Headers:
    """A header with these values, without those that no header can have: whoever made the URL's config may have given any text."""
    value = ",".join(one for one in values if _PRINTABLE.fullmatch(one))
    return ((name, value),) if value else ()


def _credentials(cors: Cors) -> Headers:
    return (("Access-Control-Allow-Credentials", "true"),) if cors.allow_credentials else ()


def _vary(cors: Cors) -> Headers:
    """Caches must know that the reply depends on the origin, also a reply to a request without one."""
    return () if ANY in cors.allow_origins and not cors.allow_credentials else (_VARY,)
