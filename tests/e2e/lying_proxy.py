"""A proxy between Headrace and an emulator that, while it is told to, gives replies of its own to one operation."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp
import orjson

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PASSED_ON = ("content-type", "x-amz-target", "authorization", "x-amz-date")


@dataclass(slots=True)
class LyingProxy:
    """``lie`` is how the operation is answered: "ended", "{}", "empty", "closed"; None passes its replies on.

    ``ahead_seconds``: how far the dates of replies are ahead of the emulator's clock.
    """

    upstream: str
    operation: str
    lie: str | None = None
    url: str = ""
    lies: int = 0
    ahead_seconds: float = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            async with aiohttp.ClientSession() as session:
                while await self._one(session, reader, writer):
                    pass
        except (OSError, asyncio.IncompleteReadError, aiohttp.ClientError):
            pass
        finally:
            writer.close()

    async def _one(
        self, session: aiohttp.ClientSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request and its reply; whether the connection stays."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        lying = self.lie if headers.get("x-amz-target", "").endswith(f".{self.operation}") else None
        if lying in ("{}", "empty", "closed"):
            self.lies += 1
            return await self._made_up(lying, writer)
        kept = {name: headers[name] for name in PASSED_ON if name in headers}
        async with session.post(self.upstream, data=body, headers=kept) as reply:
            answer = await reply.read()
        if lying == "ended" and reply.status == 200:
            self.lies += 1
            answer = orjson.dumps({**orjson.loads(answer), "NextShardIterator": None, "ChildShards": None})
        told = parsedate_to_datetime(reply.headers["Date"]) + timedelta(seconds=self.ahead_seconds)
        date = f"Date: {format_datetime(told, usegmt=True)}\r\n"
        writer.write(
            f"HTTP/1.1 {reply.status} OK\r\nContent-Type: {reply.content_type}\r\n{date}"
            f"Content-Length: {len(answer)}\r\n\r\n".encode()
            + answer
        )
        await writer.drain()
        return True

    async def _made_up(self, lie: str, writer: asyncio.StreamWriter) -> bool:
        if lie == "closed":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.drain()
            return False
        answer = b"{}" if lie == "{}" else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
        await writer.drain()
        return True


@asynccontextmanager
async def lying_proxy(upstream: str, operation: str) -> AsyncIterator[LyingProxy]:
    """A proxy at ``url`` that passes everything on, until it is told otherwise."""
    proxy = LyingProxy(upstream, operation)
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await proxy.serve(reader, writer)
        except asyncio.CancelledError:
            writer.close()
        finally:
            connections.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
