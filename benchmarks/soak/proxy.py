"""A proxy between Headrace and an emulator, which breaks things when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks.soak.damage import Reply, bad_gateway, mutated, truncated, without_length

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from random import Random

    from pollers.emulators import Emulator

_SHARE = 0.3
"""Of the replies that are damaged while they may be."""
_KEPT = ("content-type", "date", "x-amzn-requestid", "x-amzn-query-error")
_LIMIT_BYTES = 1 << 22
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Listens on ``port`` of 127.0.0.1. ``active`` are the faults that it makes now, ``made`` counts damaged replies."""

    def __init__(self, emulator: Emulator, random: Random) -> None:
        self.active: Counter[str] = Counter()
        self.made: Counter[str] = Counter()
        self.port = 0
        self._to = emulator.port
        self._random = random
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def endpoint_url(self) -> str:
        """Where Headrace finds the emulator."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve until the end of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LIMIT_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Close every connection at once."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        server: _Stream | None = None
        # Cancelled only when the loop ends, where asyncio would report it as an error.
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
        ):
            while not self.active["cut"]:
                request = await _message(reader)
                server = server or await asyncio.open_connection("127.0.0.1", self._to, limit=_LIMIT_BYTES)
                if not await self._exchange(request, server, writer):
                    break
        self._open.discard(writer)
        for one in [writer, *([server[1]] if server else [])]:
            one.transport.abort()

    async def _exchange(self, request: bytes, server: _Stream, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; whether the connection is still good."""
        if self._draw("bad gateway") and self._random.random() < 0.5:
            return await self._send(bad_gateway(self._random).encoded(), writer)  # the service never hears of it
        server[1].write(request)
        reply = await _reply(server[0])
        while self.active["stall"]:
            await asyncio.sleep(0.05)
        if self._draw("bad gateway"):
            return await self._send(bad_gateway(self._random).encoded(), writer)
        if self._draw("truncate"):
            await self._send(truncated(reply, self._random), writer)
            return False
        if self._draw("mutate"):
            if self._random.random() < 0.2:
                await self._send(without_length(reply, self._random), writer)
                return False
            reply = mutated(reply, self._random)
        return await self._send(reply.encoded(), writer)

    def _draw(self, kind: str) -> bool:
        drawn = bool(self.active[kind]) and self._random.random() < _SHARE
        self.made[kind] += drawn
        return drawn

    async def _send(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        await writer.drain()
        return not self.active["cut"]


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A request as it came: head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(int(_headers(head).get("content-length", "0")))


async def _reply(reader: asyncio.StreamReader) -> Reply:
    head = await reader.readuntil(b"\r\n\r\n")
    headers = _headers(head)
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b"".join([chunk async for chunk in _chunks(reader)])
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    kept = tuple((name, headers[name]) for name in _KEPT if name in headers)
    return Reply(int(head.split(b" ", 2)[1]), body, kept)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in pairs}
