"""Connections to one origin, against a server that does what servers do to them."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.wire import http1
from pollers.aws.wire.exchange_errors import ConnectFailed, ConnectionLost, ExchangeFailed
from pollers.aws.wire.http1 import ConnectionPool, Origin, _Distrust
from tests.contract.scripted import reply, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def conversing(conversation: Conversation) -> AsyncIterator[tuple[ConnectionPool, list[int]]]:
    """A server that holds ``conversation`` on each connection; connections to it, and how many it has had."""
    count = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count[0] += 1
        try:
            await conversation(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connections = ConnectionPool(Origin("127.0.0.1", server.sockets[0].getsockname()[1]))
    try:
        yield connections, count
    finally:
        await connections.aclose()
        server.close()


async def request(reader: asyncio.StreamReader) -> None:
    """One request's head."""
    await reader.readuntil(b"\r\n\r\n")


async def test_a_connection_that_the_service_closed_is_not_used_again() -> None:
    """Neither when it said so nor when it just did."""

    async def answers_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(reply(b"once"))

    async with conversing(answers_once) as (connections, count):
        for _ in range(3):
            assert (await connections.exchange(REQUEST, seconds=5)).body == b"once"
            await until(lambda: not connections._open)
    assert count == [3]


async def test_an_announced_close_is_honoured_at_once() -> None:
    """The next request does not go into a connection that is about to end."""

    async def says_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(reply(b"x", Connection="close"))

    async with conversing(says_close) as (connections, count):
        for _ in range(2):
            await connections.exchange(REQUEST, seconds=5)
    assert count == [2]


async def test_what_nobody_asked_for_is_never_a_reply() -> None:
    """A second reply to one request must not answer the next."""

    received = asyncio.Event()

    async def answers_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(reply(b"asked for"))
        await received.wait()
        writer.write(reply(b"not asked for"))
        await reader.read()

    async with conversing(answers_twice) as (connections, _):
        for _ in range(2):
            assert (await connections.exchange(REQUEST, seconds=5)).body == b"asked for"
            received.set()
            await until(lambda: not connections._open)
            received.clear()


async def test_two_replies_in_one_piece_are_a_fault() -> None:
    """Such a connection is out of step."""

    async def stutters(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(reply(b"x") + reply(b"y"))
        await reader.read()

    async with conversing(stutters) as (connections, _):
        with pytest.raises(ConnectionLost):
            await connections.exchange(REQUEST, seconds=5)


async def test_a_large_reply_comes_whole() -> None:
    """Ten megabytes, as GetRecords may answer, in whatever pieces."""
    body = bytes(range(256)) * 40_000

    async def answers_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(reply(body))
            await writer.drain()

    async with conversing(answers_much) as (connections, count):
        for _ in range(2):
            assert (await connections.exchange(REQUEST, seconds=20)).body == body
    assert count == [1]


async def test_closing_ends_what_is_under_way() -> None:
    """The caller of a long poll is told, and nothing is left open."""

    async def is_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await reader.read()

    outcome: list[str] = []

    async with conversing(is_silent) as (connections, _):

        async def poll() -> None:
            with pytest.raises(ConnectionLost):
                await connections.exchange(REQUEST, seconds=60)
            outcome.append("told")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poll)
            await until(lambda: bool(connections._open))
            await connections.aclose()
    assert outcome == ["told"]
    with pytest.raises(ConnectFailed):
        await connections.exchange(REQUEST, seconds=1)


async def test_many_calls_at_a_time_each_get_their_own_reply() -> None:
    """Under concurrency and cancellation no reply ever reaches another's caller."""

    async def echoes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            number = head.split(b"\r\n")[1].removeprefix(b"Number: ")
            await asyncio.sleep(int(number) % 7 / 1000)
            writer.write(reply(number))

    async with conversing(echoes) as (connections, _):

        async def call(number: int) -> None:
            with anyio.move_on_after(0.003 if number % 5 == 0 else 60):
                sent = b"POST / HTTP/1.1\r\nNumber: %d\r\n\r\n" % number
                assert (await connections.exchange(sent, seconds=60)).body == b"%d" % number

        for round_number in range(5):
            async with anyio.create_task_group() as tasks:
                for number in range(60):
                    tasks.start_soon(call, 60 * round_number + number)


async def closes_unannounced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One reply, and then the end of the connection without a word."""
    await request(reader)
    writer.write(reply(b"x"))


async def closes_at_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One reply; the connection ends just when the next request is there."""
    await request(reader)
    writer.write(reply(b"x"))
    await request(reader)


async def test_an_end_that_the_event_loop_has_not_heard_of_is_seen() -> None:
    """The connection is looked at before it is used again: the loop may have been busy since the end came."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        connections = ConnectionPool(Origin("127.0.0.1", listening.getsockname()[1]))

        async def answer_one() -> socket.socket:
            peer, _ = await loop.sock_accept(listening)
            await loop.sock_recv(peer, 1_000)
            await loop.sock_sendall(peer, reply(b"x"))
            return peer

        for _ in range(3):
            answering = loop.create_task(answer_one())
            await connections.exchange(REQUEST, seconds=5)
            peer = await answering
            peer.close()  # from here to the next request the loop does not run
        await connections.aclose()


async def test_what_may_be_repeated_is_sent_again_when_a_kept_connection_ends() -> None:
    """Once, over a new connection, and only where not a byte of a reply came."""
    async with conversing(closes_at_the_second) as (connections, count):
        for _ in range(4):
            assert (await connections.exchange(REQUEST, seconds=5, repeatable=True)).body == b"x"
    assert count == [4]


async def test_what_may_not_be_repeated_is_sent_once() -> None:
    """Its caller is told, and for a while such requests go over new connections."""
    async with conversing(closes_at_the_second) as (connections, count):
        await connections.exchange(REQUEST, seconds=5)
        with pytest.raises(ConnectionLost):
            await connections.exchange(REQUEST, seconds=5)
        for _ in range(3):
            await connections.exchange(REQUEST, seconds=5)
    assert count == [4]


async def test_half_a_reply_is_not_asked_for_again() -> None:
    """The service has seen the request."""

    async def tears(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(reply(b"x"))
        await request(reader)
        writer.write(reply(b"x")[:-1])

    async with conversing(tears) as (connections, count):
        await connections.exchange(REQUEST, seconds=5, repeatable=True)
        with pytest.raises(ConnectionLost):
            await connections.exchange(REQUEST, seconds=5, repeatable=True)
    assert count == [1]


def test_distrust_grows_with_a_service_that_closes_always_and_not_with_one_that_does_so_once() -> None:
    """Seconds at first, a minute at most."""
    distrust, now, lasted = _Distrust(), 0.0, []
    for _ in range(8):
        distrust.grow(now)
        lasted.append(distrust.until - now)
        now = distrust.until
    assert lasted == [1, 2, 4, 8, 16, 32, 60, 60]
    distrust.grow(now + 1_000)
    assert distrust.until == now + 1_001


async def test_out_of_descriptors_is_said_in_clear_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no more than a connection that could not be made."""

    async def none_left(origin: Origin) -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with conversing(closes_unannounced) as (connections, _):
        with monkeypatch.context() as patched:
            patched.setattr(http1, "_reach", none_left)
            with pytest.raises(
                ConnectFailed, match=r"Too many open files: every connection takes a file descriptor; raise"
            ):
                await connections.exchange(REQUEST, seconds=5)
        assert (await connections.exchange(REQUEST, seconds=5)).body == b"x"


@pytest.mark.parametrize("taken", ["all", "all but one"])
async def test_out_of_descriptors_is_a_failed_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, taken: str
) -> None:
    """Whichever of the steps to a connection is the one that gets none: it works again when there are some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with conversing(closes_unannounced) as (connections, _):
        await connections.exchange(REQUEST, seconds=5)
        await until(lambda: not connections._open)
        highest = os.dup(0)
        os.close(highest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + (taken != "all"), hard))
        try:
            with pytest.raises(ConnectFailed if taken == "all" else ExchangeFailed):
                await connections.exchange(REQUEST, seconds=0.5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: not connections._open)
        assert (await connections.exchange(REQUEST, seconds=5)).body == b"x"
