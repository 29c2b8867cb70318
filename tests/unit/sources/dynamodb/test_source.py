"""What DynamoDB Streams does in its own way, record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pollers.sources.dynamodb.source import DynamoDBSource
from tests.worlds.memory_streams import MemoryStream

if TYPE_CHECKING:
    from pollers.sources.streams.source import StreamSource

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-01-01T00:00:00.000"


def dynamodb() -> DynamoDBSource:
    """A source that nothing is asked of."""
    return DynamoDBSource(TABLE, None)  # type: ignore[arg-type]


def change(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A stream record of a table."""
    return {
        "eventID": "e",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "dynamodb": {"SequenceNumber": "0007", **members},
    }


def test_the_columns_of_dynamodb_records() -> None:
    """The number and the time are the change's."""
    records = [change(ApproximateCreationDateTime=1_480_642_020), change()]
    assert dynamodb().sequence_numbers(records) == ["0007", "0007"]
    assert dynamodb().arrivals(records, 9.0) == [1_480_642_020, 9.0]


def test_an_items_key_is_the_same_in_whatever_order_its_attributes_come() -> None:
    """Partition and sort key together decide the lane."""
    one = change(Keys={"id": {"S": "x"}, "at": {"N": "1"}})
    same = change(Keys={"at": {"N": "1"}, "id": {"S": "x"}})
    other = change(Keys={"at": {"N": "2"}, "id": {"S": "x"}})
    keys = dynamodb().keys([one, same, other])
    assert keys[0] == keys[1] != keys[2]


def test_a_change_without_keys_is_spread_by_its_sequence_number() -> None:
    """It has no item to keep the order of."""
    assert dynamodb().keys([change()]) == [b'"0007"']


def test_a_key_that_is_not_unicode_has_a_lane() -> None:
    """The fast encoder refuses lone surrogates."""
    assert dynamodb().keys([change(Keys={"id": {"S": "\ud800"}})]) == [b'{"id": {"S": "\\ud800"}}']


def test_dynamodb_streams_cannot_be_subscribed_to() -> None:
    """There is no enhanced fan-out."""
    with pytest.raises(NotImplementedError):
        dynamodb().subscribe("shard", None)  # type: ignore[arg-type]


def test_dynamodb_streams_is_a_stream_source() -> None:
    """The engine knows nothing else of it, and the stream in memory is all that it needs."""
    source: StreamSource = dynamodb()
    assert not source.starts_at_timestamps
    assert source.batch_info.member == "DDBStreamBatchInfo"
    assert DynamoDBSource(TABLE, MemoryStream("dynamodb", lambda: 0.0)).arn == TABLE
