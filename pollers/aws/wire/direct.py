"""Calls with the SDK's endpoints, credentials and TLS, but with requests and connections of our own.

An SDK call costs some 550 µs of CPU, of which sending and receiving are 30 (docs/benchmarks.md). What is taken over from the
SDK's client is found out once for each operation and resource: where its endpoint rules send the call and how they want it
signed. Wherever they want something else than plain Signature Version 4 over a direct connection (a proxy, another
signature, extra headers), the call goes through the client itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from botocore.exceptions import NoCredentialsError

from handlers.http_dates import moment
from pollers.aws.errors import INVALID_REPLY, CredentialsExpired, Unavailable
from pollers.aws.wire.calls import READ_SECONDS, SdkCalls, json_bytes
from pollers.aws.wire.classify import from_sdk, is_clock_skew, json_failure
from pollers.aws.wire.exchange_errors import ExchangeFailed
from pollers.aws.wire.http1 import ConnectionPool, Origin
from pollers.aws.wire.passthrough import USER_AGENT
from pollers.aws.wire.sdk_private import is_proxied, normalize_url_path, resolve_endpoint, tls_context
from pollers.aws.wire.signing import Signer
from pollers.clocks.clock import loop_time

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from pollers.aws.wire.http1_reply import Reply
    from pollers.aws.wire.passthrough import Session
    from pollers.clocks.clock import Clock
    from pollers.clocks.service import ServiceClock

_OK = 200
_ONCE = frozenset({"ReceiveMessage", "SendMessage", "PutEvents", "PutItem", "UpdateItem", "DeleteItem"})
"""Operations that must not be sent twice: messages would be hidden although nobody got them, something sent twice, or a conditional
write refused because of itself."""


@dataclass(frozen=True, slots=True)
class _Route:
    """Where one operation goes and how it is signed."""

    connections: ConnectionPool
    head: str
    """Request line and constant headers."""
    signer: Signer


def answer(reply: Reply, operation: str) -> bytes:
    """The body of a reply that can be believed (docs/design, decision 12). Raises AwsError for any other."""
    if reply.status != _OK:
        raise json_failure(reply.status, reply.headers(), reply.body, operation=operation)
    if not reply.whole:
        raise Unavailable(
            INVALID_REPLY, "a body of unknown length: nobody can tell whether it is whole", operation=operation
        )
    return reply.body


class DirectCalls:
    """A JSON service by requests of our own."""

    def __init__(self, client: Any, session: Session, clock: Clock, service_clock: ServiceClock) -> None:  # noqa: ANN401 - the SDK's clients have no types
        self._client = client
        self._session = session
        self._clock = clock
        self._service_clock = service_clock
        self._sdk = SdkCalls(client, session, service_clock)
        self._model = client.meta.service_model
        self._routes: dict[tuple[str, str], _Route | None] = {}
        self._connections: dict[tuple[str, str], ConnectionPool] = {}
        self._tls: ssl.SSLContext | None = None
        self._skew_seconds = 0.0

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        """See :class:`pollers.aws.api.Calls`."""
        try:
            route = self._routes[operation, about]
        except KeyError:
            route = await self._find_route(operation, parameters, about)
        if route is None:
            return await self._sdk.call(operation, parameters, about=about, wait_seconds=wait_seconds)
        body = json_bytes(parameters)
        try:
            credentials = await self._session.reloading_credentials.get_frozen_credentials()
            if credentials is None:
                raise NoCredentialsError
        except Exception as error:
            raise from_sdk(error, operation) from error
        signed = route.signer.sign(body, credentials, self._clock.time() + self._skew_seconds)
        request = f"{route.head}{signed}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        try:
            reply = await route.connections.exchange(
                request, seconds=wait_seconds + READ_SECONDS, repeatable=operation not in _ONCE
            )
        except ExchangeFailed as error:
            raise Unavailable(type(error).__name__, str(error), operation=operation) from error
        try:
            body = answer(reply, operation)
        except CredentialsExpired as failed:
            if is_clock_skew(failed):
                self._adopt_clock_of(reply.headers())
            else:
                self._session.reloading_credentials.refused()
            raise
        self._service_clock.read_head(reply.head, loop_time())
        return body

    def _adopt_clock_of(self, headers: Mapping[str, str]) -> None:
        """Sign by the service's clock from now on: this machine's is wrong."""
        served = moment(headers.get("date", ""))
        if served is not None:
            self._skew_seconds = served - self._clock.time()

    async def _find_route(self, operation: str, parameters: Mapping[str, Any], about: str) -> _Route | None:
        """Ask the SDK's endpoint rules where this operation on this resource goes; None when only the SDK can send it."""
        model = self._model.operation_model(operation)
        context: dict[str, Any] = {
            "client_region": self._client.meta.region_name,
            "client_config": self._client.meta.config,
        }
        route = None
        try:
            url, headers = await resolve_endpoint(self._client, model, parameters, context)
            plain = context.get("auth_type", "v4") == "v4" and model.resolved_auth_type in (None, "v4")
            if plain and not headers and not is_proxied(self._client, url):
                route = await self._direct_route(url, operation, context.get("signing", {}))
        except Exception as error:
            raise from_sdk(error, operation) from error
        self._routes[operation, about] = route
        return route

    async def _direct_route(self, url: str, operation: str, signing: Mapping[str, str]) -> _Route:
        parts = urlsplit(url)
        host = parts.hostname or ""
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        named = f"[{host}]" if ":" in host else host
        authority = named if port == (443 if secure else 80) else f"{named}:{port}"
        path = quote(normalize_url_path(parts.path or "/"), safe="/~")
        metadata = self._model.metadata
        headers = {
            "Host": authority,
            "Content-Type": f"application/x-amz-json-{metadata['jsonVersion']}",
            "X-Amz-Target": f"{metadata['targetPrefix']}.{operation}",
        }
        if self._model.is_query_compatible:
            headers["x-amzn-query-mode"] = "true"
        signer = Signer(
            path=path,
            service=signing.get("signing_name", self._model.signing_name),
            region=signing.get("region", self._client.meta.region_name),
            headers=headers,
        )
        constant = headers | {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in constant.items())
        return _Route(await self._connections_to(parts.scheme, host, port), head, signer)

    async def _connections_to(self, scheme: str, host: str, port: int) -> ConnectionPool:
        key = (scheme, f"{host}:{port}")
        if key not in self._connections:
            tls = await self._tls_context() if scheme == "https" else None
            self._connections.setdefault(key, ConnectionPool(Origin(host, port, tls)))
        return self._connections[key]

    async def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await tls_context(self._client)
        return self._tls

    async def aclose(self) -> None:
        """Close every connection."""
        for connections in self._connections.values():
            await connections.aclose()
