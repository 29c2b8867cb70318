"""The server with its bounds: connections, the time for a request to arrive, and the time for an answer to be read."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, cast

import structlog
from aiohttp import web

from pollers.server.listening import Listening, Reserve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

log = structlog.stdlib.get_logger(__name__)

CONNECTIONS_AT_MOST = 128
ARRIVAL_SECONDS = 10.0
"""How long a client may take to send its request's head, from its connection or from the first byte of a further request."""
SENDING_SECONDS = 60.0
"""How long a client may take to read an answer. Longer than aiohttp keeps an idle connection open."""
KEEPALIVE_SECONDS = 30.0
GOODBYE_SECONDS = 0.1
"""How long answers may still be sent when the process stops. Short, because an open console listens without end."""
HEAD_LIMIT_BYTES = 8_190


class Connections:
    """Every open connection, oldest first. When there are too many, the oldest without a request makes room for a new one.

    So a client that holds connections open cannot keep an orchestrator's probe out.
    """

    def __init__(self, at_most: int = CONNECTIONS_AT_MOST) -> None:
        self._at_most = at_most
        self.ended: Callable[[], None] = lambda: None
        self._open: dict[asyncio.BaseTransport, Bounded] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, transport: asyncio.BaseTransport, connection: Bounded) -> bool:
        """Whether there is room for one more."""
        if len(self._open) >= self._at_most:
            idle = next((known for known in self._open.values() if not known.busy), None)
            if idle is None:
                return False
            idle.abort()
        self._open[transport] = connection
        return True

    def lost(self, transport: asyncio.BaseTransport | None) -> bool:
        """A connection was lost; whether it had been admitted."""
        asyncio.get_running_loop().call_soon(self.ended)  # its descriptor is closed after this call
        return transport is not None and self._open.pop(transport, None) is not None

    @contextmanager
    def handling(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """While a request of this connection is answered, no time limit runs for it."""
        connection = self._open.get(transport) if transport is not None else None
        if connection is None:
            yield
            return
        connection.begun()
        try:
            yield
        finally:
            connection.ended()


class Bounded(asyncio.Protocol):
    """Hands a connection to aiohttp if there is room, and closes it when a request's head does not come or an answer is not read.

    aiohttp bounds the size of a head and idle keep-alive connections, but not how long a head may trickle in.
    """

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._arriving = True
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        # The type that create_server promises; uvloop's transport is not a subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if not self._connections.admit(transport, self):
            self._transport.abort()
            return
        self._within(ARRIVAL_SECONDS)
        self._inner.connection_made(transport)

    def begun(self) -> None:
        """A request has arrived."""
        self.busy, self._arriving = True, False
        self._stop_timer()

    def ended(self) -> None:
        """Its answer is being sent."""
        self.busy = False
        self._within(SENDING_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if not (self.busy or self._arriving):
            self._arriving = True
            self._within(ARRIVAL_SECONDS)
        self._inner.data_received(data)

    def abort(self) -> None:
        """Close at once."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def _within(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has read on."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection was lost."""
        self._stop_timer()
        if self._connections.lost(self._transport):
            self._inner.connection_lost(exc)


CONNECTIONS = web.AppKey("connections", Connections)


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve ``app``, which was made with :data:`CONNECTIONS`, until left; gives the URL.

    Raises OSError when the address is not available.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        max_line_size=HEAD_LIMIT_BYTES,
        max_field_size=HEAD_LIMIT_BYTES,
        shutdown_timeout=GOODBYE_SECONDS,
    )
    await runner.setup()
    inner: Callable[[], asyncio.Protocol] | None = runner.server
    assert inner is not None  # noqa: S101 - set up above
    connections = app[CONNECTIONS]
    reserve = Reserve()
    connections.ended = reserve.refill
    listening = Listening(lambda: Bounded(inner(), connections), reserve)
    try:
        name, bound = await listening.start(host, port)
        url = f"http://{f'[{name}]' if ':' in name else name}:{bound}"
        log.info("console, health and metrics", url=url)
        yield url
    finally:
        listening.close()
        reserve.close()
        await runner.cleanup()
