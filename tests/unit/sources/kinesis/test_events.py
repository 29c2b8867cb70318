"""Kinesis event records, byte for byte."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.kinesis import events as kinesis
from pollers.sources.kinesis.identity import identity_arn

STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"
CONSUMER = f"{STREAM}/consumer/fast:1548093445"
SHARD = "shardId-000000000006"
NUMBER = "49590338271490256608559692538361571095921575989136588898"


def record(**changed: object) -> dict[str, Any]:
    """A record as GetRecords sends it."""
    return {
        "SequenceNumber": NUMBER,
        "ApproximateArrivalTimestamp": 1545084650.987,
        "Data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
        "PartitionKey": "1",
        "EncryptionType": "KMS",
        **changed,
    }


def encoded(wire: dict[str, Any], arn: str = STREAM) -> bytes:
    """The record's event record."""
    return kinesis.encoder(arn)(SHARD)(wire)


def test_a_record_is_lambdas_to_the_byte() -> None:
    """Members, order, types and spacing of docs/lambda 5.2; no encryptionType."""
    assert encoded(record()) == (
        b'{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1",'
        b'"sequenceNumber":"49590338271490256608559692538361571095921575989136588898",'
        b'"data":"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==","approximateArrivalTimestamp":1545084650.987},'
        b'"eventSource":"aws:kinesis","eventVersion":"1.0",'
        b'"eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898",'
        b'"eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/headrace",'
        b'"awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}'
    )


def test_with_enhanced_fan_out_the_source_is_the_consumer() -> None:
    """The ARN is the one in the mapping; the region is still the stream's."""
    event = json.loads(encoded(record(), CONSUMER))
    assert (event["eventSourceARN"], event["awsRegion"]) == (CONSUMER, "us-east-2")


def test_the_partition_of_the_role_is_the_streams() -> None:
    """GovCloud and China have partitions of their own."""
    assert identity_arn("arn:aws-cn:kinesis:cn-north-1:1:stream/s") == "arn:aws-cn:iam::1:role/headrace"


def test_shards_do_not_mix() -> None:
    """Each shard's encoder names its own shard."""
    of_shard = kinesis.encoder(STREAM)
    first, second = of_shard("shardId-1"), of_shard("shardId-2")
    assert json.loads(first(record()))["eventID"] == f"shardId-1:{NUMBER}"
    assert json.loads(second(record()))["eventID"] == f"shardId-2:{NUMBER}"


@pytest.mark.parametrize("arrival", [1545084650, 1545084650.0, 1545084650.1, 1545084650.987])
def test_the_arrival_time_keeps_the_services_number(arrival: float) -> None:
    """Seconds with whatever fraction came, never rounded and never a string."""
    assert json.loads(encoded(record(ApproximateArrivalTimestamp=arrival)))["kinesis"][
        "approximateArrivalTimestamp"
    ] == pytest.approx(arrival, abs=0)


def test_a_record_without_a_partition_key_has_an_empty_one() -> None:
    """Streams that distribute by themselves send none; no real key is empty, and handlers may index the member."""
    wire = record()
    del wire["PartitionKey"]
    event = json.loads(encoded(wire))
    assert event["kinesis"]["partitionKey"] == ""
    assert list(event["kinesis"]) == list(json.loads(encoded(record()))["kinesis"])


def test_a_record_of_ten_mebibytes_passes_untouched() -> None:
    """The largest record that a stream can be allowed."""
    data = base64.b64encode(bytes(range(256)) * (10 * 1024 * 4)).decode()
    assert json.loads(encoded(record(Data=data)))["kinesis"]["data"] == data


def test_empty_data_stays_empty() -> None:
    """A record of no bytes is a record."""
    assert json.loads(encoded(record(Data="")))["kinesis"]["data"] == ""


@pytest.mark.parametrize("number", ["0", "007", "9" * 129])
def test_sequence_numbers_keep_the_services_spelling(number: str) -> None:
    """Of one digit, with leading zeros, of 129 digits."""
    event = json.loads(encoded(record(SequenceNumber=number)))
    assert event["kinesis"]["sequenceNumber"] == number
    assert event["eventID"] == f"{SHARD}:{number}"


def test_the_record_itself_is_not_altered() -> None:
    """A retry reads it again."""
    wire = record()
    before = json.dumps(wire)
    encoded(wire)
    assert json.dumps(wire) == before


@given(
    key=st.text(st.characters(exclude_categories=()), min_size=1),  # lone surrogates too
    data=st.binary().map(lambda raw: base64.b64encode(raw).decode()),
    number=st.integers(0, 10**128).map(str),
)
def test_any_record_is_valid_json_that_reads_back(key: str, data: str, number: str) -> None:
    """Quotes, control characters, any script, even text that is not Unicode: nothing is lost and nothing breaks out."""
    event = json.loads(encoded(record(PartitionKey=key, Data=data, SequenceNumber=number)))
    assert event["kinesis"]["partitionKey"] == key
    assert event["kinesis"]["data"] == data
    assert event["eventID"] == f"{SHARD}:{number}"
    assert event["eventName"] == "aws:kinesis:record"
