"""Responses that a runtime streams, on a real socket: passed on while they come, or gathered where nobody wants pieces."""

from __future__ import annotations

import asyncio
import base64
import socket
import time

import anyio
import orjson
import pytest

from handlers.function import RESPONSE_LIMIT_BYTES, STREAMED_LIMIT_BYTES, FunctionError, Payload
from handlers.runtime_api import StreamedResponse, streamed
from handlers.runtime_api import connection as runtime_api_connection
from handlers.runtime_api.incoming import ROOM_BYTES
from tests.contract.runtime_endpoint import BASE, OK, Client, Endpoint, connect, running, serve, until

HEAD = f"POST {BASE}/invocation/r1/response HTTP/1.1\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n"
END = b"0\r\n\r\n"


def chunk(piece: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


async def begin(client: Client, headers: str = "Content-Type: text/event-stream\r\n") -> None:
    """The head of a response in chunks."""
    await client.send(f"{HEAD}{headers}Transfer-Encoding: chunked\r\n\r\n".encode())


async def the_stream(endpoint: Endpoint) -> StreamedResponse:
    """The response that is passed on."""
    await until(lambda: bool(endpoint.streams))
    return endpoint.streams[-1]


async def piece(response: StreamedResponse) -> bytes | None:
    """What comes next, within a bound."""
    with anyio.fail_after(60):
        return await response.next()


async def rest(response: StreamedResponse) -> bytes:
    """Everything up to the end."""
    pieces = []
    while (one := await piece(response)) is not None:
        pieces.append(one)
    return b"".join(pieces)


async def status_of(client: Client) -> tuple[int, str]:
    """Status and error type of an answer."""
    status, _, body = await client.answer()
    return status, orjson.loads(body).get("errorType", "")


async def test_pieces_reach_the_reader_while_the_response_still_comes() -> None:
    """Each before the next is written; the result is given at the end, and the connection serves the next invocation."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client, streamed=True)
        await begin(client)
        response = await the_stream(endpoint)
        assert response.content_type == "text/event-stream"
        for number in range(3):
            await client.send(chunk(b"piece %d" % number))
            assert await piece(response) == b"piece %d" % number
            assert endpoint.results == []
        await client.send(END)
        assert await piece(response) is None
        assert endpoint.results == [Payload(b"")]
        assert (await client.answer())[0::2] == OK
        await running(endpoint, client, "r2")
        assert await client.call("POST", "/invocation/r2/response", b"1") == OK


async def test_a_response_that_comes_at_once_is_passed_on_too() -> None:
    """Head, chunks, end and the next request in one packet; without a Content-Type it is bytes of any kind."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client, streamed=True)
        head = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
        following = f"GET {BASE}/invocation/next HTTP/1.1\r\n\r\n".encode()
        await client.send(head + chunk(b"one") + chunk(b"two") + END + following)
        response = await the_stream(endpoint)
        assert (response.content_type, await rest(response)) == ("application/octet-stream", b"onetwo")
        assert endpoint.results == [Payload(b"")]
        assert (await client.answer())[0::2] == OK
        await until(lambda: endpoint.api.available)


async def test_a_client_that_closes_after_the_last_chunk_has_answered() -> None:
    """Lambda's guide tells custom runtimes to do so."""
    async with serve(Endpoint()) as endpoint:
        async with connect(endpoint) as client:
            await running(endpoint, client, streamed=True)
            await begin(client, "Connection: close\r\n")
            await client.send(chunk(b"all") + END)
        assert await rest(await the_stream(endpoint)) == b"all"
        assert endpoint.results == [Payload(b"")]
        assert endpoint.broken_off == 0


@pytest.mark.parametrize(
    "document", [b'{"errorType":"Mine","errorMessage":"m"}', b'{"errorMessage":"%s"}' % (b"x" * 99_000)]
)
async def test_an_error_in_the_middle_is_told_by_trailers(document: bytes) -> None:
    """What was written before it was passed on; type and document are the runtime's (docs/lambda 8.6)."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client, streamed=True)
        await begin(client, "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n")
        trailers = (
            b"Lambda-Runtime-Function-Error-Type: Function.Broke\r\nLambda-Runtime-Function-Error-Body: %s\r\n\r\n"
        )
        await client.send(chunk(b"begun") + b"0\r\n" + trailers % base64.b64encode(document))
        assert await rest(await the_stream(endpoint)) == b"begun"
        assert (await client.answer())[0::2] == OK
    (error,) = endpoint.results
    assert isinstance(error, FunctionError)
    assert error.document == document
    assert error.error_type == orjson.loads(document).get("errorType", "Function.Broke")


async def test_an_error_body_that_is_not_base64_is_taken_as_it_is() -> None:
    """Better than nothing for who has to find the fault."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client, streamed=True)
        await begin(client)
        await client.send(b"0\r\nLambda-Runtime-Function-Error-Body: it broke!\r\nno trailer\r\n\r\n")
        await client.answer()
    (error,) = endpoint.results
    assert isinstance(error, FunctionError)
    assert error.message == "it broke!"


async def test_a_client_waits_while_nobody_takes_what_it_writes() -> None:
    """Little is held, however much it would write; nothing is lost once somebody reads."""
    written = bytes(range(256)) * 256 * 1024  # 64 MiB
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client, anyio.create_task_group() as group:
        await running(endpoint, client, streamed=True)
        await begin(client)

        async def write() -> None:
            for at in range(0, len(written), 1_000_000):
                await client.send(chunk(written[at : at + 1_000_000]))
            await client.send(END)

        group.start_soon(write)
        response = await the_stream(endpoint)
        (connection,) = endpoint.open
        await until(lambda: connection._paused)
        held = await piece(response)
        assert held is not None
        assert ROOM_BYTES <= len(held) < 3 * ROOM_BYTES
        assert held + await rest(response) == written
        assert (await client.answer())[0::2] == OK


async def test_a_response_that_nobody_reads_any_more_is_still_read_to_its_end() -> None:
    """The function is not stopped by it, and answers 202 as ever."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client, streamed=True)
        await begin(client)
        await client.send(chunk(b"x" * 1_000_000))
        (await the_stream(endpoint)).drop()
        for _ in range(20):
            await client.send(chunk(b"x" * 1_000_000))
        await client.send(END)
        assert (await client.answer())[0::2] == OK
        assert endpoint.results == [Payload(b"")]


async def test_without_a_reader_the_response_is_the_payload_as_it_came() -> None:
    """Mappings and plain invocations: prelude and NULs too, in chunks or with a length."""
    body = b'{"statusCode":200}' + b"\0" * 8 + b"hello"
    framed = {
        "Transfer-Encoding: chunked": chunk(body[:9]) + chunk(body[9:]) + END,
        f"Content-Length: {len(body)}": body,
    }
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        for number, (framing, sent) in enumerate(framed.items(), 1):
            await running(endpoint, client, "r1")
            await client.send(f"{HEAD}{framing}\r\n\r\n".encode())
            await client.send(sent)
            assert (await client.answer())[0::2] == OK
            assert endpoint.results == [Payload(body)] * number
        assert endpoint.streams == []


@pytest.mark.parametrize("closes", [False, True])
async def test_a_gathered_response_that_is_too_large_fails_at_once_and_is_read_to_its_end(closes: bool) -> None:
    """The same error as for one that comes in one piece; its client, which still writes, reads the 413 afterwards."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        await begin(client, "Connection: close\r\n" if closes else "")
        await client.send(chunk(b"x" * RESPONSE_LIMIT_BYTES) + chunk(b"x"))
        await until(lambda: bool(endpoint.results))
        (error,) = endpoint.results
        assert isinstance(error, FunctionError)
        assert (error.error_type, "(6291556 bytes)" in error.message) == ("Function.ResponseSizeTooLarge", True)
        for _ in range(100):
            await client.send(chunk(b"x" * 1_000_000))
        await client.send(END)
        assert await status_of(client) == (413, "RequestEntityTooLarge")
        if closes:
            assert await client.at_end()
        else:
            await running(endpoint, client, "r2")


async def test_a_gathered_response_of_just_the_limit_is_taken() -> None:
    """6,291,556 bytes."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        await begin(client)
        await client.send(chunk(b"x" * RESPONSE_LIMIT_BYTES) + END)
        assert (await client.answer())[0::2] == OK
    assert endpoint.results == [Payload(b"x" * RESPONSE_LIMIT_BYTES)]


async def test_a_streamed_response_ends_at_its_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 MiB on Lambda: an error in the middle, and a runtime that is told so."""
    assert STREAMED_LIMIT_BYTES == 209_715_200
    monkeypatch.setattr(streamed, "STREAMED_LIMIT_BYTES", 7_000_000)
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client, anyio.create_task_group() as group:
        await running(endpoint, client, streamed=True)
        await begin(client)
        group.start_soon(client.send, chunk(b"x" * 7_000_001) + END)
        assert 6_000_000 < len(await rest(await the_stream(endpoint))) <= 7_000_000
        (error,) = endpoint.results
        assert isinstance(error, FunctionError)
        assert (error.error_type, "(7000000 bytes)" in error.message) == ("Function.ResponseSizeTooLarge", True)
        assert await status_of(client) == (413, "RequestEntityTooLarge")


async def test_a_runtime_that_streams_can_do_nothing_else_meanwhile() -> None:
    """No invocation, no second response and no error report: 403 in AWS's words. The stream goes on."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client, connect(endpoint) as other:
        await running(endpoint, client, streamed=True)
        await begin(client)
        response = await the_stream(endpoint)
        for method, path in (("GET", "/next"), ("POST", "/r1/response"), ("POST", "/r1/error")):
            status, body = await other.call(method, f"/invocation{path}")
            assert status == 403
            assert "Transition from InvocationResponse to" in orjson.loads(body)["errorMessage"]
        await client.send(chunk(b"on") + END)
        assert await rest(response) == b"on"
        assert (await client.answer())[0::2] == OK


async def test_a_stream_that_is_refused_is_read_to_its_end_first() -> None:
    """An unknown request id, or a response after the answer; the connection goes on."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await begin(client)
        await client.send(chunk(b"x" * 1_000_000) * 20 + END)
        assert await status_of(client) == (400, "InvalidRequestID")
        await running(endpoint, client)
        assert await client.call("POST", "/invocation/r1/response", b"1") == OK
        await begin(client)
        await client.send(chunk(b"x") + END)
        assert await status_of(client) == (403, "InvalidStateTransition")
        await running(endpoint, client, "r2")


async def test_a_broken_stream_that_was_passed_on_is_told_of() -> None:
    """What came is still there; when the runtime asks for more work, the invocation has failed."""
    async with serve(Endpoint()) as endpoint:
        async with connect(endpoint) as client:
            await running(endpoint, client, streamed=True)
            await begin(client)
            await client.send(chunk(b"begun") + b"100\r\nhalf")
            response = await the_stream(endpoint)
            await until(lambda: response._incoming.size == len(b"begunhalf"))
        await until(lambda: endpoint.broken_off == 1)
        assert await rest(response) == b"begunhalf"
        assert endpoint.results == []
        async with connect(endpoint) as again:
            await running(endpoint, again, "r2")
        (error,) = endpoint.results
        assert isinstance(error, FunctionError)
        assert error.error_type == "Runtime.TruncatedResponse"


async def test_a_broken_stream_of_an_invocation_that_is_over_gives_no_second_result() -> None:
    """It timed out; a runtime that asks for more work gets none."""
    async with serve(Endpoint()) as endpoint:
        async with connect(endpoint) as client:
            await running(endpoint, client, streamed=True)
            await begin(client)
            await the_stream(endpoint)
        await until(lambda: endpoint.broken_off == 1)
        endpoint.api.abandon()
        async with connect(endpoint) as again:
            assert (await again.call("GET", "/invocation/next"))[0] == 403
    assert endpoint.results == []


async def test_a_broken_stream_that_was_gathered_may_be_made_again() -> None:
    """Nobody has seen any of it."""
    async with serve(Endpoint()) as endpoint:
        async with connect(endpoint) as client:
            await running(endpoint, client)
            await begin(client)
            await client.send(chunk(b"half"))
        await until(lambda: not endpoint.open)
        assert (endpoint.results, endpoint.broken_off) == ([], 0)
        async with connect(endpoint) as again:
            await begin(again)
            await again.send(chunk(b"whole") + END)
            assert (await again.answer())[0::2] == OK
    assert endpoint.results == [Payload(b"whole")]


async def test_what_is_no_chunk_breaks_the_stream() -> None:
    """400 and a closed connection."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client, streamed=True)
        await begin(client)
        response = await the_stream(endpoint)
        await client.send(chunk(b"begun") + b"not a size\r\n")
        assert (await client.answer())[0] == 400
        assert await client.at_end()
        await until(lambda: endpoint.broken_off == 1)
        assert await rest(response) == b"begun"


async def test_a_stream_may_take_longer_than_any_other_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as its invocation; one that was refused may not."""
    monkeypatch.setattr(runtime_api_connection, "REQUEST_SECONDS", 0.05)
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client, connect(endpoint) as stranger:
        await running(endpoint, client, streamed=True)
        await begin(client)
        response = await the_stream(endpoint)
        await begin(stranger)  # a second response
        assert (await stranger.answer())[0] == 408
        await client.send(chunk(b"late") + END)
        assert await rest(response) == b"late"
        assert (await client.answer())[0::2] == OK


async def test_an_abandoned_stream_ends_for_its_reader() -> None:
    """The invocation timed out: what had come is read, and nobody is told anything more."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client, streamed=True)
        await begin(client)
        response = await the_stream(endpoint)
        reading = asyncio.ensure_future(rest(response))
        await client.send(chunk(b"begun"))
        await until(lambda: response._incoming.size == len(b"begun"))
        endpoint.api.abandon()
        assert await reading == b"begun"
        await client.send(END)
    assert (endpoint.results, endpoint.broken_off) == ([], 0)


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="acknowledgements can be hurried on Linux only")
async def test_a_small_piece_does_not_wait_for_an_acknowledgement() -> None:
    """A client that sends by Nagle's rule would hold each piece back for 40 ms; the best of many took no such wait."""
    took = []
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        client.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        for _ in range(30):
            await running(endpoint, client, streamed=True)
            began = time.perf_counter()
            await begin(client)
            response = await the_stream(endpoint)
            for part in (chunk(b"a"), chunk(b"b"), END):
                await client.send(part)
            assert await rest(response) == b"ab"
            took.append(time.perf_counter() - began)
            await client.answer()
            endpoint.streams.clear()
    assert min(took[5:]) < 0.03
