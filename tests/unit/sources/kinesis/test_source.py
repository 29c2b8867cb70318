"""What Kinesis does in its own way, record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pollers.sources.kinesis.source import KinesisSource
from tests.worlds.memory_streams import MemoryStream

if TYPE_CHECKING:
    from pollers.sources.streams.source import StreamSource

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"


def kinesis(arn: str = ARN) -> KinesisSource:
    """A source that nothing is asked of."""
    return KinesisSource(arn, None)  # type: ignore[arg-type]


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


def test_kinesis_is_a_stream_source() -> None:
    """The engine knows nothing else of it, and the stream in memory is all that it needs."""
    source: StreamSource = kinesis()
    assert source.starts_at_timestamps
    assert source.batch_info.member == "KinesisBatchInfo"
    stream = MemoryStream("kinesis", lambda: 0.0)
    assert KinesisSource(stream.arn, stream).arn == stream.arn
