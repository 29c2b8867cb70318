"""What replies mean, by example and for any body."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from handlers.remote.body import RETRY_AFTER_LIMIT_SECONDS, retry_after_seconds, service_time
from handlers.remote.replies import Reply, result_of

NOW = 1_700_000_000.0
PYTHON_ERROR = (
    b'{"errorMessage": "no such order", "errorType": "ValueError", "requestId": "38925354", '
    b'"stackTrace": ["  File \\"/tmp/app.py\\", line 4, in handler\\n"]}'
)
NODE_ERROR = (
    b'{"errorType":"TypeError","errorMessage":"x is not a function","trace":["TypeError: x is not a function"]}'
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def of_service(status: int, body: bytes = b"", retry_after: str | None = None) -> object:
    return result_of(Reply(status, "Reason", retry_after, body), False, "r-1", NOW)


def of_emulator(status: int, body: bytes) -> object:
    return result_of(Reply(status, "Bad Gateway", None, body), True, "r-1", NOW)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    """The body is the answer."""
    assert of_service(status, b'{"batchItemFailures":[]}') == Payload(b'{"batchItemFailures":[]}')


def test_no_body_is_null() -> None:
    """As a function that returns nothing."""
    assert of_service(204) == Payload(b"null")


@pytest.mark.parametrize("body", [PYTHON_ERROR, b"Task timed out after 3.00 seconds"])
def test_a_web_service_s_answer_is_never_taken_for_an_emulator_s_error(body: bytes) -> None:
    """It has status codes for that."""
    assert of_service(200, body) == Payload(body)


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [(None, None), ("3", 3.0), ("nonsense", None), ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0)]
)
def test_429_is_a_throttle(retry_after: str | None, seconds: float | None) -> None:
    """With the time to wait where one is given, in seconds or as a date."""
    result = of_service(429, b"slow down", retry_after)

    assert result == Throttle("HTTP 429 Reason: slow down", seconds)


def test_503_with_retry_after_is_a_throttle() -> None:
    """The service is there and says when."""
    assert of_service(503, b"", "10") == Throttle("HTTP 503 Reason", 10.0)


def test_503_without_is_an_infrastructure_error() -> None:
    """No service stood behind the address: it did not run."""
    assert of_service(503, b"no healthy upstream") == InfrastructureError("HTTP 503 Reason: no healthy upstream")


@pytest.mark.parametrize("status", [300, 301, 304, 400, 401, 403, 404, 409, 413, 418, 422, 500, 501, 502, 504])
def test_other_codes_are_function_errors(status: int) -> None:
    """With a document that tells the status and the beginning of the body."""
    result = of_service(status, b"because " * 1000)

    assert isinstance(result, FunctionError)
    assert result.error_type == f"HTTP.{status}"
    assert result.message.startswith(f"HTTP {status} Reason: because")
    assert len(result.message) < 1100
    assert json.loads(result.document)["requestId"] == "r-1"


def test_a_service_s_own_error_document_is_kept() -> None:
    """Byte for byte, when it has Lambda's form."""
    assert of_service(500, PYTHON_ERROR) == FunctionError("ValueError", "no such order", PYTHON_ERROR)


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [(PYTHON_ERROR, "ValueError", "no such order"), (NODE_ERROR, "TypeError", "x is not a function")],
)
def test_an_emulator_reports_errors_as_200(body: bytes, kind: str, message: str) -> None:
    """They are known by their members."""
    assert of_emulator(200, body) == FunctionError(kind, message, body)


@pytest.mark.parametrize("seconds", ["1.00", "300.00"])
def test_an_emulator_reports_timeouts_as_text(seconds: str) -> None:
    """No JSON answer reads like that: a string would have quotes."""
    result = of_emulator(200, f"Task timed out after {seconds} seconds".encode())

    assert isinstance(result, FunctionError)
    assert result.error_type == "Sandbox.Timedout"
    assert result.message == f"RequestId: r-1 Error: Task timed out after {seconds} seconds"


@pytest.mark.parametrize("status", [502, 504])
def test_an_emulator_reports_crashes_as_502(status: int) -> None:
    """With Lambda's document."""
    body = b'{"errorType":"Runtime.ExitError","errorMessage":"RequestId: x Error: Runtime exited with error: exit status 3"}'
    assert of_emulator(status, body) == FunctionError(
        "Runtime.ExitError", "RequestId: x Error: Runtime exited with error: exit status 3", body
    )


def test_an_emulator_s_crash_without_a_document_is_still_a_function_error() -> None:
    """Whatever its body says."""
    result = of_emulator(502, b"")

    assert isinstance(result, FunctionError)
    assert result.error_type == "HTTP.502"


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"{}",
        b'{"batchItemFailures":[{"itemIdentifier":"errorType errorMessage"}]}',
        b'{"errorType":"a","errorMessage":"b","result":1}',
        b'{"errorType":"a","errorMessage":null}',
        b'["errorType","errorMessage"]',
        b'"Task timed out after 1.00 seconds"',
        b'{"errorType" "errorMessage" not JSON',
    ],
)
def test_an_answer_that_resembles_an_error_is_an_answer(body: bytes) -> None:
    """Only a runtime client's own members, and no others, make an error."""
    assert of_emulator(200, body) == Payload(body)


@given(json_values)
def test_any_answer_of_a_function_comes_through_an_emulator(value: object) -> None:
    """Byte for byte."""
    body = json.dumps(value).encode()
    if not (isinstance(value, dict) and "errorType" in value):
        assert of_emulator(200, body) == Payload(body)


@given(st.integers(100, 599), st.binary(), st.none() | st.text())
def test_any_reply_has_one_result(status: int, body: bytes, retry_after: str | None) -> None:
    """No reply raises, and every error has a JSON document."""
    for emulator in (True, False):
        result = result_of(Reply(status, "", retry_after, body), emulator, "r", NOW)
        if isinstance(result, FunctionError):
            assert json.loads(result.document)["errorType"] == result.error_type


def test_a_moment_is_held_against_the_services_own_clock() -> None:
    """This machine's may be an hour off: the wait would be an hour, or none."""
    told = service_time("Tue, 14 Nov 2023 22:13:20 GMT", 0.0)

    assert told == 1_700_000_000
    assert retry_after_seconds("Tue, 14 Nov 2023 22:13:25 GMT", told) == 5.0


@given(st.none() | st.text() | st.integers())
def test_a_date_that_is_none_leaves_this_machines_clock(date: object) -> None:
    """No reply raises."""
    assert service_time(date, 7.0) == 7.0


@given(st.none() | st.text() | st.floats().map(str) | st.integers().map(str))
def test_retry_after_is_bounded(value: str | None) -> None:
    """Whatever a service sends."""
    seconds = retry_after_seconds(value, NOW)

    assert seconds is None or 0 <= seconds <= RETRY_AFTER_LIMIT_SECONDS
