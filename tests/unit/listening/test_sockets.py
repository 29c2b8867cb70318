"""Accepting without file descriptors: the reserve, and pauses in place of tracebacks."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import pytest

from pollers.listening.sockets import Listening, Reserve
from tests.e2e.harness import until

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)


class Greeting(asyncio.Protocol):
    """Says hello and leaves."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def reserve() -> Iterator[Reserve]:
    kept = Reserve(3)
    yield kept
    kept.close()


def test_a_reserve_gives_up_what_it_has_and_takes_back_what_it_can(reserve: Reserve) -> None:
    """One at a time, and never more than its size."""
    assert [reserve.give_up() for _ in range(4)] == [True, True, True, False]
    reserve.refill()
    reserve.refill()
    assert len(reserve) == 3


class Exhausted:
    """A listening socket that cannot accept until a descriptor is freed."""

    def __init__(self, listening: socket.socket, reserve: Reserve) -> None:
        self._listening = listening
        self._reserve = reserve
        self.refusals = 0

    def fileno(self) -> int:
        return self._listening.fileno()

    def accept(self) -> tuple[socket.socket, object]:
        if len(self._reserve) == 3:
            self.refusals += 1
            raise OSError(errno.EMFILE, "too many open files")
        return self._listening.accept()

    def close(self) -> None:
        self._listening.close()


async def hello(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = await reader.read()
    writer.close()
    return said


async def test_a_connection_is_accepted_from_the_reserve(reserve: Reserve) -> None:
    """The client notices nothing."""
    listening = Listening(Greeting, reserve)
    _, port = await listening.start("127.0.0.1", 0)
    [real] = listening._sockets
    poor = Exhausted(real, reserve)
    asyncio.get_running_loop().remove_reader(real)
    listening._sockets = [poor]  # type: ignore[list-item]
    asyncio.get_running_loop().add_reader(real, listening._accept, poor)  # type: ignore[arg-type]
    assert await hello(port) == b"hello"
    assert poor.refusals == 1
    listening.close()


async def test_without_a_reserve_accepting_pauses_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """The client waits in the backlog; nothing is logged as a fault of ours."""
    reserve = Reserve(0)
    listening = Listening(Greeting, reserve)
    _, port = await listening.start("127.0.0.1", 0)
    [real] = listening._sockets
    refusals = 0

    class Poor(Exhausted):
        def accept(self) -> tuple[socket.socket, object]:
            nonlocal refusals
            refusals += 1
            if refusals <= 2:
                raise OSError(errno.EMFILE, "too many open files")
            return real.accept()

    poor = Poor(real, reserve)
    asyncio.get_running_loop().remove_reader(real)
    listening._sockets = [poor]  # type: ignore[list-item]
    asyncio.get_running_loop().add_reader(poor, listening._accept, poor)  # type: ignore[arg-type]
    assert await hello(port) == b"hello"
    assert refusals == 3
    await until(lambda: not listening._pauses, what="the end of the pause")
    assert "Traceback" not in caplog.text
    listening.close()
