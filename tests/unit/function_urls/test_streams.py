"""Streamed replies over HTTP."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import TYPE_CHECKING, cast

import aiohttp
import pytest

from handlers.errors import FunctionUnusable, ReaderGone
from handlers.function import Invocation, Payload, Throttle
from pollers.function_urls.preludes import DELIMITER, INTEGRATION, LIMIT_BYTES
from pollers.function_urls.streams import StreamedReply
from pollers.lambda_api import incoming
from tests.unit.function_urls.site import FAILURE, site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handlers.function import Call
    from pollers.lambda_api import Outgoing

PATH = "/function-urls/hello"
ASK = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
HEAD = json.dumps({"statusCode": 201, "headers": {"X-A": "1"}, "cookies": ["a=1", "b=2"]}).encode() + DELIMITER


async def test_a_stated_head_is_that_of_the_reply() -> None:
    """Wherever its chunks are cut."""
    async with site(mode="RESPONSE_STREAM", cors={"allow_origins": ["*"]}) as at:
        at.told.streams(INTEGRATION, HEAD[:10], HEAD[10:-3], HEAD[-3:] + b"a", b"", b"b\0\0")
        async with at.rig.session.get(PATH, headers={"Origin": "https://a.example"}) as reply:
            assert (reply.status, await reply.read()) == (201, b"ab\0\0")
            assert reply.headers["X-A"] == "1"
            assert reply.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert reply.headers["Content-Type"] == "application/octet-stream"
            assert reply.headers["Transfer-Encoding"] == "chunked"
            assert reply.headers["Access-Control-Allow-Origin"] == "*"
            assert reply.headers["x-amzn-RequestId"]


async def test_another_type_is_that_of_the_reply() -> None:
    """And the stream is the body."""
    async with site(mode="RESPONSE_STREAM") as at:
        at.told.streams("text/html", b"<p>", b"</p>")
        async with at.rig.session.get(PATH) as reply:
            assert (reply.status, await reply.read()) == (200, b"<p></p>")
            assert reply.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize(("content_type", "sent"), [("text/html", "text/html"), ("", "application/octet-stream")])
async def test_a_stream_without_a_chunk_is_an_empty_reply(content_type: str, sent: str) -> None:
    """With its type, or one for any bytes."""
    async with site(mode="RESPONSE_STREAM") as at:
        at.told.streams(content_type)
        async with at.rig.session.get(PATH) as reply:
            assert (reply.status, await reply.read(), reply.headers["Content-Type"]) == (200, b"", sent)


async def test_each_chunk_comes_when_it_is_written() -> None:
    """The client has the first one while the function still runs."""
    async with site(mode="RESPONSE_STREAM") as at:
        go_on = asyncio.Event()

        async def answer(event: bytes, call: Call) -> Invocation:
            assert call.stream is not None
            call.stream.begin(INTEGRATION)
            await call.stream.write(HEAD + b"first")
            await asyncio.wait_for(go_on.wait(), 10)
            await call.stream.write(b"second")
            return Invocation("", Payload(b""), 0.001, streamed=True)

        at.told.answer = answer
        async with at.rig.session.get(PATH) as reply:
            assert await reply.content.readany() == b"first"
            go_on.set()
            assert await reply.content.read() == b"second"


async def test_a_function_that_does_not_stream_is_answered_as_it_is() -> None:
    """Its statusCode means nothing, as recorded."""
    async with site(mode="RESPONSE_STREAM") as at:
        returned = b'{"statusCode": 404, "body": "x"}'
        at.told.returns(returned)
        async with at.rig.session.get(PATH) as reply:
            assert (reply.status, await reply.read()) == (200, returned)
            assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "chunks",
    [
        (b"no json" + DELIMITER,),
        (b'{"statusCode": 42}' + DELIMITER + b"body",),
        (b'{"headers": {"a": "\\r\\n"}}' + DELIMITER, b"body"),
        (b'{"statusCode": 200}', b"\0" * 7),
        (),
        (b"x" * LIMIT_BYTES, b"x" * LIMIT_BYTES, b"x"),
    ],
)
async def test_a_head_that_is_none_is_502(chunks: tuple[bytes, ...]) -> None:
    """The function runs to its end, and nothing that it writes is sent."""
    async with site(mode="RESPONSE_STREAM") as at:
        written = 0

        async def answer(event: bytes, call: Call) -> Invocation:
            nonlocal written
            assert call.stream is not None
            call.stream.begin(INTEGRATION)
            for chunk in chunks:
                try:
                    await call.stream.write(chunk)
                except ReaderGone:
                    written += 1
            return Invocation("", Payload(b""), 0.001, streamed=True)

        at.told.answer = answer
        async with at.rig.session.get(PATH) as reply:
            assert (reply.status, await reply.read()) == (502, b"Internal Server Error")


async def test_a_type_that_would_end_its_header_is_502() -> None:
    """As a header that the function states."""
    async with site(mode="RESPONSE_STREAM") as at:

        async def answer(event: bytes, call: Call) -> Invocation:
            assert call.stream is not None
            call.stream.begin("text/html\r\nX-A: 1")
            with pytest.raises(ReaderGone):
                await call.stream.write(b"x")
            return Invocation("", Payload(b""), 0.001, streamed=True)

        at.told.answer = answer
        async with at.rig.session.get(PATH) as reply:
            assert reply.status == 502


async def test_a_failure_before_the_first_byte_is_502() -> None:
    """Whether the stream had begun or not."""
    async with site(mode="RESPONSE_STREAM") as at:
        at.told.returns(FAILURE)
        async with at.rig.session.get(PATH) as reply:
            assert (reply.status, await reply.read()) == (502, b"Internal Server Error")
        for content_type, chunks in ((INTEGRATION, (HEAD[:-1],)), (INTEGRATION, ()), ("text/html", ())):
            at.told.streams(content_type, *chunks, result=FAILURE)
            async with at.rig.session.get(PATH) as reply:
                assert (reply.status, await reply.read()) == (502, b"Internal Server Error")


async def test_a_busy_function_is_429_and_one_that_cannot_be_had_502() -> None:
    """As without streaming."""
    async with site(mode="RESPONSE_STREAM") as at:
        at.told.returns(Throttle("full"))
        async with at.rig.session.get(PATH) as reply:
            assert reply.status == 429
        at.told.problem = FunctionUnusable("no code")
        async with at.rig.session.get(PATH) as reply:
            assert reply.status == 502


async def test_a_failure_after_the_first_byte_is_noticed() -> None:
    """The reply has no last chunk, so no client takes it for whole."""
    async with site(mode="RESPONSE_STREAM") as at:
        at.told.streams(INTEGRATION, HEAD + b"part", result=FAILURE)
        raw = await at.send(ASK)
        assert raw.startswith(b"HTTP/1.1 201")
        assert raw.endswith(b"4\r\npart\r\n")
        with pytest.raises(aiohttp.ClientPayloadError):
            async with at.rig.session.get(PATH) as reply:
                await reply.read()


async def test_a_function_runs_on_when_its_client_goes_away() -> None:
    """To its end, and what it writes is dropped."""
    async with site(mode="RESPONSE_STREAM") as at:
        gone, ended = asyncio.Event(), asyncio.Event()

        async def answer(event: bytes, call: Call) -> Invocation:
            assert call.stream is not None
            call.stream.begin("text/plain")
            await call.stream.write(b"first")
            await asyncio.wait_for(gone.wait(), 10)
            try:
                while True:
                    await call.stream.write(b"x" * 100_000)
            except ReaderGone:
                ended.set()
            return Invocation("", Payload(b""), 0.001, streamed=True)

        at.told.answer = answer
        reader, writer = await asyncio.open_connection(*at.rig.address)
        writer.write(ASK)
        await reader.readuntil(b"first")
        writer.transport.abort()
        gone.set()
        await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.parametrize("buffered", [False, True])
async def test_a_client_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, *, buffered: bool) -> None:
    """Once, and not again for each further chunk; then nothing is under way any more."""
    monkeypatch.setattr(incoming, "READING_SECONDS", 0.05)
    async with site(mode="RESPONSE_STREAM") as at:
        refused = 0

        async def answer(event: bytes, call: Call) -> Invocation:
            nonlocal refused
            if buffered:
                return Invocation("", Payload(b"x" * 40_000_000), 0.001)
            assert call.stream is not None
            call.stream.begin("text/plain")
            for _ in range(400):
                try:
                    await call.stream.write(b"x" * 100_000)
                except ReaderGone:
                    refused += 1
            return Invocation("", Payload(b""), 0.001, streamed=True)

        at.told.answer = answer
        reader, writer = await asyncio.open_connection(*at.rig.address, limit=1000)
        writer.write(ASK)
        await asyncio.wait_for(reader.readline(), 10)
        async with asyncio.timeout(10):
            while at.rig.service.server.requests:
                await asyncio.sleep(0.01)
        assert buffered or refused > 100
        writer.transport.abort()


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("GET", 204), ("GET", 304)],
)
async def test_a_reply_without_a_body_has_none(method: str, status: int) -> None:
    """Whatever is streamed, and the connection goes on."""
    async with site(mode="RESPONSE_STREAM") as at:
        at.told.streams(INTEGRATION, json.dumps({"statusCode": status}).encode() + DELIMITER, b"body")
        ask = f"{method} {PATH} HTTP/1.1\r\nHost: localhost\r\n"
        raw = await at.send(f"{ask}\r\n{ask}Connection: close\r\n\r\n".encode())
        assert raw.count(f"HTTP/1.1 {status}".encode()) == 2
        assert b"body" not in raw


async def test_a_client_of_http_1_0_gets_the_stream_without_chunks() -> None:
    """Its end is that of the connection."""
    async with site(mode="RESPONSE_STREAM") as at:
        at.told.streams("text/plain", b"a", b"b")
        raw = await at.send(f"GET {PATH} HTTP/1.0\r\n\r\n".encode())
        assert raw.endswith(b"\r\n\r\nab")
        assert b"chunked" not in raw


async def test_a_reply_to_a_client_that_has_gone_is_not_kept() -> None:
    """Neither the collector nor anybody else has to come before its memory is free again."""

    class Gone:
        method = "GET"

        async def begin(self, status: int, headers: Mapping[str, str], content_type: str | None) -> Outgoing:
            raise ReaderGone("the client has gone")

    class Body(bytearray):
        pass

    gc.disable()
    try:
        body = Body(10)
        known = weakref.ref(body)
        stream = StreamedReply(Gone(), ())
        with pytest.raises(ReaderGone):
            await stream.buffered(cast("bytes", body))
        with pytest.raises(ReaderGone):
            await stream.write(b"more")
        del body, stream
        assert known() is None
    finally:
        gc.enable()
