"""Filters on Kinesis records, as Kinesis sends them (docs/lambda 6.4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.filtering.mappings import (
    filter_of,
    kinesis,
    stream_record,
)


def test_pattern_addresses_inner_members_at_the_top() -> None:
    """partitionKey and data stand at the top of the pattern, not under kinesis."""
    record = stream_record({"order": {"type": "buy"}})
    assert filter_of(kinesis({"partitionKey": ["1"], "data": {"order": {"type": ["buy"]}}})).matches(record)
    assert not filter_of(kinesis({"kinesis": {"partitionKey": ["1"]}})).matches(record)
    assert not filter_of(kinesis({"partitionKey": ["2"], "data": {"order": {"type": ["buy"]}}})).matches(record)


@pytest.mark.parametrize(
    "pattern",
    [
        {"sequenceNumber": [{"prefix": "4959"}]},
        {"approximateArrivalTimestamp": [{"numeric": [">", 1545084650, "<", 1545084651]}]},
        {"approximateArrivalTimestamp": [1545084650.987]},
        {"kinesisSchemaVersion": ["1.0"], "eventVersion": ["1.0"], "eventSource": ["aws:kinesis"]},
        {
            "eventName": ["aws:kinesis:record"],
            "awsRegion": ["us-east-2"],
            "eventSourceARN": [{"suffix": "/lambda-stream"}],
        },
        {"invokeIdentityArn": [{"prefix": "arn:aws:iam::123456789012:role/"}]},
    ],
)
def test_metadata(pattern: dict[str, Any]) -> None:
    """The members of the event record are there."""
    assert filter_of(kinesis(pattern)).matches(stream_record({}))


def test_record_without_partition_key_has_an_empty_one() -> None:
    """As its event record has."""
    record = stream_record({})
    del record["PartitionKey"]
    assert filter_of(kinesis({"partitionKey": [""]})).matches(record)


@pytest.mark.parametrize("data", [b"plain", b"\xff\xfe", b"", b'{"a": ', b'{"a": "\xff"}', '{"x": 1}'.encode("utf-16")])
def test_data_that_is_no_json_is_dropped_by_a_data_pattern(data: bytes) -> None:
    """Whatever the pattern asks of the data; without one, metadata decides."""
    record = stream_record(data)
    assert not filter_of(kinesis({"data": {"x": [{"exists": False}]}})).matches(record)
    assert not filter_of(kinesis({"data": {"x": [1]}})).matches(record)
    assert filter_of(kinesis({"partitionKey": ["1"]})).matches(record)


@pytest.mark.parametrize("data", ["!", None, 5, "\u00e9"])
def test_data_that_is_no_base64_is_no_json(data: Any) -> None:  # noqa: ANN401
    """A record that no service would send is judged, not crashed on."""
    record = {**stream_record({}), "Data": data}
    assert not filter_of(kinesis({"data": {"x": [{"exists": False}]}})).matches(record)


def test_data_may_be_any_json() -> None:
    """A JSON array of objects is looked into."""
    wanted = filter_of(kinesis({"data": {"x": [1], "y": [2]}}))
    assert wanted.matches(stream_record([{"x": 0}, {"x": 1, "y": 2}]))
    assert not wanted.matches(stream_record([{"x": 1}, {"y": 2}]))


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=20), st.text('{}[]":,type1', max_size=40).map(str.encode)))
def test_any_bytes_are_judged(data: bytes) -> None:
    """Nor do any bytes of a stream."""
    wanted, record = filter_of(kinesis({"data": {"type": [{"exists": False}]}})), stream_record(data)
    assert wanted.matches(record) is (wanted.explain(record) == [])
