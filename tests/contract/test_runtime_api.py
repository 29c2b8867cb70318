"""The Runtime API as a client on the wire sees it: raw requests against a real socket."""

from __future__ import annotations

import orjson
import pytest

from handlers.function import RESPONSE_LIMIT_BYTES, FunctionError, Payload
from handlers.runtime_api import connection as runtime_api_connection
from tests.contract.runtime_endpoint import BASE, OK, Endpoint, connect, delivery, running, serve, until


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
