"""Listening sockets that answer also when the process has no file descriptors left.

A few descriptors are kept in reserve. When a client cannot be accepted because there is no descriptor left, the reserve frees one
for it, and opens it again when the connection ends. When the reserve is used up, accepting pauses. The event loop's own servers
would log a traceback for each try.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.stdlib.get_logger(__name__)

RESERVE = 8
"""Connections that can be accepted when no other descriptor is left: probes, a scrape, an operator."""
PAUSE_SECONDS = 0.25
BACKLOG = 1024
"""Connections that wait to be accepted. Beyond that clients are not answered at all, and try again after a second."""
LOG_SECONDS = 60.0

_OUT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Reserve:
    """Open descriptors that can be closed to make room for others."""

    def __init__(self, size: int = RESERVE) -> None:
        self._size = size
        self._held: list[int] = []
        self.refill()

    def __len__(self) -> int:
        return len(self._held)

    def give_up(self) -> bool:
        """Free one descriptor; False when there is none."""
        if not self._held:
            return False
        os.close(self._held.pop())
        return True

    def refill(self) -> None:
        """Open as many of the missing descriptors as the system allows."""
        while len(self._held) < self._size:
            try:
                self._held.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                return

    def close(self) -> None:
        """Close all, and open none again."""
        while self.give_up():
            pass
        self._size = 0


class Listening:
    """Accepts connections of every address of a host. ``make`` makes a protocol for each."""

    def __init__(self, make: Callable[[], asyncio.Protocol], reserve: Reserve) -> None:
        self._make = make
        self._reserve = reserve
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        self._logged_at = -LOG_SECONDS

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen and accept; the first address. Raises OSError."""
        address = await self.listen(host, port)
        self.accept()
        return address

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Listen; the first address. Clients wait until :meth:`accept`. Raises OSError."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, kind, protocol, _, address in dict.fromkeys(found):
                self._sockets.append(_listening(family, kind, protocol, address))
        except BaseException:
            self.close()
            raise
        name, bound = self._sockets[0].getsockname()[:2]
        return name, bound

    def accept(self) -> None:
        """Accept connections from now on."""
        for one in self._sockets:
            self._loop.add_reader(one, self._accept, one)

    def close(self) -> None:
        """Stop listening."""
        for timer in self._pauses.values():
            timer.cancel()
        for one in self._sockets:
            if one not in self._pauses:
                self._loop.remove_reader(one)
            one.close()
        self._sockets.clear()
        self._pauses.clear()
        for task in list(self._opening):
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        """Accept one connection; the loop calls again while more wait."""
        try:
            client = self._accepted(listening)
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError as error:
            if error.errno not in _OUT:
                log.warning("a connection could not be accepted", error=str(error))
            self._pause(listening)
            return
        client.setblocking(False)
        task = self._loop.create_task(self._open(client))
        self._opening.add(task)

        def opened(task: asyncio.Task[None]) -> None:
            self._opening.discard(task)
            if task.cancelled():  # before its first step
                client.close()

        task.add_done_callback(opened)

    def _accepted(self, listening: socket.socket) -> socket.socket:
        try:
            return listening.accept()[0]
        except OSError as error:
            if error.errno not in _OUT:
                raise
            self._log_exhaustion(error)
            if not self._reserve.give_up():
                raise
        return listening.accept()[0]

    async def _open(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, client)
        except (OSError, asyncio.CancelledError):
            client.close()

    def _pause(self, listening: socket.socket) -> None:
        """Stop accepting for a moment; clients wait in the backlog meanwhile.

        The socket stays readable: with its reader the loop would call again at once, and spin.
        """
        self._loop.remove_reader(listening)
        self._pauses[listening] = self._loop.call_later(PAUSE_SECONDS, self._go_on, listening)

    def _go_on(self, listening: socket.socket) -> None:
        del self._pauses[listening]
        self._reserve.refill()
        self._loop.add_reader(listening, self._accept, listening)

    def _log_exhaustion(self, error: OSError) -> None:
        now = self._loop.time()
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            log.warning(
                "no file descriptors are left; a reserve serves health checks and the console", error=str(error)
            )


def url_of(host: str, port: int) -> str:
    """The URL of a server that listens there."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _listening(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setblocking(False)
        one.bind(address)
        one.listen(BACKLOG)
    except BaseException:
        one.close()
        raise
    return one
