"""Every open connection of a server, with bounds: how many, the time for a head to come, and the time for an answer to be read."""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ARRIVAL_SECONDS = 10.0
"""How long a client may take to send its request's head, from its connection or from the first byte of a further request."""
SENDING_SECONDS = 60.0
"""How long a client may take to read an answer. Longer than servers keep an idle connection open."""
LOOKS = 8
"""How often in the shortest of these times the connections are looked at: so much later a limit may take effect."""


class Connections:
    """Every open connection, oldest first. When there are too many, the oldest without a request makes room for a new one.

    So a client that holds connections open cannot keep an orchestrator's probe out. Their time limits are looked at together and
    now and then: with timers of its own, each request would set and cancel three.
    """

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self.ended: Callable[[], None] = lambda: None
        self._open: dict[asyncio.BaseTransport, Bounded] = {}
        self._looking: asyncio.TimerHandle | None = None

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
        self._look_again()
        return True

    def lost(self, transport: asyncio.BaseTransport | None) -> bool:
        """A connection was lost; whether it had been admitted."""
        asyncio.get_running_loop().call_soon(self.ended)  # its descriptor is closed after this call
        admitted = transport is not None and self._open.pop(transport, None) is not None
        if not self._open and self._looking is not None:
            self._looking.cancel()
            self._looking = None
        return admitted

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

    def _look_again(self) -> None:
        if self._looking is None:
            seconds = min(ARRIVAL_SECONDS, SENDING_SECONDS) / LOOKS
            self._looking = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._looking = None
        now = asyncio.get_running_loop().time()
        for connection in [known for known in self._open.values() if known.until < now]:
            connection.abort()
        if self._open:
            self._look_again()


class Bounded(asyncio.Protocol):
    """Hands a connection to a server if there is room, and closes it when a request's head does not come or an answer is not read.

    aiohttp bounds the size of a head and idle keep-alive connections, but not how long a head may trickle in. ``until``: when the
    time limit that runs now is over, on the event loop's clock.
    """

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._time = asyncio.get_running_loop().time
        self._arriving = True
        self.busy = False
        self.until = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        # The type that create_server promises; uvloop's transport is not a subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if not self._connections.admit(transport, self):
            self._transport.abort()
            return
        self.until = self._time() + ARRIVAL_SECONDS
        self._inner.connection_made(transport)

    def begun(self) -> None:
        """A request has arrived."""
        self.busy, self._arriving, self.until = True, False, math.inf

    def ended(self) -> None:
        """Its answer is being sent."""
        self.busy, self.until = False, self._time() + SENDING_SECONDS

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if not (self.busy or self._arriving):
            self._arriving, self.until = True, self._time() + ARRIVAL_SECONDS
        self._inner.data_received(data)

    def abort(self) -> None:
        """Close at once."""
        self.until = math.inf
        if self._transport is not None:
            self._transport.abort()

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
        self.until = math.inf
        if self._connections.lost(self._transport):
            self._inner.connection_lost(exc)
