"""Where a reader is in its shard, whatever pages bring: nothing twice, nothing left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.api import StartAt
from pollers.checkpoints.store import TRIM_HORIZON, ShardCheckpoint
from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.streams.place import Place
from tests.unit.sources.streams.tokens import TOKENS

if TYPE_CHECKING:
    from pollers.aws.api import Wire

KINESIS = KinesisSource("arn:aws:kinesis:us-east-1:000000000000:stream/clicks", None)  # type: ignore[arg-type] # never asked
DYNAMODB = DynamoDBSource("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/s", None)  # type: ignore[arg-type] # as above


def click(number: int, arrival: float = 0.0) -> Wire:
    """A Kinesis record."""
    return {"SequenceNumber": f"{number:03}", "PartitionKey": "k", "ApproximateArrivalTimestamp": arrival}


def change(number: int, arrival: int) -> Wire:
    """A DynamoDB record."""
    return {"dynamodb": {"SequenceNumber": str(number), "ApproximateCreationDateTime": arrival}}


def place(source: Any = KINESIS, **kept: Any) -> Place:  # noqa: ANN401 - a checkpoint's own members
    """A place that a checkpoint remembers."""
    return Place(ShardCheckpoint(**kept), source)


def test_reading_is_taken_up_after_the_checkpoint_or_where_it_began() -> None:
    """Once more at the last record where that must come again."""
    assert place().start(once_more=True) == TRIM_HORIZON
    pinned = StartAt("AT_TIMESTAMP", timestamp=5.0)
    assert place(start=pinned).start(once_more=False) == pinned
    kept = place(sequence_number="007", start=pinned)
    assert kept.start(once_more=False) == StartAt("AFTER_SEQUENCE_NUMBER", sequence_number="007")
    assert kept.start(once_more=True) == StartAt("AT_SEQUENCE_NUMBER", sequence_number="007")
    kept.upto = "009"
    assert kept.start(once_more=True) == StartAt("AFTER_SEQUENCE_NUMBER", sequence_number="009")


def test_a_place_that_has_left_the_retention_is_a_gap_once() -> None:
    """Reading goes on at the trim horizon; where nothing was read there is nothing to be trimmed."""
    kept = place(sequence_number="007")
    assert kept.trimmed()
    assert not kept.trimmed()
    assert kept.gap_after == "007"
    assert not kept.anchored
    assert kept.start(once_more=True) == TRIM_HORIZON
    assert not place().trimmed()


@given(st.integers(0, 20), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 8)), max_size=20))
def test_pages_that_overlap_bring_each_record_once(begin: int, pages: list[tuple[int, int]]) -> None:
    """Wherever a reply begins at or below what comes next: the records are those that follow the last one."""
    at = place(sequence_number=f"{begin:03}")
    taken, last = [], begin
    for back, more in pages:
        page = [click(number) for number in range(max(0, last + 1 - back), last + 1 + more)]
        again = at.repeats_last(page)
        assert again == any(record["SequenceNumber"] == at.last for record in page)
        fresh = at.fresh(page)
        taken += [int(record["SequenceNumber"]) for record in fresh]
        if fresh:
            at.upto = at.last = fresh[-1]["SequenceNumber"]
            last = int(fresh[-1]["SequenceNumber"])
    assert taken == list(range(begin + 1, last + 1))


def test_records_from_before_the_starting_time_are_passed_over() -> None:
    """Where the service cannot begin at a time: up to the first that is not older, and never again after it."""
    at = place(DYNAMODB, start=StartAt("AT_TIMESTAMP", timestamp=100.7))
    assert at.start(once_more=False) == TRIM_HORIZON
    assert at.fresh([change(1, 98), change(2, 99)]) == []
    assert at.passed_to == "2"
    assert at.fresh([change(3, 99), change(4, 100), change(5, 99)]) == [change(4, 100), change(5, 99)]
    assert at.passed_to == "3"
    assert at.fresh([change(6, 99)]) == [change(6, 99)]
    assert at.passed_to is None


class TokenStream(KinesisSource):
    """A stream whose positions have no order."""

    positions = TOKENS  # type: ignore[assignment] # another kind of positions


def test_without_an_order_the_last_record_read_shows_where_new_ones_begin() -> None:
    """A page that repeats it begins behind it; one that does not is new as a whole."""
    at = place(TokenStream("arn:aws:kinesis:us-east-1:000000000000:stream/clicks", None), sequence_number="005")  # type: ignore[arg-type] # never asked
    repeated = [click(number) for number in (9, 4, 5, 1, 7)]
    assert at.fresh(repeated) == [click(1), click(7)]
    assert at.fresh([click(5), click(2)]) == [click(2)]
    assert at.fresh([click(3), click(2)]) == [click(3), click(2)]
