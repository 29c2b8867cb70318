"""Which requests are allowed: host names, bearer tokens, origins and sizes are checked before any handler runs."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web
from anyio import to_thread

from handlers.runtime_api import is_headraces_own
from pollers.server.serve import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler, Middleware

    from handlers.system import Address
    from pollers.server.token_files import MadeToken

BODY_LIMIT_BYTES = 64 * 1024
REQUESTS_AT_ONCE = 64
PROBES = frozenset({"/healthz", "/readyz"})
OPEN_PATHS = PROBES | {"/"}
OPEN_FOLDER = "/assets/"
"""Served without a token: an orchestrator's probe has none, and the console's page, which holds no data, asks for one."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CHANGES_NEED_IT = (
    "a token is needed to change anything: commands find it by themselves on the machine that Headrace runs on, "
    "as the same user"
)
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


@dataclass(frozen=True, slots=True)
class Access:
    """What a server bound to ``host`` requires of its clients.

    ``token`` is the configured one, needed for reading and for changing; every host but loopback must have one. Where there is
    none, changing needs ``made``, a token that was made at the start. ``is_own_code`` takes the addresses of a connection (the
    client's, ours) and says whether a function of ours is the client: it may change nothing, even with a token that it has read.
    """

    host: str
    token: str | None = field(default=None, repr=False)
    made: MadeToken | None = None
    is_own_code: Callable[[Address | None, Address | None], bool] = is_headraces_own


def guard(access: Access) -> Middleware:
    """The middleware that enforces ``access``."""
    if access.token is None and not is_loopback(access.host):
        raise ValueError(f"{access.host} is not loopback: a token is needed")
    under_way = 0

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal under_way
        with request.app[CONNECTIONS].handling(request.transport):
            # Cheap checks first: only an authorised change is worth asking the operating system whose the connection is.
            refusal = _refusal(request, access) or await _refusal_of_own_code(request, access)
            # Probes are answered even then: an orchestrator that gets no answer would restart a busy process.
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


def _refusal(request: web.Request, access: Access) -> web.Response | None:
    """The refusal of the request; None when it is allowed."""
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        return problem(413, f"a request has at most {BODY_LIMIT_BYTES} bytes", {"Connection": "close"})
    if access.token is None and not _known_host(request, access.host):
        return problem(421, "this host name is not served: use 127.0.0.1 or localhost")
    if request.method in SAFE_METHODS and (request.path in OPEN_PATHS or request.path.startswith(OPEN_FOLDER)):
        return None
    if _cross_origin(request):
        return problem(403, "calls from other origins are refused")
    if access.token is not None and not _authorised(request, access.token):
        return problem(401, "a bearer token is needed (runtime.http.token)", {"WWW-Authenticate": "Bearer"})
    if access.token is None and request.method not in SAFE_METHODS:
        return _refusal_of_a_change(request, access.made)
    return None


def _refusal_of_a_change(request: web.Request, made: MadeToken | None) -> web.Response | None:
    """Refuse a change without the token, naming the file that has it: the path is no secret, only its owner can read the file."""
    if made is not None and _authorised(request, made.text):
        return None
    headers = {"WWW-Authenticate": "Bearer"}
    if made is None or made.path is None:
        return problem(401, CHANGES_NEED_IT, headers)
    return problem(401, f"{CHANGES_NEED_IT}, or in {made.path}", headers, token_file=str(made.path))


async def _refusal_of_own_code(request: web.Request, access: Access) -> web.Response | None:
    """Refuse a change that a function's code requests.

    The client waits for its answer, so its connection is open and can still be traced to a process.
    """
    if request.method in SAFE_METHODS:
        return None
    transport = request.transport
    ends = ("peername", "sockname")
    client, server = (transport.get_extra_info(end) if transport is not None else None for end in ends)
    if await to_thread.run_sync(access.is_own_code, client, server):
        return problem(403, "a function may not control the Headrace that runs it")
    return None


def _known_host(request: web.Request, host: str) -> bool:
    """Whether the request names a host that we serve.

    Against DNS rebinding: a web page may let its own host name lead to 127.0.0.1, and its scripts may then read our answers, but
    the browser still sends the page's name. A client that sends no name is not a browser.
    """
    given = request.headers.get("Host")
    if given is None:
        return True
    name = given if given.endswith("]") else given.rsplit(":", 1)[0]
    return is_loopback(name) or name == host


def _authorised(request: web.Request, token: str | None) -> bool:
    if token is None:
        return False
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # Compared in constant time: the time of an answer must not tell how much of a guess is right.
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("utf-8", "surrogateescape"), token.encode()
    )


def _cross_origin(request: web.Request) -> bool:
    """Whether a page of another origin sent the request. Opening a link in the browser is allowed, as that changes nothing."""
    safe = request.method in SAFE_METHODS
    navigated = safe and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not navigated:
        return True
    # Browsers without Sec-Fetch-Site send at least the origin with every request that may change something.
    origin = request.headers.get("Origin")
    return origin is not None and not safe and origin.partition("://")[2] != request.host


def problem(status: int, reason: str, headers: dict[str, str] | None = None, **more: str) -> web.Response:
    """An error as JSON."""
    return web.json_response({"error": reason, **more}, status=status, headers={**HEADERS, **(headers or {})})
