"""A worker's endpoint on a real socket, and a runtime that speaks bytes to it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from handlers.function import RESPONSE_LIMIT_BYTES
from handlers.runtime_api import Connection, Delivery, RuntimeApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from handlers.function import FunctionError, Result
    from handlers.runtime_api import StreamedResponse

BASE = "/2018-06-01/runtime"
OK = (202, b'{"status":"OK"}\n')


def delivery(request_id: str = "r1", event: bytes = b"{}", *, streamed: bool = False) -> Delivery:
    """An invocation."""
    attempt = f"attempt-of-{request_id}"
    return Delivery(request_id, attempt, 1542409706888, "arn:aws:lambda:x", "Root=1", event, streamed=streamed)


@dataclass
class Endpoint:
    """One worker's endpoint, and what its worker was told."""

    port: int = 0
    results: list[Result] = field(default_factory=list)
    init_errors: list[FunctionError] = field(default_factory=list)
    polls_lost: int = 0
    streams: list[StreamedResponse] = field(default_factory=list)
    broken_off: int = 0
    refuses: bool = False

    def __post_init__(self) -> None:
        self.api = RuntimeApi(self, lambda _: not self.refuses)
        self.open: set[Connection] = set()

    def runtime_ready(self) -> None:
        """Seen by :attr:`RuntimeApi.available`."""

    def runtime_responded(self, result: Result) -> None:
        self.results.append(result)

    def runtime_failed_to_initialise(self, error: FunctionError) -> None:
        self.init_errors.append(error)

    def runtime_left(self) -> None:
        self.polls_lost += 1

    def runtime_streams(self, response: StreamedResponse) -> None:
        self.streams.append(response)

    def runtime_broke_off(self) -> None:
        self.broken_off += 1

    async def deliver(self, one: Delivery) -> None:
        """Hand out an invocation as soon as the runtime asks."""
        await until(lambda: self.api.available)
        self.api.deliver(one)


@dataclass
class Client:
    """A connection that speaks bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Write, and let it arrive."""
        self.writer.write(data)
        await self.writer.drain()

    async def call(self, method: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, bytes]:
        """One request, with its status and body."""
        await self.request(method, path, body, headers)
        status, _, answer = await self.answer()
        return status, answer

    async def request(self, method: str, path: str, body: bytes = b"", headers: str = "") -> None:
        """Send a request without waiting for its answer."""
        head = f"{method} {BASE}{path} HTTP/1.1\r\nHost: x\r\n{headers}"
        head += f"Content-Length: {len(body)}\r\n\r\n" if method == "POST" else "\r\n"
        await self.send(head.encode() + body)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        with anyio.fail_after(60):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("Content-Length", 0)))
        return int(head[0].split()[1]), headers, body

    async def at_end(self) -> bool:
        """Whether the server closes the connection."""
        with anyio.fail_after(60):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


@asynccontextmanager
async def serve(endpoint: Endpoint) -> AsyncIterator[Endpoint]:
    """The endpoint on a port of its own."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(endpoint.api, RESPONSE_LIMIT_BYTES, endpoint.open), "127.0.0.1", 0
    )
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        for connection in list(endpoint.open):
            connection.abort()
        await until(lambda: not endpoint.open)


@asynccontextmanager
async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
    """A client's connection to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.002)


async def running(endpoint: Endpoint, client: Client, request_id: str = "r1", *, streamed: bool = False) -> None:
    """Bring the runtime to where it has an invocation."""
    await client.request("GET", "/invocation/next")
    await endpoint.deliver(delivery(request_id, streamed=streamed))
    await client.answer()
