"""Servers that do not answer: one that searches its log is waited for, one that is gone is not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from config import parse_arn
from pollers.aws.errors import Unavailable
from pollers.sources.documentdb.api import NOW
from pollers.sources.documentdb.client import ChangeStreamClient, Namespace
from pollers.sources.documentdb.connecting import Access, Connector
from tests.emulators import unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.emulators import Emulator
    from pollers.sources.documentdb.connecting import Connection

pytestmark = pytest.mark.emulator

ARN = parse_arn("arn:aws:rds:us-east-1:000000000000:cluster:shop")
GET_MORE = b"getMore\0"
QUICK = "directConnection=true&heartbeatFrequencyMS=500&connectTimeoutMS=300"
"""Monitors ask twenty times as often as by themselves, and wait for less."""


class Line:
    """Between a client and its server. ``held``: nothing goes from the server to the client; ``searching``: nothing that answers a
    getMore."""

    def __init__(self, server: int) -> None:
        self.held = asyncio.Event()
        self.searching = asyncio.Event()
        self.found = asyncio.Event()
        self._server = server

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection of the client's."""
        asks = asyncio.Event()
        there, back = await asyncio.open_connection("127.0.0.1", self._server)
        with suppress(OSError):
            await asyncio.gather(self._ask(reader, back, asks), self._answer(there, writer, asks))

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asks: asyncio.Event) -> None:
        while data := await reader.read(65536):
            if GET_MORE in data:
                asks.set()
            writer.write(data)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asks: asyncio.Event) -> None:
        while data := await reader.read(65536):
            if self.held.is_set() or (self.searching.is_set() and asks.is_set()):
                await self.found.wait()
            writer.write(data)
        writer.close()


@asynccontextmanager
async def on_the_line(server: Emulator) -> AsyncIterator[tuple[Line, ChangeStreamClient]]:
    """A client whose server is at the other end."""
    line = Line(server.port)
    listening = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    uri = f"mongodb://127.0.0.1:{listening.sockets[0].getsockname()[1]}/?{QUICK}"
    access = Access(arn=ARN, secret_arn=None, connection_uri=uri)
    client = ChangeStreamClient(Namespace(unique("shop"), "orders", "Default"), Connector(access, None, None, {}))
    try:
        yield line, client
    finally:
        line.found.set()
        await client.aclose()
        listening.close()
        await listening.wait_closed()


async def test_a_server_that_searches_its_log_for_long_is_waited_for(secantusdb: Emulator) -> None:
    """Behind an old place there may be hours of what is of no interest. Who gave up would begin again at that place, for ever."""
    async with on_the_line(secantusdb) as (line, client):
        cursor = (await client.open(NOW)).cursor
        connection = await client.ask("options", connection_of)
        assert (connection.client.options.pool_options.socket_timeout or 0.0) >= 600
        line.searching.set()
        async with anyio.create_task_group() as tasks:

            async def find() -> None:
                await anyio.sleep(1.5)  # three times as long as monitors wait
                line.found.set()

            tasks.start_soon(find)
            assert not (await client.next(cursor, 10, 0.1)).events


async def test_a_server_that_is_gone_without_a_word_is_not_waited_for(secantusdb: Emulator) -> None:
    """As behind a network that drops everything: the monitor that asks beside finds out, and ends what waits."""
    async with on_the_line(secantusdb) as (line, client):
        cursor = (await client.open(NOW)).cursor
        line.held.set()
        with anyio.fail_after(20), pytest.raises(Unavailable):
            await client.next(cursor, 10, 0.1)


async def connection_of(connection: Connection) -> Connection:
    """The connection itself."""
    return connection
