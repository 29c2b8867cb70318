"""The Runtime API as a client on the wire sees it: raw requests against a real socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import orjson
import pytest

from handlers.function import FunctionError, Payload, Result
from handlers.runtime_api import connection as runtime_api_connection
from handlers.runtime_api.api import RESPONSE_LIMIT_BYTES, Delivery, RuntimeApi
from handlers.runtime_api.connection import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

BASE = "/2018-06-01/runtime"
OK = (202, b'{"status":"OK"}\n')


def delivery(request_id: str = "r1", event: bytes = b"{}") -> Delivery:
    """An invocation."""
    return Delivery(request_id, f"attempt-of-{request_id}", 1542409706888, "arn:aws:lambda:x", "Root=1", event)


@dataclass
class Endpoint:
    """One worker's endpoint, and what its worker was told."""

    port: int = 0
    results: list[Result] = field(default_factory=list)
    init_errors: list[FunctionError] = field(default_factory=list)
    polls_lost: int = 0
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


async def running(endpoint: Endpoint, client: Client, request_id: str = "r1") -> None:
    """Bring the runtime to where it has an invocation."""
    await client.request("GET", "/invocation/next")
    await endpoint.deliver(delivery(request_id))
    await client.answer()


async def test_many_invocations_go_over_one_connection() -> None:
    """Keep-alive: next, response, next, response; events and responses byte for byte."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        for number in range(20):
            event = b'{"n":%d,"pad":"%s"}' % (number, b"x" * number * 1000)
            await client.request("GET", "/invocation/next")
            await endpoint.deliver(delivery(f"r{number}", event))
            status, headers, body = await client.answer()
            assert (status, headers["Content-Type"], body) == (200, "application/json", event)
            assert headers["Lambda-Runtime-Aws-Request-Id"] == f"r{number}"
            assert await client.call("POST", f"/invocation/r{number}/response", event) == OK
    assert endpoint.results[0] == Payload(b'{"n":0,"pad":""}')
    assert len(endpoint.results) == 20


async def test_an_event_of_six_mebibytes_arrives_whole() -> None:
    """The largest event that Lambda takes, and a response of the same size."""
    event = b'"' + b"e" * (6 * 1024 * 1024 - 2) + b'"'
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await client.request("GET", "/invocation/next")
        await endpoint.deliver(delivery("r1", event))
        assert (await client.answer())[2] == event
        assert await client.call("POST", "/invocation/r1/response", event) == OK
    assert endpoint.results == [Payload(event)]


async def test_a_chunked_response_without_a_length_is_taken() -> None:
    """As streaming-capable clients send it."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        await client.send(f"POST {BASE}/invocation/r1/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        await client.send(b"3\r\n[1,\r\n")
        await client.send(b"2\r\n2]\r\n0\r\n\r\n")
        assert (await client.answer())[0] == 202
    assert endpoint.results == [Payload(b"[1,2]")]


async def test_a_client_that_asks_before_sending_is_answered() -> None:
    """curl asks for ``100 Continue`` before a large body."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        head = f"POST {BASE}/invocation/r1/response HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        await client.send(head.encode())
        assert (await client.answer())[0] == 100
        await client.send(b"{}")
        assert (await client.answer())[0] == 202


async def test_a_response_over_the_limit_is_413_and_fails_the_invocation() -> None:
    """The connection stays usable: the runtime goes on to its next invocation."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        status, body = await client.call("POST", "/invocation/r1/response", b"x" * (RESPONSE_LIMIT_BYTES + 1))
        assert status == 413
        assert orjson.loads(body) == {
            "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
            "errorType": "RequestEntityTooLarge",
        }
        await running(endpoint, client, "r2")
    (error,) = endpoint.results
    assert isinstance(error, FunctionError)
    assert error.error_type == "Function.ResponseSizeTooLarge"


async def test_refusals_have_awss_form() -> None:
    """Unknown id, second response, late response, wrong attempt, init error out of turn, restore calls."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        assert await client.call("POST", "/invocation/nope/response", b"{}") == (
            400,
            b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}',
        )
        wrong = "Lambda-Runtime-Invocation-Id: other\r\n"
        status, body = await client.call("POST", "/invocation/r1/response", b"{}", wrong)
        assert (status, orjson.loads(body)["errorType"]) == (400, "InvalidInvocationId")
        assert await client.call("POST", "/invocation/r1/response", b"{}") == OK
        status, body = await client.call("POST", "/invocation/r1/response", b"{}")
        assert status == 403
        assert orjson.loads(body) == {
            "errorMessage": "Transition from ResponseSent to InvocationResponse failed for runtime. "
            "Error: State transition is not allowed",
            "errorType": "InvalidStateTransition",
        }
        assert (await client.call("POST", "/init/error", b"{}"))[0] == 403
        assert (await client.call("GET", "/restore/next"))[0] == 404
        await running(endpoint, client, "r2")
        endpoint.api.abandon()
        assert (await client.call("POST", "/invocation/r2/response", b"{}"))[0] == 400
    assert endpoint.results == [Payload(b"{}")]


async def test_a_malformed_error_document_still_fails_the_invocation() -> None:
    """What is no JSON is kept as the message."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        header = "Lambda-Runtime-Function-Error-Type: Function.Broken\r\n"
        assert await client.call("POST", "/invocation/r1/error", b"{not json", header) == OK
    (error,) = endpoint.results
    assert isinstance(error, FunctionError)
    assert (error.error_type, error.message) == ("Function.Broken", "{not json")


async def test_an_init_error_is_taken_once() -> None:
    """And no invocation is given to that runtime."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        assert await client.call("POST", "/init/error", b'{"errorType":"Runtime.X","errorMessage":"m"}') == OK
        assert (await client.call("GET", "/invocation/next"))[0] == 403
    assert [error.error_type for error in endpoint.init_errors] == ["Runtime.X"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n" * 40,
    ],
)
async def test_garbage_is_answered_and_the_connection_closed(garbage: bytes) -> None:
    """A client that is broken cannot confuse the next request."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await client.send(garbage)
        status, headers, _ = await client.answer()
        assert status in (400, 404)
        assert headers.get("Connection") == "close"
        assert await client.at_end()


async def test_a_request_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-sent request or body holds its connection only for so long."""
    monkeypatch.setattr(runtime_api_connection, "REQUEST_SECONDS", 0.05)
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        await client.send(f"POST {BASE}/invocation/r1/response HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf".encode())
        assert (await client.answer())[0] == 408
        assert await client.at_end()
    assert endpoint.results == []


async def test_a_response_cut_off_in_its_body_is_no_response() -> None:
    """The connection breaks in the middle: the invocation stays unanswered, and may be answered again."""
    async with serve(Endpoint()) as endpoint:
        async with connect(endpoint) as client:
            await running(endpoint, client)
            head = f"POST {BASE}/invocation/r1/response HTTP/1.1\r\nContent-Length: 10\r\n\r\n"
            await client.send(head.encode() + b"half")
        await until(lambda: not endpoint.open)
        assert endpoint.results == []
        async with connect(endpoint) as again:
            assert await again.call("POST", "/invocation/r1/response", b"whole") == OK
    assert endpoint.results == [Payload(b"whole")]


async def test_a_poll_that_breaks_is_noticed_and_can_be_made_again() -> None:
    """A long poll's connection drops; the next one is served."""
    async with serve(Endpoint()) as endpoint:
        async with connect(endpoint) as client:
            await client.request("GET", "/invocation/next")
            await until(lambda: endpoint.api.available)
        await until(lambda: endpoint.polls_lost == 1)
        assert not endpoint.api.available
        async with connect(endpoint) as again:
            await running(endpoint, again)
            assert await again.call("POST", "/invocation/r1/response", b"1") == OK


async def test_streaming_is_refused_and_the_runtime_goes_on() -> None:
    """The answer names the mode; the invocation is a function error."""
    async with serve(Endpoint()) as endpoint, connect(endpoint) as client:
        await running(endpoint, client)
        header = "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
        await client.send(f"POST {BASE}/invocation/r1/response HTTP/1.1\r\n{header}\r\n1\r\nx\r\n0\r\n\r\n".encode())
        status, _, body = await client.answer()
        assert (status, orjson.loads(body)["errorType"]) == (400, "InvalidFunctionResponseMode")
        await running(endpoint, client, "r2")


async def test_a_client_of_another_worker_is_refused_before_it_says_anything() -> None:
    """403 and a closed connection."""
    async with serve(Endpoint(refuses=True)) as endpoint, connect(endpoint) as client:
        assert (await client.answer())[0] == 403
        assert await client.at_end()


async def test_an_old_client_without_keep_alive_is_served() -> None:
    """HTTP/1.0, and ``Connection: close``: answered, then closed."""
    async with serve(Endpoint()) as endpoint:
        async with connect(endpoint) as client:
            await client.send(f"GET {BASE}/invocation/next HTTP/1.0\r\n\r\n".encode())
            await endpoint.deliver(delivery())
            assert (await client.answer())[2] == b"{}"
            assert await client.at_end()
        async with connect(endpoint) as client:
            assert await client.call("POST", "/invocation/r1/response", b"1", "Connection: close\r\n") == OK
            assert await client.at_end()
