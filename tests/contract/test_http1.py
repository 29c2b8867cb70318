"""Connections to one origin, against a server that does what servers do to them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.http1 import ConnectFailed, ConnectionLost, Connections, Origin
from tests.contract.scripted import reply, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def conversing(conversation: Conversation) -> AsyncIterator[tuple[Connections, list[int]]]:
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
    connections = Connections(Origin("127.0.0.1", server.sockets[0].getsockname()[1]))
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
            with anyio.move_on_after(0.003 if number % 5 == 0 else 10):
                sent = b"POST / HTTP/1.1\r\nNumber: %d\r\n\r\n" % number
                assert (await connections.exchange(sent, seconds=10)).body == b"%d" % number

        for round_number in range(5):
            async with anyio.create_task_group() as tasks:
                for number in range(60):
                    tasks.start_soon(call, 60 * round_number + number)
