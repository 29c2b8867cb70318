"""One HTTP/1.1 connection of ours: a request, then its reply, then the next."""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Protocol

from handlers.http1 import Malformed
from pollers.aws.wire.exchange_errors import ConnectionLost, ReplyTimeout, Unanswered
from pollers.aws.wire.http1_reply import ReplyReader

if TYPE_CHECKING:
    from pollers.aws.wire.exchange_errors import ExchangeFailed
    from pollers.aws.wire.http1_reply import Reply

IDLE_SECONDS = 12.0
"""A connection that nobody used for so long is closed, well before AWS would close it under a request."""


class Owner(Protocol):
    """Who keeps connections."""

    def opened(self, connection: Connection, /) -> None:
        """It is connected."""

    def lost(self, connection: Connection, /) -> None:
        """It has gone."""


class Connection(asyncio.BufferedProtocol):
    """One connection: a request, then its reply, then the next."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self._reader = ReplyReader()
        self._deadline = loop.time() + IDLE_SECONDS
        self._readable = select.poll()
        self._heard = False

    def nothing_arrived(self) -> bool:
        """Whether nothing has come since the last reply, no end either: the event loop may not have heard of it yet (0.5 µs)."""
        return self.usable and not self._readable.poll(0)

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, seconds: float) -> Reply:
        """Send one request and wait for its reply."""
        if self._transport is None:
            raise Unanswered("the connection has ended")
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        self._waiter = waiter
        self._heard = False
        self._deadline = self._loop.time() + seconds
        self._transport.write(request)
        try:
            return await waiter
        finally:
            self._waiter = None
            self._deadline = self._loop.time() + IDLE_SECONDS

    def expire(self, now: float) -> None:
        """End the wait for a reply that is overdue; close a connection that has been idle for too long."""
        if now < self._deadline:
            return
        self._fail(ReplyTimeout("no reply in time"))
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: ExchangeFailed) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        # A stream transport whatever the loop (uvloop's own does not inherit from asyncio's).
        self._transport = transport  # type: ignore[assignment]
        self._readable.register(transport.get_extra_info("socket"), select.POLLIN)
        self._owner.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next part of the reply goes."""
        return self._reader.space()

    def buffer_updated(self, nbytes: int) -> None:
        """A part of the reply, or all of it."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            # Nobody has asked: whatever this is, it must not be taken for the reply to the next request.
            self.abort()
            return
        self._heard = True
        try:
            reply = self._reader.filled(nbytes)
        except Malformed as error:
            self._fail(ConnectionLost(str(error)))
            self.abort()
            return
        if reply is not None:
            waiter.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """Disconnected: the end of the reply where its length was not announced, else a failure."""
        self._transport = None
        self._owner.lost(self)
        reply = None if error else self._reader.end()
        if reply is not None and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reply)
            return
        kind = ConnectionLost if self._heard else Unanswered
        self._fail(kind(f"the connection ended before the reply did ({error or 'closed by the service'})"))
