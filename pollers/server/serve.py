"""The listening socket, with its bounds: connections, and the time that a request may take to arrive."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import structlog
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

log = structlog.stdlib.get_logger(__name__)

CONNECTIONS_AT_MOST = 128
ARRIVAL_SECONDS = 10.0
"""How long a client may take to send its request's head, and to stay silent before the first."""
KEEPALIVE_SECONDS = 30.0
HEAD_LIMIT_BYTES = 8_190


class _Bounded(asyncio.Protocol):
    """Hands a connection to aiohttp if there is room, and closes it if its first bytes or its request's head never come.

    aiohttp bounds the size of a head and idle keep-alive connections, but not how long a head may trickle in.
    """

    def __init__(self, inner: asyncio.Protocol, connections: set[asyncio.BaseTransport]) -> None:
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(
            "asyncio.Transport", transport
        )  # what create_server makes; uvloop's is of no class of asyncio's
        if len(self._connections) >= CONNECTIONS_AT_MOST:
            self._transport.abort()
            return
        self._connections.add(transport)
        self._arm()
        self._inner.connection_made(transport)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(ARRIVAL_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._timer is not None:
            self._head = (self._head + data)[-(HEAD_LIMIT_BYTES * 2) :]
            if b"\r\n\r\n" in self._head:
                self._timer.cancel()
                self._timer, self._head = None, b""
        elif not data.startswith(b"\r\n"):
            self._await_rest(data)
        self._inner.data_received(data)

    def _await_rest(self, data: bytes) -> None:
        """A further request on the same connection: its head must arrive in time as well."""
        if b"\r\n\r\n" not in data:
            self._head = data[-(HEAD_LIMIT_BYTES * 2) :]
            self._arm()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport in self._connections:
            self._connections.discard(self._transport)
            self._inner.connection_lost(exc)


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve ``app`` until left; gives the URL. Raises OSError when the address cannot be had."""
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=KEEPALIVE_SECONDS, max_line_size=HEAD_LIMIT_BYTES, shutdown_timeout=2.0
    )
    await runner.setup()
    inner: Callable[[], asyncio.Protocol] | None = runner.server
    assert inner is not None  # noqa: S101 - set up above
    connections: set[asyncio.BaseTransport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Bounded(inner(), connections), host, port, backlog=128)
    name, bound = server.sockets[0].getsockname()[:2]
    url = f"http://{f'[{name}]' if ':' in name else name}:{bound}"
    log.info("console, health and metrics", url=url)
    try:
        yield url
    finally:
        server.close()
        await runner.cleanup()
