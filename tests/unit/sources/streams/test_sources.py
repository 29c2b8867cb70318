"""What Kinesis and DynamoDB Streams do differently, record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis.source import KinesisSource
from tests.worlds.memory_streams import MemoryStream

if TYPE_CHECKING:
    from pollers.sources.streams.source import StreamSource

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-01-01T00:00:00.000"


def kinesis(arn: str = ARN) -> KinesisSource:
    """A source that nothing is asked of."""
    return KinesisSource(arn, None)  # type: ignore[arg-type]


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


def test_both_are_stream_sources() -> None:
    """The engine knows nothing else of them."""
    sources: list[StreamSource] = [kinesis(), dynamodb()]
    assert [source.batch_info.member for source in sources] == ["KinesisBatchInfo", "DDBStreamBatchInfo"]


def test_a_consumers_arn_means_enhanced_fan_out() -> None:
    """The stream's own ARN is in front of it; events name the consumer's."""
    source = kinesis(ARN + "/consumer/fast:1700000000")
    assert source.fan_out
    assert source.stream_arn == ARN
    record = {"SequenceNumber": "1", "PartitionKey": "k", "Data": "aGk=", "ApproximateArrivalTimestamp": 1.5}
    assert orjson.loads(source.encoder("shard")([record])[0])["eventSourceARN"] == source.arn
    assert not kinesis().fan_out


def test_the_columns_of_kinesis_records() -> None:
    """As the service spells them; a record without an arrival time has arrived now."""
    records: list[dict[str, Any]] = [
        {"SequenceNumber": "0012", "PartitionKey": "a", "ApproximateArrivalTimestamp": 1.25},
        {"SequenceNumber": "13", "PartitionKey": "b"},
    ]
    assert kinesis().sequence_numbers(records) == ["0012", "13"]
    assert kinesis().arrivals(records, 9.0) == [1.25, 9.0]
    assert kinesis().keys(records) == [b"a", b"b"]


@pytest.mark.parametrize("missing", [{}, {"PartitionKey": None}, {"PartitionKey": ""}])
def test_a_record_without_a_partition_key_is_spread_by_its_sequence_number(missing: dict[str, Any]) -> None:
    """It has no order to keep (4.1), and its neighbours keep their lanes."""
    records = [{"SequenceNumber": "7", **missing}, {"SequenceNumber": "8", "PartitionKey": "a"}]
    keys = kinesis().keys(records)
    assert keys[1] == b"a"
    assert keys[0] in (b"7", b"")


def test_a_partition_key_that_is_not_unicode_has_a_lane() -> None:
    """JSON can spell it."""
    keys = kinesis().keys(
        [{"SequenceNumber": "7", "PartitionKey": "\ud800"}, {"SequenceNumber": "8", "PartitionKey": "a"}]
    )
    assert len(keys[0]) == 3
    assert keys[1] == b"a"


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


def test_the_in_memory_streams_are_what_the_sources_need() -> None:
    """Both protocols, by structure."""
    stream = MemoryStream("kinesis", lambda: 0.0)
    assert KinesisSource(stream.arn, stream).arn == stream.arn
    assert DynamoDBSource(TABLE, stream).arn == TABLE
