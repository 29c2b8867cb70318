"""What a failure shows of its payload: the payload itself, cut, never the handles around it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import parse_arn
from pollers.sources.dynamodb.kind import DYNAMODB
from pollers.sources.kinesis.kind import KINESIS
from pollers.sources.registry import kinds
from pollers.sources.sqs.events import SqsEncoder
from pollers.sources.sqs.kind import SQS
from pollers.telemetry.payloads import LIMIT_BYTES

ENCODER = SqsEncoder(parse_arn("arn:aws:sqs:us-east-1:000000000000:q"), window_seconds=0)


def encoded(body: str) -> bytes:
    """An SQS record whose handle is longer than all that is kept."""
    return ENCODER.encode({"MessageId": "m-1", "ReceiptHandle": 'secret "body":"no' * 100, "Body": body})


@given(st.text(max_size=1_000))
def test_an_sqs_body_is_shown_as_it_was_sent(body: str) -> None:
    """Quotes, escapes, other scripts: the first bytes of the body, cut anywhere."""
    shown = SQS.shown.first_payload(encoded(body))
    whole = body.encode("utf-8", "replace")
    assert len(shown) <= LIMIT_BYTES
    assert whole.startswith(shown)
    assert len(shown) >= min(len(whole), LIMIT_BYTES // 6 - 16)


def test_the_receipt_handle_is_never_shown() -> None:
    """Who has it can delete the message."""
    assert SQS.shown.first_payload(encoded("hello")) == b"hello"
    assert b"secret" not in SQS.shown.first_payload(encoded(""))


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", b'{"id": 1}', b"x" * 5_000, bytes(range(256))])
def test_kinesis_data_is_shown_decoded(data: bytes) -> None:
    """Base64 is for machines."""
    text = base64.b64encode(data)
    record = b'{"kinesis":{"partitionKey":"\\"data\\":\\"no","data":"' + text + b'","sequenceNumber":"1"}}'
    shown = KINESIS.shown.first_payload(record)
    assert data.startswith(shown)
    assert len(shown) >= min(len(data), LIMIT_BYTES - 3)


def test_a_dynamodb_change_is_shown_as_it_came() -> None:
    """Keys and images, typed."""
    record = b'{"eventID":"1","eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"a"}}},"eventSource":"aws:dynamodb"}'
    assert DYNAMODB.shown.first_payload(record).startswith(b'{"Keys":{"id":{"S":"a"}}}')


def test_a_record_without_its_payload_is_shown_itself() -> None:
    """Cut, like everything."""
    assert [kind.shown.first_payload(b"x" * 1_000) for kind in kinds()] == [b"x" * LIMIT_BYTES] * len(kinds())
