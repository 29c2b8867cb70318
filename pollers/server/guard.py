"""Who may ask for what: host names, bearer tokens, origins and sizes, decided before any handler runs."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING

from aiohttp import web

from pollers.server.serve import CONNECTIONS

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

BODY_LIMIT_BYTES = 64 * 1024
REQUESTS_AT_ONCE = 64
PROBES = frozenset({"/healthz", "/readyz"})
OPEN_PATHS = PROBES | {"/"}
OPEN_FOLDER = "/assets/"
"""Answered to anybody: an orchestrator's probe has no token, and the console's page, which has no data in it, asks for one."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be reached from this machine."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def guard(host: str, token: str | None) -> Middleware:
    """The middleware for a server bound to ``host``. Anything but loopback needs ``token`` as a bearer token."""
    if token is None and not is_loopback(host):
        raise ValueError(f"{host} is not loopback: a token is needed")
    under_way = 0

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal under_way
        with request.app[CONNECTIONS].handling(request.transport):
            refusal = _refusal(request, host, token)
            if refusal is None and under_way >= REQUESTS_AT_ONCE and request.path not in PROBES:
                refusal = problem(503, "too many requests at once", {"Retry-After": "1"})
            if refusal is not None:
                return refusal
            under_way += 1
            try:
                return await _handled(request, handler)
            finally:
                under_way -= 1

    return guarded


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        headers = {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else {}
        return problem(refused.status, refused.reason, headers)
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


def _refusal(request: web.Request, host: str, token: str | None) -> web.Response | None:
    """Why the request is refused, if it is. ``token`` None: none is needed."""
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        return problem(413, f"a request has at most {BODY_LIMIT_BYTES} bytes", {"Connection": "close"})
    if request.path in OPEN_PATHS or request.path.startswith(OPEN_FOLDER):
        return None
    if token is None and not _known_host(request, host):
        return problem(421, "this host name is not served: use 127.0.0.1 or localhost")
    if token is not None and not _authorised(request, token):
        return problem(401, "a bearer token is needed (runtime.http.token)", {"WWW-Authenticate": "Bearer"})
    if _cross_origin(request):
        return problem(403, "calls from other origins are refused")
    return None


def _known_host(request: web.Request, host: str) -> bool:
    """Without a token the host name is checked, so that no page can reach us through a name of its own (DNS rebinding)."""
    name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    return is_loopback(name) or name == host


def _authorised(request: web.Request, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("utf-8", "surrogateescape"), token.encode()
    )


def _cross_origin(request: web.Request) -> bool:
    """Whether a page of another origin asks. A browser's address line may: following a link changes nothing."""
    safe = request.method in SAFE_METHODS
    navigated = safe and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not navigated:
        return True
    origin = request.headers.get("Origin")
    return origin is not None and not safe and origin.partition("://")[2] != request.host


def problem(status: int, reason: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error as JSON."""
    return web.json_response({"error": reason}, status=status, headers={**HEADERS, **(headers or {})})
