"""HTTP/1.1 to one origin over kept connections, as far as AWS's JSON services need it.

A request is one ``write``, a reply is usually one callback: a tenth of what a general client costs, and that is most of what a
receive costs (docs/benchmarks.md). What a lost reply means is for the caller to judge: nothing is sent twice that the caller does
not call repeatable, and then only once more, where a kept connection ended without a byte of a reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from aiohappyeyeballs import start_connection

from handlers.system import require_room
from pollers.aws.wire.connection_line import Line
from pollers.aws.wire.exchange_errors import ConnectFailed, NoDescriptors, Unanswered
from pollers.aws.wire.http1_connection import Connection

if TYPE_CHECKING:
    import ssl

    from pollers.aws.wire.http1_reply import Reply

CONNECT_SECONDS = 10.0
NEXT_ADDRESS_SECONDS = 0.25
SWEEP_SECONDS = 1.0
DISTRUST_SECONDS = (1.0, 60.0)
"""For so long after a kept connection ended under a request, what must not be sent twice goes over new connections: short when that
happens once, longer and longer with a service that closes connections after each reply without a word."""
CLOSE_SECONDS = 2.0
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where to connect. ``tls`` None means plain text."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class _Distrust:
    """Until when kept connections are not trusted."""

    until: float = -math.inf
    _seconds: float = 0.0

    def grow(self, now: float) -> None:
        """One ended just when it was used again."""
        least, most = DISTRUST_SECONDS
        again_soon = now < self.until + 2 * self._seconds
        self._seconds = min(most, 2 * self._seconds) if again_soon else least
        self.until = now + self._seconds


class ConnectionPool:
    """Connections to one origin: as many as there are calls at a time, each with one request at a time."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._distrust = _Distrust()
        self._line: Line[Connection] = Line()
        self._emptied = anyio.Event()

    async def exchange(self, request: bytes, *, seconds: float, repeatable: bool = False) -> Reply:
        """Send ``request`` and bring its whole reply, within ``seconds`` (to the second). Raises ExchangeFailed.

        ``repeatable``: to send it twice does no harm. When it is cancelled the connection is closed, so a late reply is never
        taken for another request's.
        """
        begun = anyio.current_time()
        kept = self._kept() if repeatable or begun >= self._distrust.until else None
        if kept is not None:
            try:
                return await self._over(kept, request, seconds)
            except Unanswered:
                # Closed just when it was used again, most likely before the service has seen the request.
                self._distrust.grow(anyio.current_time())
                if not repeatable:
                    raise
                seconds -= anyio.current_time() - begun
        return await self._over(await self._new(urgent=repeatable), request, seconds)

    async def _new(self, *, urgent: bool) -> Connection:
        """A new connection; out of descriptors, the next one that is free."""
        try:
            return await self._connect()
        except NoDescriptors as none_left:
            if not self._open:
                raise
            try:
                free = await self._line.wait(CONNECT_SECONDS, urgent=urgent)
            except TimeoutError:
                raise none_left from none_left.__cause__
            if free is not None and free.nothing_arrived() and (urgent or anyio.current_time() >= self._distrust.until):
                return free
            if free is not None:
                free.abort()
            return await self._connect()

    async def _over(self, connection: Connection, request: bytes, seconds: float) -> Reply:
        try:
            reply = await connection.exchange(request, seconds)
        except BaseException:
            connection.abort()
            raise
        if reply.keep_alive and connection.usable and not self._closed:
            self._release(connection)
        else:
            connection.abort()
        return reply

    def _release(self, connection: Connection) -> None:
        if not self._line.offer(connection):
            self._idle.append(connection)

    def _kept(self) -> Connection | None:
        """A connection that has been used before and is still there: the service may close one at any time, unannounced."""
        while self._idle:
            connection = self._idle.pop()
            if connection.nothing_arrived():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        origin = self.origin
        connection = Connection(self, loop)
        try:
            with anyio.fail_after(CONNECT_SECONDS):
                reached = await _reach(origin)
                try:
                    await loop.create_connection(
                        lambda: connection,
                        sock=reached,
                        ssl=origin.tls,
                        server_hostname=origin.host if origin.tls else None,
                    )
                except BaseException:
                    reached.close()
                    raise
        except TimeoutError as error:
            raise ConnectFailed(f"no connection to {origin.host}:{origin.port} within {CONNECT_SECONDS:g} s") from error
        except OSError as error:  # ssl.SSLError is one
            kind = NoDescriptors if error.errno in _NO_DESCRIPTORS else ConnectFailed
            raise kind(f"no connection to {origin.host}:{origin.port}: {_why(error)}") from error
        if self._closed:
            connection.abort()
            raise ConnectFailed("closed")
        if self._sweep_timer is None:
            self._sweep_timer = loop.call_later(SWEEP_SECONDS, self._sweep)
        return connection

    def opened(self, connection: Connection) -> None:
        """A connection is there."""
        self._open.add(connection)

    def lost(self, connection: Connection) -> None:
        """A connection has gone; an idle one is offered no more."""
        self._open.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        asyncio.get_running_loop().call_soon(self._line.offer, None)  # its descriptor is closed after this call
        if self._closed and not self._open:
            self._emptied.set()

    def _sweep(self) -> None:
        """End overdue waits and close connections that are idle for long: once a second, to save a timer for each call."""
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            connection.expire(now)
        self._sweep_timer = (
            asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)
            if self._open and not self._closed
            else None
        )

    async def aclose(self) -> None:
        """Close every connection, and wait until they are closed."""
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for connection in list(self._open):
            connection.abort()
        if self._open:
            with anyio.move_on_after(CLOSE_SECONDS):
                await self._emptied.wait()


async def _reach(origin: Origin) -> socket.socket:
    """A connected socket, by whichever of the host's addresses answers first (RFC 8305): one family may be a dead end."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    require_room()
    reached = await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)
    reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return reached


def _why(error: OSError) -> str:
    if error.errno in _NO_DESCRIPTORS:
        return f"{error.strerror}: every connection takes a file descriptor; raise their limit (ulimit -n)"
    return str(error)
