"""The record of an asynchronous invocation."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.destinations import Condition
from pollers.destinations.invocation_record import InvocationRecord, is_json, trace_header
from pollers.telemetry.trace_headers import parsed
from tests.unit.destinations.ends import ERROR, FUNCTION, REQUEST_ID, ended


def record(*arguments: Condition, **given: object) -> dict[str, object]:
    """The record's members."""
    found: dict[str, object] = json.loads(InvocationRecord(ended(*arguments, **given)).encode())  # type: ignore[arg-type]
    return found


def test_the_record_of_a_failure_is_lambdas() -> None:
    """AWS's own, as it was recorded (docs/lambda 12.5): member for member and in its order."""
    assert InvocationRecord(ended()).encode().decode() == (
        '{"version":"1.0","timestamp":"2025-11-24T23:14:10.568Z",'
        f'"requestContext":{{"requestId":"{REQUEST_ID}","functionArn":"{FUNCTION}:$LATEST",'
        '"condition":"RetriesExhausted","approximateInvokeCount":3},'
        '"requestPayload":{"raise_error":1},'
        '"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        f'"responsePayload":{ERROR.decode()}}}'
    )


def test_the_record_of_a_success_has_the_result_and_no_function_error() -> None:
    """docs/lambda 12.6."""
    found = record(Condition.SUCCESS, count=1, response=b'{"sum":3}')
    assert found["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert found["responsePayload"] == {"sum": 3}


@pytest.mark.parametrize("condition", [Condition.ZERO_RESERVED_CONCURRENCY, Condition.EVENT_AGE_EXCEEDED])
def test_what_never_ran_has_neither_member_of_a_response(condition: Condition) -> None:
    """And a count of 0."""
    found = record(condition, count=0, response=None)
    assert list(found) == ["version", "timestamp", "requestContext", "requestPayload"]
    assert found["requestContext"] == {
        "requestId": REQUEST_ID,
        "functionArn": f"{FUNCTION}:$LATEST",
        "condition": condition.value,
        "approximateInvokeCount": 0,
    }


def test_what_aged_out_after_it_ran_has_the_last_answer() -> None:
    """docs/lambda 12.6."""
    found = record(Condition.EVENT_AGE_EXCEEDED, count=1)
    assert found["responsePayload"] == json.loads(ERROR)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"plain text",
        b"{",
        b"[1] 2",
        b"NaN",
        b"[1,]",
        b"\xff\xfe",
        b'"\xff"',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_an_answer_that_is_no_json_is_a_text(response: bytes) -> None:
    """A runtime may answer anything; the record stays JSON."""
    assert record(Condition.SUCCESS, response=response)["responsePayload"] == response.decode("utf-8", "replace")


@pytest.mark.parametrize(
    "written",
    [
        b"null",
        b' {"a" : 1.0} ',
        b"123456789012345678901234567890",
        b'{"a":1,"a":2}',
        rb'"\ud800"',
        b"1e999",
        '"\u00e9\U0001f600"'.encode(),
    ],
)
def test_payloads_keep_their_text(written: bytes) -> None:
    """Blanks, long numbers, members that come twice, escapes: what the function got and gave is what is told."""
    encoded = InvocationRecord(ended(Condition.SUCCESS, payload=written, response=written)).encode()
    assert b'"requestPayload":' + written in encoded
    assert encoded.endswith(b'"responsePayload":' + written + b"}")


def test_characters_that_queues_refuse_are_escaped() -> None:
    """JSON allows U+FFFE and U+FFFF as they are, SQS does not: the value is the same."""
    text = json.dumps("\ufffe \uffff", ensure_ascii=False).encode()
    encoded = InvocationRecord(ended(Condition.SUCCESS, payload=text, response=text)).encode()
    assert rb'"\ufffe \uffff"' in encoded
    assert json.loads(encoded)["responsePayload"] == "\ufffe \uffff"
    assert "\ufffe" not in encoded.decode()


@given(st.binary(max_size=30) | st.text(max_size=20).map(str.encode))
def test_every_record_is_json(response: bytes) -> None:
    """Whatever the function answers."""
    assert record(Condition.SUCCESS, response=response)["version"] == "1.0"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists, max_leaves=8
    )
)
def test_what_is_json_is_known_as_such(value: object) -> None:
    """As Python's parser reads it."""
    assert is_json(json.dumps(value).encode())


def test_a_queues_message_has_a_trace_header_that_stays() -> None:
    """In X-Ray's form, the same for each delivery of an event and another for another event."""
    header = trace_header(ended().event)
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", header)
    assert parsed(header) is not None
    message = InvocationRecord(ended()).message()
    assert message.trace_header == header
    assert trace_header(ended(request_id="another").event) != header


def test_the_key_of_an_object_is_lambdas() -> None:
    """By the function and the time of the end; the same for each delivery of a record, another for another record."""
    key = InvocationRecord(ended()).object_key()
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(rf"aws/lambda/async/orders/2025/11/24/2025-11-24T23\.14\.10-{uuid}", key)
    assert InvocationRecord(ended()).object_key() == key
    assert InvocationRecord(ended(request_id="another")).object_key() != key
