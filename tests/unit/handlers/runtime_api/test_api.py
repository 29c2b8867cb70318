"""The Runtime API's rules: what each call answers in each state, and what the worker is told."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
import pytest

from handlers.function import RESPONSE_LIMIT_BYTES, FunctionError, Payload, Result
from handlers.runtime_api.api import RuntimeApi, RuntimeState
from handlers.runtime_api.delivery import Delivery
from handlers.runtime_api.requests import Request

if TYPE_CHECKING:
    from handlers.runtime_api.responses import Response
    from handlers.runtime_api.streamed import StreamedResponse

DELIVERY = Delivery(
    request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    invocation_id="0f" * 16,
    deadline_ms=1542409706888,
    function_arn="arn:aws:lambda:us-east-1:000000000000:function:orders",
    trace_id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
    event=b'{"Records":[]}',
)
RESPONSE = f"invocation/{DELIVERY.request_id}/response"
ERROR = f"invocation/{DELIVERY.request_id}/error"


class Line:
    """A client's connection that remembers what it was sent."""

    def __init__(self) -> None:
        self.usable = True
        self.sent: list[tuple[bytes, bytes]] = []
        self.refused: Response | None = None

    def answer(self, head: bytes, body: bytes) -> None:
        self.sent.append((head, body))

    def close(self) -> None:
        self.usable = False

    def respond(self, response: Response) -> None:
        self.refused = response

    def refuse_pending(self, response: Response) -> None:
        self.refused = response


class Told:
    """A worker that remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.results: list[Result] = []
        self.init_error: FunctionError | None = None

    def runtime_ready(self) -> None:
        self.heard.append("ready")

    def runtime_responded(self, result: Result) -> None:
        self.heard.append("responded")
        self.results.append(result)

    def runtime_failed_to_initialise(self, error: FunctionError) -> None:
        self.heard.append("init error")
        self.init_error = error

    def runtime_left(self) -> None:
        self.heard.append("left")

    def runtime_streams(self, response: StreamedResponse) -> None:
        self.heard.append("streams")

    def runtime_broke_off(self) -> None:
        self.heard.append("broke off")


class Runtime:
    """A runtime's client, calling the API."""

    def __init__(self) -> None:
        self.worker = Told()
        self.api = RuntimeApi(self.worker)
        self.line = Line()

    def call(
        self,
        path: str,
        body: bytes = b"",
        *,
        method: str = "POST",
        headers: dict[bytes, bytes] | None = None,
        size: int | None = None,
    ) -> Response | None:
        """One call; ``size`` makes the body one that was too large to keep."""
        request = Request(
            method.encode(), b"/2018-06-01/runtime/" + path.encode(), headers or {}, True, body, len(body)
        )
        if size is not None:
            request.body_size, request.too_large = size, size > RESPONSE_LIMIT_BYTES
        return self.api.handle(request, self.line)

    def next(self) -> Response | None:
        """Ask for an invocation."""
        return self.call("invocation/next", method="GET")

    def running(self) -> Runtime:
        """Bring it to where it has been given an invocation."""
        self.next()
        self.api.deliver(DELIVERY)
        return self


def refused(response: Response | None) -> tuple[int, str]:
    """Status and error type of a refusal, which has AWS's form."""
    assert response is not None
    document = orjson.loads(response.body)
    assert set(document) == {"errorMessage", "errorType"}
    assert document["errorMessage"]
    return response.status.value, document["errorType"]


def test_next_waits_until_there_is_an_invocation() -> None:
    """The long poll is answered by the delivery, with every header that a runtime reads."""
    runtime = Runtime()
    assert runtime.next() is None
    assert runtime.worker.heard == ["ready"]
    assert runtime.api.available
    runtime.api.deliver(DELIVERY)
    ((head, body),) = runtime.line.sent
    assert body == DELIVERY.event
    assert head.decode().split("\r\n") == [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        f"Lambda-Runtime-Aws-Request-Id: {DELIVERY.request_id}",
        "Lambda-Runtime-Deadline-Ms: 1542409706888",
        f"Lambda-Runtime-Invoked-Function-Arn: {DELIVERY.function_arn}",
        f"Lambda-Runtime-Trace-Id: {DELIVERY.trace_id}",
        f"Lambda-Runtime-Invocation-Id: {DELIVERY.invocation_id}",
        "Content-Length: 14",
        "",
        "",
    ]
    assert not runtime.api.available


def test_a_response_is_accepted_byte_for_byte() -> None:
    """202 with AWS's body, and the payload as it came, JSON or not."""
    runtime = Runtime().running()
    response = runtime.call(RESPONSE, b"\xff not json")
    assert response is not None
    assert (response.status, response.body) == (HTTPStatus.ACCEPTED, b'{"status":"OK"}\n')
    assert runtime.worker.results == [Payload(b"\xff not json")]


def test_an_error_becomes_a_function_error_with_its_document() -> None:
    """The document stays as the runtime wrote it."""
    runtime = Runtime().running()
    document = b'{"errorMessage": "no", "errorType": "ValueError", "requestId": "r", "stackTrace": []}'
    runtime.call(ERROR, document)
    assert runtime.worker.results == [FunctionError("ValueError", "no", document)]


@pytest.mark.parametrize(
    ("header", "kept"),
    [("Runtime.Custom", "Runtime.Custom"), ("Function.Bad", "Function.Bad"), ("gibberish!", "Function.Unknown")],
)
def test_an_error_that_is_no_json_is_kept_as_text(header: str, kept: str) -> None:
    """Its type is the header's if Lambda knows its form, else Function.Unknown."""
    runtime = Runtime().running()
    runtime.call(ERROR, b"it {broke", headers={b"lambda-runtime-function-error-type": header.encode()})
    (error,) = runtime.worker.results
    assert isinstance(error, FunctionError)
    assert error.error_type == kept
    assert orjson.loads(error.document) == {"errorMessage": "it {broke", "errorType": kept}


@pytest.mark.parametrize("verb", ["response", "error"])
def test_an_unknown_request_id_is_refused(verb: str) -> None:
    """Nobody can answer an invocation that was not given to them."""
    runtime = Runtime().running()
    assert refused(runtime.call(f"invocation/other/{verb}", b"{}")) == (400, "InvalidRequestID")
    assert runtime.worker.results == []


def test_a_response_before_any_invocation_is_refused() -> None:
    """There is no invocation that it could belong to."""
    assert refused(Runtime().call(RESPONSE, b"{}")) == (400, "InvalidRequestID")


def test_a_late_response_is_refused() -> None:
    """After the timeout, the id is unknown."""
    runtime = Runtime().running()
    runtime.api.abandon()
    assert refused(runtime.call(RESPONSE, b"{}")) == (400, "InvalidRequestID")
    assert runtime.worker.results == []


def test_a_second_response_is_refused() -> None:
    """The first one counts."""
    runtime = Runtime().running()
    runtime.call(RESPONSE, b"1")
    assert refused(runtime.call(RESPONSE, b"2")) == (403, "InvalidStateTransition")
    assert refused(runtime.call(ERROR, b"{}")) == (403, "InvalidStateTransition")
    assert runtime.worker.results == [Payload(b"1")]


def test_a_response_to_the_invocation_before_is_refused() -> None:
    """Once a new invocation runs, the old id is unknown."""
    runtime = Runtime().running()
    runtime.call(RESPONSE, b"1")
    runtime.next()
    runtime.api.deliver(Delivery("second", "i", 0, "arn", "t", b"{}"))
    assert refused(runtime.call(RESPONSE, b"1")) == (400, "InvalidRequestID")


def test_an_echoed_invocation_id_must_be_the_one_that_was_given() -> None:
    """A runtime that echoes the attempt's id is held to it."""
    runtime = Runtime().running()
    header = b"lambda-runtime-invocation-id"
    assert refused(runtime.call(RESPONSE, b"1", headers={header: b"other"})) == (400, "InvalidInvocationId")
    runtime.call(RESPONSE, b"1", headers={header: DELIVERY.invocation_id.encode()})
    assert runtime.worker.results == [Payload(b"1")]


@pytest.mark.parametrize("path", [RESPONSE, ERROR])
def test_a_response_that_is_too_large_fails_the_invocation(path: str) -> None:
    """413 to the runtime, and Lambda's own function error."""
    runtime = Runtime().running()
    assert refused(runtime.call(path, size=7_000_000)) == (413, "RequestEntityTooLarge")
    (error,) = runtime.worker.results
    assert isinstance(error, FunctionError)
    assert error.error_type == "Function.ResponseSizeTooLarge"
    assert error.message == "Response payload size exceeded maximum allowed payload size (6291556 bytes)."


def test_a_response_mode_that_there_is_not_is_refused() -> None:
    """As on Lambda (docs/lambda 8.6): the runtime is told, and the invocation fails."""
    runtime = Runtime().running()
    headers = {b"lambda-runtime-function-response-mode": b"carrier pigeon"}
    assert refused(runtime.call(RESPONSE, b"part", headers=headers)) == (400, "InvalidFunctionResponseMode")
    (error,) = runtime.worker.results
    assert isinstance(error, FunctionError)
    assert error.error_type == "Runtime.InvalidResponseModeHeader"
    assert "'carrier pigeon'" in error.message


def test_an_init_error_is_accepted_once_and_ends_the_runtime() -> None:
    """Its document has an empty request id; no invocation is given to it any more."""
    runtime = Runtime()
    response = runtime.call("init/error", b'{"errorMessage": "m", "errorType": "Runtime.ImportModuleError"}')
    assert response is not None
    assert response.status is HTTPStatus.ACCEPTED
    error = runtime.worker.init_error
    assert error is not None
    assert orjson.loads(error.document) == {
        "errorMessage": "m",
        "errorType": "Runtime.ImportModuleError",
        "requestId": "",
    }
    assert refused(runtime.next()) == (403, "InvalidStateTransition")
    assert refused(runtime.call("init/error", b"{}")) == (403, "InvalidStateTransition")
    assert runtime.worker.heard == ["init error"]


def test_an_init_error_after_initialisation_is_refused() -> None:
    """A runtime that has asked for an invocation is initialised."""
    runtime = Runtime().running()
    assert refused(runtime.call("init/error", b"{}")) == (403, "InvalidStateTransition")


def test_asking_again_gives_the_unanswered_invocation_again() -> None:
    """As AWS does: a client whose connection broke gets the same invocation."""
    runtime = Runtime().running()
    assert runtime.next() is None
    assert [body for _, body in runtime.line.sent] == [DELIVERY.event, DELIVERY.event]
    assert runtime.api.state is RuntimeState.RUNNING


def test_asking_again_after_a_timeout_gives_nothing() -> None:
    """What is over is not handed out again."""
    runtime = Runtime().running()
    runtime.api.abandon()
    assert refused(runtime.next()) == (403, "InvalidStateTransition")


def test_a_second_poll_takes_the_place_of_the_first() -> None:
    """A client that reconnected is served on its new connection."""
    runtime = Runtime()
    runtime.next()
    first, runtime.line = runtime.line, Line()
    runtime.next()
    runtime.api.closed(first)
    runtime.api.deliver(DELIVERY)
    assert not first.usable
    assert first.sent == []
    assert len(runtime.line.sent) == 1


def test_a_poll_whose_connection_is_gone_gets_no_invocation() -> None:
    """The worker is told, so that nothing is delivered into the void."""
    runtime = Runtime()
    runtime.next()
    runtime.line.usable = False
    assert not runtime.api.available
    runtime.api.closed(runtime.line)
    assert runtime.worker.heard == ["ready", "left"]


def test_a_runtime_that_is_stopped_is_told_to_exit() -> None:
    """500, to the poll that waits and to those that come."""
    runtime = Runtime()
    runtime.next()
    runtime.api.close()
    assert not runtime.api.available
    assert refused(runtime.line.refused) == (500, "ContainerError")
    assert refused(runtime.next()) == (500, "ContainerError")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("restore/next", "GET", 404),
        ("restore/error", "POST", 404),
        ("invocation/next", "POST", 405),
        ("init/error", "GET", 405),
        (RESPONSE, "GET", 405),
        (f"invocation/{DELIVERY.request_id}/other", "POST", 404),
        ("../../2020-01-01/extension/register", "POST", 404),
    ],
)
def test_calls_that_do_not_exist_here_are_refused(path: str, method: str, status: int) -> None:
    """SnapStart and extensions do not exist; known calls take one method."""
    assert refused(Runtime().running().call(path, method=method))[0] == status
