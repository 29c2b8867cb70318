"""Functions in AWS, against a server that answers as the Invoke API does (docs/lambda 8.1)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import zlib
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from aiohttp import web

import config.models as models
from handlers.function import (
    RESPONSE_LIMIT_BYTES,
    Call,
    FunctionError,
    InfrastructureError,
    Invocation,
    Payload,
    Result,
    Throttle,
)
from handlers.remote import invoke_api
from handlers.remote.invoke_api import InvokeApiFunction, log_lines, split_qualifier
from tests.unit.handlers.remote.servers import closed_url, dropping, serving

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:billing"
EVENT = b'{"Records":[{"body":"caf\xc3\xa9"}]}'


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a test account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def function(url: str, **settings: Any) -> InvokeApiFunction:  # noqa: ANN401 - the model's options
    model = models.LambdaFunction(**{"runtime": "lambda", "function_arn": ARN, **settings})
    return InvokeApiFunction("billing", model, models.Aws(endpoint_url=url))


async def invoke(url: str, **settings: Any) -> Result:  # noqa: ANN401 - the model's options
    async with function(url, **settings) as entered:
        return (await entered.invoke(EVENT, request_id="r-1")).result


def answer(status: int = 200, body: bytes = b"null", headers: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - see serving
    async def respond(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return serving(respond)


def api_error(status: int, code: str, message: str = "no", **members: str) -> Any:  # noqa: ANN401 - see serving
    body = json.dumps({"Type": "User", "message": message, **members}).encode()
    return answer(status, body, {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/", "x-amzn-RequestId": "q"})


async def test_the_event_goes_to_the_function_as_it_is() -> None:
    """Request-response with the log's tail, to the ARN, signed for its region."""
    seen: dict[str, Any] = {}

    async def respond(request: web.Request) -> web.Response:
        seen.update(path=unquote(request.raw_path), body=await request.read(), headers=request.headers)
        return web.Response(body=b'{"batchItemFailures":[]}')

    async with serving(respond) as url:
        result = await invoke(url)

    assert result == Payload(b'{"batchItemFailures":[]}')
    assert seen["path"] == f"/2015-03-31/functions/{ARN}/invocations"
    assert seen["body"] == EVENT
    assert seen["headers"]["X-Amz-Invocation-Type"] == "RequestResponse"
    assert seen["headers"]["X-Amz-Log-Type"] == "Tail"
    assert "/eu-west-1/lambda/" in seen["headers"]["Authorization"]


@pytest.mark.parametrize(
    "settings", [{"qualifier": "live"}, {"function_arn": f"{ARN}:live"}], ids=["option", "in the ARN"]
)
async def test_a_qualifier_is_sent_and_left_out_of_the_arn(settings: dict[str, str]) -> None:
    """On-failure records name the function without it."""
    seen: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        seen.append(unquote(request.raw_path))
        return web.Response(body=b"null")

    async with serving(respond) as url:
        await invoke(url, **settings)

    assert seen == [f"/2015-03-31/functions/{ARN}/invocations?Qualifier=live"]
    assert function("http://127.0.0.1:1", **settings).arn == ARN


async def test_the_endpoint_of_lambda_wins_over_that_of_all_services() -> None:
    """``endpoint_urls`` is by service."""
    async with answer(body=b'"here"') as url:
        aws = models.Aws(endpoint_url=await closed_url(), endpoint_urls=models.EndpointUrls(**{"lambda": url}))
        model = models.LambdaFunction(runtime="lambda", function_arn=ARN)
        async with InvokeApiFunction("billing", model, aws) as entered:
            assert (await entered.invoke(EVENT, request_id="r")).result == Payload(b'"here"')


async def test_a_function_error_is_the_body_under_its_header() -> None:
    """X-Amz-Function-Error makes Lambda's document, byte for byte, a function error."""
    document = b'{"errorMessage": "boom","errorType":"Exception","requestId":"x","stackTrace":[]}'
    async with answer(body=document, headers={"X-Amz-Function-Error": "Unhandled"}) as url:
        assert await invoke(url) == FunctionError("Exception", "boom", document)


async def test_an_answer_that_looks_like_an_error_is_none_without_the_header() -> None:
    """What a handler returns is its own affair."""
    body = b'{"errorMessage":"boom","errorType":"Exception"}'
    async with answer(body=body) as url:
        assert await invoke(url) == Payload(body)


async def test_the_log_s_tail_comes_in_lines() -> None:
    """The log is the function's, newest last."""
    tail = base64.b64encode(b"START RequestId: R Version: $LATEST\nhello\nEND RequestId: R\n").decode()
    async with answer(headers={"X-Amz-Log-Result": tail}) as url, function(url) as entered:
        invocation = await entered.invoke(EVENT, request_id="r")

    assert invocation.log == ("START RequestId: R Version: $LATEST", "hello", "END RequestId: R")


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "soon"}, None),
        # By the service's own clock, whatever ours shows.
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:29 GMT", "Date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 9.0),
    ],
)
async def test_too_many_requests_is_a_throttle(headers: dict[str, str], after: float | None) -> None:
    """With the time to wait where Lambda names one, and its reason."""
    body = b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate Exceeded.","Type":"User"}'
    async with answer(429, body, {"x-amzn-ErrorType": "TooManyRequestsException", **headers}) as url:
        result = await invoke(url)

    assert isinstance(result, Throttle)
    assert result.retry_after_seconds == after
    assert "Rate Exceeded. (ReservedFunctionConcurrentInvocationLimitExceeded)" in result.message


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "ServiceException"),
        (502, "ResourceNotReadyException"),
        (502, "EC2ThrottledException"),
        (502, "InvalidRuntimeException"),
        (503, "ServiceUnavailable"),
        (404, "ResourceNotFoundException"),
        (403, "AccessDeniedException"),
        (409, "ResourceConflictException"),
        (408, "EFSMountTimeoutException"),
        (400, "NoPublishedVersionException"),
    ],
)
async def test_what_keeps_the_function_from_running_costs_no_attempt(status: int, code: str) -> None:
    """Service errors, a missing function, denied access: infrastructure, said clearly, and tried once each time."""
    async with api_error(status, code, "what is the matter") as url, function(url) as entered:
        result = (await entered.invoke(EVENT, request_id="r")).result

        assert isinstance(result, InfrastructureError)
        assert result.message == f"invoking {ARN}: {code}: what is the matter"
        assert entered.status().problem == result.message


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (413, "RequestTooLargeException"),
        (400, "InvalidRequestContentException"),
        (400, "RecursiveInvocationException"),
        (415, "UnsupportedMediaTypeException"),
    ],
)
async def test_an_event_that_is_refused_is_a_failure_of_the_function_on_it(status: int, code: str) -> None:
    """It would be refused for ever: attempts are counted, so that it can be bisected and discarded."""
    async with api_error(status, code) as url:
        result = await invoke(url)

    assert isinstance(result, FunctionError)
    assert result.error_type == code


@pytest.mark.parametrize(("status", "code"), [(500, "ServiceException"), (429, "TooManyRequestsException")])
async def test_nothing_is_retried_here(status: int, code: str) -> None:
    """The SDK's own retries would run the function again behind the poller's back."""
    calls: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        calls.append(request.path)
        return web.Response(status=status, body=b"{}", headers={"x-amzn-ErrorType": code})

    async with serving(respond) as url:
        await invoke(url)

    assert len(calls) == 1


async def test_nobody_there_is_an_infrastructure_error() -> None:
    """Connection refused."""
    assert isinstance(await invoke(await closed_url()), InfrastructureError)


async def test_a_connection_lost_after_the_request_is_an_infrastructure_error() -> None:
    """Nobody can tell whether the function ran."""
    async with dropping(after_request=True) as url:
        assert isinstance(await invoke(url), InfrastructureError)


async def test_a_body_cut_short_is_an_infrastructure_error() -> None:
    """Half an answer is none."""

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"batch')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(respond) as url:
        assert isinstance(await invoke(url), InfrastructureError)


async def test_an_error_that_is_not_json_is_an_infrastructure_error() -> None:
    """A proxy's HTML page."""
    async with answer(502, b"<html>Bad Gateway</html>") as url:
        assert isinstance(await invoke(url), InfrastructureError)


async def test_an_answer_over_six_mebibytes_is_too_large() -> None:
    """An emulator may let it pass; memory is bounded all the same."""
    async with answer(body=b"x" * (RESPONSE_LIMIT_BYTES + 1)) as url:
        result = await invoke(url)

    assert isinstance(result, FunctionError)
    assert result.error_type == "Function.ResponseSizeTooLarge"


async def test_a_reply_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the function's timeout and the time for a cold start; Lambda itself would have stopped it by then."""
    monkeypatch.setattr(invoke_api, "COLD_START_SECONDS", 0.1)
    asked = anyio.Event()

    async def respond(request: web.Request) -> web.Response:
        asked.set()
        await anyio.sleep_forever()
        raise AssertionError

    async with serving(respond) as url:
        seconds = 0.1
        while not asked.is_set():  # on a busy machine the time may be over before the request is out
            result = await invoke(url, timeout=seconds)
            seconds *= 2

    assert isinstance(result, FunctionError)
    assert result.error_type == "Sandbox.Timedout"


async def test_a_slow_start_is_waited_for() -> None:
    """A reply after the function's timeout, but within a cold start's time, counts."""

    async def respond(request: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        return web.Response(body=b'"late but well"')

    async with serving(respond) as url:
        assert await invoke(url, timeout=0.1) == Payload(b'"late but well"')


async def test_cancelling_closes_the_connection() -> None:
    """The service sees the client go."""
    asked, gone = anyio.Event(), anyio.Event()

    async def respond(request: web.Request) -> web.Response:
        asked.set()
        while request.transport is not None:
            await anyio.sleep(0.005)
        gone.set()
        return web.Response()

    async with serving(respond) as url, function(url, timeout=60) as entered:
        task = asyncio.create_task(entered.invoke(EVENT, request_id="r"))
        await asked.wait()
        assert entered.status().busy == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with anyio.fail_after(30):
            await gone.wait()
        assert entered.status().busy == 0


async def test_as_many_invocations_run_at_a_time_as_concurrency_says() -> None:
    """The connection pool does not hold them up: thirty meet at the service."""
    waiting, all_there = 0, anyio.Event()

    async def respond(request: web.Request) -> web.Response:
        nonlocal waiting
        waiting += 1
        if waiting == 30:
            all_there.set()
        with anyio.fail_after(60):
            await all_there.wait()
        return web.Response(body=b"null")

    async with serving(respond) as url, function(url, concurrency=30) as entered, anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(lambda: entered.invoke(EVENT, request_id="r"))

    assert waiting == 30


async def test_refused_credentials_are_looked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """New ones that have been provided since are found without a restart."""
    monkeypatch.setattr(invoke_api, "RENEW_SECONDS", 0)

    async def respond(request: web.Request) -> web.Response:
        if "Credential=second/" in request.headers["Authorization"]:
            return web.Response(body=b'"welcome"')
        return web.Response(status=403, body=b"{}", headers={"x-amzn-ErrorType": "ExpiredTokenException"})

    async with serving(respond) as url, function(url) as entered:
        first = (await entered.invoke(EVENT, request_id="r")).result
        os.environ["AWS_ACCESS_KEY_ID"] = "second"  # put back by the fixture
        second = (await entered.invoke(EVENT, request_id="r")).result
        third = (await entered.invoke(EVENT, request_id="r")).result

    assert isinstance(first, InfrastructureError)
    assert isinstance(second, InfrastructureError)
    assert third == Payload(b'"welcome"')


async def test_no_credentials_at_all_is_an_infrastructure_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and waits for some."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    async with answer() as url:
        result = await invoke(url)

    assert isinstance(result, InfrastructureError)
    assert "credentials" in result.message.lower()


@pytest.mark.parametrize(
    ("arn", "split"),
    [(ARN, (ARN, None)), (f"{ARN}:7", (ARN, "7")), (f"{ARN}:$LATEST", (ARN, "$LATEST"))],
)
def test_a_qualifier_is_the_eighth_part_of_an_arn(arn: str, split: tuple[str, str | None]) -> None:
    """Versions, aliases and $LATEST alike."""
    assert split_qualifier(arn) == split


def test_no_log_is_no_lines() -> None:
    """The header may be missing."""
    assert log_lines(None) == ()


@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
@pytest.mark.parametrize("body", [b"[]", b"\xff", b"[" * 100_000, b'{"message":' * 2_000, b'{"retryAfterSeconds":{}}'])
async def test_no_reply_of_the_service_makes_an_invocation_raise(status: int, body: bytes) -> None:
    """A malformed error is one by its status, or of the way to the function; the tail of the log may be nonsense."""
    headers = {"x-amzn-ErrorType": "TooManyRequestsException", "X-Amz-Log-Result": "no base64!"}
    async with answer(status, body, headers if status != 200 else {"X-Amz-Log-Result": "x"}) as url:
        assert await invoke(url) is not None


class Reader:
    """A stream that keeps what it gets."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.got: list[bytes] = []

    def begin(self, content_type: str) -> None:
        self.types.append(content_type)

    async def write(self, chunk: bytes) -> None:
        self.got.append(chunk)


def frame(kind: str, payload: bytes, message_type: str = "event") -> bytes:
    """One message of AWS's event stream encoding."""
    headers = b""
    for name, value in ((":message-type", message_type), (f":{message_type}-type", kind)):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2, "big") + value.encode()
    head = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    body = head + zlib.crc32(head).to_bytes(4, "big") + headers + payload
    return body + zlib.crc32(body).to_bytes(4, "big")


async def stream(frames: list[bytes], reader: Reader, seen: list[web.Request] | None = None) -> Invocation:
    """Invoke a function that answers with these frames."""

    async def respond(request: web.Request) -> web.Response:
        if seen is not None:
            seen.append(request)
        headers = {"Content-Type": "application/vnd.amazon.eventstream"}
        return web.Response(body=b"".join(frames), headers=headers)

    async with serving(respond) as url, function(url) as entered:
        call = Call(client_context='{"custom":{}}', stream=reader)
        return await entered.invoke(EVENT, request_id="r-1", call=call)


async def test_a_stream_is_asked_for_and_passed_on() -> None:
    """By InvokeWithResponseStream, with the client context; the log's tail comes at the end."""
    reader, seen = Reader(), list[web.Request]()
    tail = base64.b64encode(b"START\nEND\n").decode()
    complete = frame("InvokeComplete", json.dumps({"LogResult": tail}).encode())
    invocation = await stream([frame("PayloadChunk", b"one"), frame("PayloadChunk", b"\0two"), complete], reader, seen)

    assert unquote(seen[0].raw_path) == f"/2021-11-15/functions/{ARN}/response-streaming-invocations"
    assert seen[0].headers["X-Amz-Client-Context"] == base64.b64encode(b'{"custom":{}}').decode()
    assert (invocation.result, invocation.streamed, invocation.log) == (Payload(b""), True, ("START", "END"))
    assert (b"".join(reader.got), len(reader.types)) == (b"one\0two", 1)


async def test_what_ends_a_stream_is_its_result() -> None:
    """An error at its end with what was written; one before anything came is an error like any other."""
    details = json.dumps({"ErrorCode": "Function.Broke", "ErrorDetails": '{"errorMessage":"m"}'}).encode()
    late, early = Reader(), Reader()
    broken = await stream([frame("PayloadChunk", b"one"), frame("InvokeComplete", details)], late)
    failed = await stream([frame("InvokeComplete", details)], early)
    for invocation in (broken, failed):
        assert isinstance(invocation.result, FunctionError)
        assert (invocation.result.error_type, invocation.result.message) == ("Function.Broke", "m")
    assert (broken.streamed, late.got, failed.streamed, early.types) == (True, [b"one"], False, [])


async def test_a_stream_without_an_end_was_broken_off() -> None:
    """Before anything came nobody can tell whether the function ran."""
    broken = await stream([frame("PayloadChunk", b"one")], Reader())
    lost = await stream([], Reader())

    assert isinstance(broken.result, FunctionError)
    assert broken.result.error_type == "Runtime.TruncatedResponse"
    assert isinstance(lost.result, InfrastructureError)
    assert "broken off" in lost.result.message
