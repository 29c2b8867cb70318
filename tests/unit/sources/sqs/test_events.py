"""SQS messages as Lambda's event records (docs/lambda 5.1)."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import parse_arn
from pollers.sources.sqs.events import SqsEncoder

ARN = parse_arn("arn:aws:sqs:us-east-2:123456789012:my-queue")


def wire(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any member of a message
    """A message as ReceiveMessage returns it."""
    message: dict[str, Any] = {
        "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "ReceiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
        "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "Body": "Test message.",
        "Attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
    }
    return message | changes


def encoded(message: dict[str, Any], window_seconds: float = 0) -> bytes:
    return SqsEncoder(ARN, window_seconds=window_seconds).encode(message)


def test_the_record_is_aws_to_the_byte() -> None:
    """Every member of the documented example, in AWS's order."""
    attributes = {"myAttribute": {"StringValue": "myValue", "DataType": "String"}}
    record = encoded(wire(MessageAttributes=attributes, MD5OfMessageAttributes="d25a6aea97eb8f585bfa92d314504a92"))

    assert record == (
        b'{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d",'
        b'"receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",'
        b'"body":"Test message.",'
        b'"attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183",'
        b'"SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"1545082649185"},'
        b'"messageAttributes":{"myAttribute":{"stringValue":"myValue","stringListValues":[],"binaryListValues":[],'
        b'"dataType":"String"}},'
        b'"md5OfMessageAttributes":"d25a6aea97eb8f585bfa92d314504a92",'
        b'"md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3",'
        b'"eventSource":"aws:sqs",'
        b'"eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:my-queue",'
        b'"awsRegion":"us-east-2"}'
    )


@pytest.mark.parametrize("attributes", [{}, {"MessageAttributes": {}}, {"MessageAttributes": None}])
def test_without_attributes_the_digest_is_absent_or_null_by_the_window(attributes: dict[str, Any]) -> None:
    """Recorded on AWS: absent when the window is 0, null when one is set."""
    without = json.loads(encoded(wire(**attributes)))
    windowed = json.loads(encoded(wire(**attributes), window_seconds=1))

    assert "md5OfMessageAttributes" not in without
    assert windowed["md5OfMessageAttributes"] is None
    assert list(windowed)[5] == "md5OfMessageAttributes"
    assert without["messageAttributes"] == windowed["messageAttributes"] == {}


def test_a_binary_attribute_is_the_base64_that_sqs_sent() -> None:
    """Untouched, also when it is not UTF-8 underneath; no stringValue."""
    attributes = {"raw": {"BinaryValue": "//79/A==", "DataType": "Binary.custom"}}

    record = json.loads(encoded(wire(MessageAttributes=attributes, MD5OfMessageAttributes="x")))

    assert record["messageAttributes"]["raw"] == {
        "binaryValue": "//79/A==",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "Binary.custom",
    }


def test_fifo_and_other_system_attributes_pass_through() -> None:
    """SequenceNumber, MessageGroupId, MessageDeduplicationId, AWSTraceHeader, DeadLetterQueueSourceArn."""
    attributes = {
        "ApproximateReceiveCount": "2",
        "SequenceNumber": "18849496460467696128",
        "MessageGroupId": "g",
        "MessageDeduplicationId": "d",
        "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
        "DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-2:123456789012:other",
    }

    assert json.loads(encoded(wire(Attributes=attributes)))["attributes"] == attributes


def test_attributes_are_strings_also_where_an_emulator_sends_numbers() -> None:
    """Counters too."""
    record = json.loads(encoded(wire(Attributes={"ApproximateReceiveCount": 3, "SentTimestamp": "1"})))

    assert record["attributes"] == {"ApproximateReceiveCount": "3", "SentTimestamp": "1"}


def test_the_message_that_came_is_not_altered() -> None:
    """The filter sees it as the service sent it."""
    message = wire(MessageAttributes={"a": {"StringValue": "b", "DataType": "String"}}, MD5OfMessageAttributes="x")
    before = orjson.dumps(message)

    encoded(message)

    assert orjson.dumps(message) == before


@given(st.text())
def test_any_body_passes_unchanged(body: str) -> None:
    """Including control characters, line separators and what JSON would write otherwise."""
    assert json.loads(encoded(wire(Body=body)))["body"] == body


@given(st.text(alphabet=st.characters(categories=["Cs", "Ll", "Cc", "So"]), min_size=1))
def test_lone_surrogates_survive(body: str) -> None:
    """They cannot be UTF-8, so they stay escapes; everything else stays UTF-8."""
    record = encoded(wire(Body=body))

    assert json.loads(record.decode("utf-8"))["body"].encode("utf-16", "surrogatepass") == body.encode(
        "utf-16", "surrogatepass"
    )


def test_text_beyond_ascii_is_utf8() -> None:
    """Not escaped: the event weighs what it says."""
    assert "é\U0001f600".encode() in encoded(wire(Body="é\U0001f600"))
    assert "é".encode() in encoded(wire(Body="é\ud800"))


def test_a_body_of_control_characters_grows_sixfold() -> None:
    """Which is why one message alone may be too large for an event."""
    assert len(encoded(wire(Body="\x01" * 1_000))) > 6_000
