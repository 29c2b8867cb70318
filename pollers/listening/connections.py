"""Every open connection of a server, with bounds: how many, the time for a head to come, and the time for an answer to be read."""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ARRIVAL_SECONDS = 10.0
"""How long a client may take to send its request's head, from its connection or from the first byte of a further request."""
SENDING_SECONDS = 60.0
"""How long a client may take to read an answer. Longer than servers keep an idle connection open."""
AHEAD_LIMIT_BYTES = 64 * 1024
"""How much a client may send ahead while a request of it is answered; then reading pauses."""
LOOKS = 8
"""How often in the shortest of these times the connections are looked at: so much later a limit may take effect."""


class Connections:
    """Every open connection, oldest first. When there are too many, the oldest without a request makes room for a new one.

    ``head_limit_bytes``: what a whole head may have, if that is bounded here.

    So a client that holds connections open cannot keep an orchestrator's probe out. Their time limits are looked at together and
    now and then: with timers of its own, each request would set and cancel three.
    """

    def __init__(self, at_most: int, head_limit_bytes: int | None = None) -> None:
        self._at_most = at_most
        self.head_limit_bytes = head_limit_bytes
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

    def of(self, transport: asyncio.BaseTransport | None) -> Bounded | None:
        """The connection of a transport; None when it is gone."""
        return self._open.get(transport) if transport is not None else None

    def close_idle(self) -> None:
        """Close every connection that nothing is answered on; what was written to it is still sent."""
        for connection in list(self._open.values()):
            connection.close_if_idle()

    @contextmanager
    def handling(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """While a request of this connection is answered, no time limit runs for it."""
        connection = self.of(transport)
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


class Phase(Enum):
    """What a connection is doing."""

    IDLE = "no request has begun"
    HEAD = "a request's head arrives"
    BODY = "its body arrives slowly"
    BUSY = "it is being answered"
    REST = "the rest of a body is dropped that nobody wants"


class Bounded(asyncio.Protocol):
    """Hands a connection to a server if there is room, and closes it when a request's head does not come or an answer is not read.

    aiohttp bounds the size of a line and idle keep-alive connections, but not how long a head may trickle in, nor how large it may
    be as a whole. ``until``: when the time limit that runs now is over, on the event loop's clock.
    """

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._time = asyncio.get_running_loop().time
        self._phase = Phase.HEAD
        self._bytes = 0
        self._end_of_last = b""
        self._paused = False
        self.until = math.inf

    @property
    def busy(self) -> bool:
        """Whether a request is being answered: then nobody else may have the room."""
        return self._phase is Phase.BUSY

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
        self._phase, self._bytes, self.until = Phase.BUSY, 0, math.inf

    def arriving(self, seconds: float) -> None:
        """The body of a request has so many seconds to arrive. Others may need the room more until :meth:`begun` comes again."""
        self._phase, self.until = Phase.BODY, self._time() + seconds

    def ended(self, *, rest: bool = False) -> None:
        """Its answer is being sent. ``rest``: a part of its body was not read."""
        self._phase, self.until = Phase.REST if rest else Phase.IDLE, self._time() + SENDING_SECONDS
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        phase = self._phase
        if phase is Phase.IDLE:
            phase = self._phase = Phase.HEAD
            self._bytes, self._end_of_last, self.until = 0, b"", self._time() + ARRIVAL_SECONDS
        if phase is Phase.HEAD:
            if self._is_head_too_long(data):
                self.abort()
                return
        elif phase is Phase.BUSY:
            self._hold_back(len(data))
        self._inner.data_received(data)

    def _is_head_too_long(self, data: bytes) -> bool:
        limit = self._connections.head_limit_bytes
        if limit is None or self._bytes < 0:
            return False
        if b"\r\n\r\n" in self._end_of_last + data:
            # What else comes before the server has begun with it is its body's.
            self._bytes = -1
            return False
        self._bytes += len(data)
        self._end_of_last = data[-3:]
        return self._bytes > limit

    def _hold_back(self, count: int) -> None:
        """A client may send further requests ahead, but not without end."""
        self._bytes += count
        if self._bytes > AHEAD_LIMIT_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def close_if_idle(self) -> None:
        """Close, unless a request is being answered or its body arrives."""
        if self._phase not in (Phase.BUSY, Phase.BODY) and self._transport is not None:
            self._transport.close()

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
