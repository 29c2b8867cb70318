"""What is done otherwise than aiohttp does: no name of the library, errors in the API's form, broken bodies, and what is kept."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import tracemalloc
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from handlers.function import Payload
from pollers.lambda_api import CutShort
from pollers.lambda_api.errors import ApiError, service_error
from pollers.lambda_api.server import ApiServer
from tests.unit.lambda_api.rig import PATH, Asked, Rig, rig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pollers.lambda_api import Incoming, Outgoing
    from pollers.lambda_api.operations import Reply

WITHIN = 30
INVOKE = f"POST {PATH.format('orders')} HTTP/1.1\r\nHost: localhost\r\n".encode()
CHUNKED = INVOKE + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = 4_000_000


async def answered(at: Rig, *parts: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Status line, headers and body of the answer to ``parts``, sent one by one."""
    reader, writer = await at.connect()
    with anyio.fail_after(WITHIN):
        for part in parts:
            writer.write(part)
            await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        return head[0].encode(), headers, await reader.readexactly(int(headers["content-length"]))


@pytest.mark.parametrize(
    "request_bytes",
    [
        INVOKE + b"Content-Length: 2\r\n\r\n{}",
        INVOKE + b"Content-Length: 1\r\n\r\n{",
        INVOKE + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["answer", "error", "no HTTP", "no operation"],
)
async def test_no_answer_names_the_library(request_bytes: bytes) -> None:
    """AWS sends no Server header, and nobody needs to know which version of what answers."""
    async with rig() as at:
        _, headers, body = await answered(at, request_bytes)
        assert "server" not in headers
        assert b"aiohttp" not in body


@pytest.mark.parametrize(
    ("request_bytes", "told"),
    [
        (INVOKE + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "Duplicate Content-Length"),
        (b"POST /" + b"<script>" * 4_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", "16384 bytes"),
        (b"NONSENSE\r\n\r\n", ""),
    ],
)
async def test_what_is_no_http_is_an_error_of_the_api(request_bytes: bytes, told: str) -> None:
    """With a type and an id as any other, and with next to nothing of what was sent."""
    async with rig() as at:
        status, headers, body = await answered(at, request_bytes)
        assert status.split()[1] == b"400"
        assert headers["x-amzn-errortype"] == "MalformedHttpRequestException"
        assert len(headers["x-amzn-requestid"]) == 36
        assert headers["content-type"] == "application/json"
        document = json.loads(body)
        assert document["Type"] == "User"
        assert told in document["message"]
        assert len(body) < 300


@pytest.mark.parametrize("end", [b"xx\r\n0\r\n\r\n", b"\r\nzz\r\n"], ids=["chunk too long", "no size"])
async def test_a_body_whose_chunks_break_late_is_told_at_once(end: bytes) -> None:
    """When a part of it has been taken already: else the request would wait a minute for the rest, which cannot come."""
    async with rig() as at:
        reader, writer = await at.connect()
        writer.write(CHUNKED + b"%x\r\n" % LARGE + b"x" * LARGE)
        await writer.drain()
        writer.write(end)
        with anyio.fail_after(WITHIN):
            answer = await reader.read()  # until the connection is closed
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"x-amzn-ErrorType: MalformedHttpRequestException" in answer
        assert answer.count(b"HTTP/1.") == 1
        assert at.told["orders"].asked == []
        assert at.service.server.bodies.held_bytes == 0


class Cut:
    """A site whose reply is never finished: it ends when the client has so much to read that a part waits on this side."""

    def __init__(self) -> None:
        self.written = 0
        self.over = anyio.Event()

    def claim(self, incoming: Incoming) -> Callable[[Incoming], Awaitable[Outgoing]]:
        return self.answer

    async def answer(self, incoming: Incoming) -> Outgoing:
        outgoing = await incoming.begin(200, {}, None)
        transport = incoming._request.transport
        assert transport is not None
        while not transport.get_write_buffer_size():
            await outgoing.write(b"z" * 1_000)
            self.written += 1_000
        self.over.set()
        raise CutShort("the function failed")


async def test_what_was_sent_before_a_reply_was_cut_short_arrives() -> None:
    """Also at a client that reads only afterwards; and it sees that the rest is missing."""
    site = Cut()
    async with rig(sites=site) as at:
        client = await anyio.to_thread.run_sync(socket.create_connection, at.address)
        with client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with anyio.fail_after(WITHIN):
                await site.over.wait()
                while at.service.server.requests:
                    await anyio.sleep(0.001)
            client.settimeout(WITHIN)
            reply = b""
            while part := await anyio.to_thread.run_sync(client.recv, 1 << 20):
                reply += part
            assert reply.partition(b"\r\n\r\n")[2].count(b"z") == site.written
            assert not reply.endswith(b"0\r\n\r\n")


async def test_nothing_large_is_kept_of_clients_that_have_gone() -> None:
    """Neither of an answer that nobody reads nor of half a body: the collector comes seldom, and there may be many such clients."""

    async def answer(asked: Asked) -> Payload:
        return Payload(bytes(10 * LARGE))  # more than the system takes over: it waits for its client

    async def leave(at: Rig, request_bytes: bytes, *, read: bool) -> None:
        reader, writer = await asyncio.open_connection(*at.address, limit=1_000)
        writer.write(request_bytes)
        await writer.drain()
        if read:
            await reader.readexactly(100)
        else:
            while not at.service.server.bodies.held_bytes:
                await anyio.sleep(0.001)
        writer.transport.abort()
        with anyio.fail_after(WITHIN):
            while at.service.server.requests:
                await anyio.sleep(0.001)

    async with rig() as at:
        at.told["orders"].answer = answer
        whole = INVOKE + b"Content-Length: 2\r\n\r\n{}"
        half = INVOKE + b"Content-Length: %d\r\n\r\n" % (LARGE + 1) + b" " * LARGE
        await leave(at, whole, read=True)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(3):
                await leave(at, whole, read=True)
                await leave(at, half, read=False)
            await anyio.sleep(0.01)
            assert tracemalloc.get_traced_memory()[0] < LARGE
        finally:
            tracemalloc.stop()
            gc.enable()


async def test_a_refusal_is_sent_without_what_it_was_refused_for() -> None:
    """The frames that it went through hold the body, which is not counted any more while a slow client reads the answer."""
    refusals = list[ApiError]()

    async def refuse(incoming: Incoming) -> Reply:
        try:
            raise ValueError("what it comes of")
        except ValueError as cause:
            refusals.append(refused := service_error("no"))
            raise refused from cause

    server = ApiServer(refuse, lambda: "id", lambda operation, status: None, "127.0.0.1", 0)
    async with server.listening() as url:
        server.accept()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(INVOKE + b"Content-Length: 2\r\n\r\n{}")
        with anyio.fail_after(WITHIN):
            assert b" 500 " in await reader.readline()
        writer.close()
    [sent] = refusals
    assert (sent.__traceback__, sent.__context__, sent.__cause__) == (None, None, None)
