"""What becomes of a page's records before they are queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.api import StreamDescription
from pollers.checkpoints.store import LanesDone
from pollers.clocks.service import ServiceClock
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.streams.current_stream import CurrentStream
from pollers.sources.streams.done_ahead import DoneAhead
from pollers.sources.streams.intake import ENCODED_AT_ONCE, Intake
from pollers.sources.streams.positions import SEQUENCE_NUMBERS
from tests.worlds import virtual_time
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pollers.aws.api import Wire
    from pollers.sources.streams.intake import RecordMatcher

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"


class Clicks(KinesisSource):
    """A stream that nothing is asked of."""

    service_clock = ServiceClock()

    def __init__(self) -> None:
        super().__init__(ARN, None)  # type: ignore[arg-type] # never asked


class Odd:
    """Takes records of odd numbers."""

    def matches(self, record: Wire) -> bool:
        """See ``RecordMatcher``."""
        return int(record["SequenceNumber"]) % 2 == 1


def click(number: int) -> Wire:
    """A record."""
    return {"SequenceNumber": str(number), "PartitionKey": "k", "Data": "aGk=", "ApproximateArrivalTimestamp": 1.0}


def intake(record_filter: RecordMatcher | None = None, *done: LanesDone) -> Intake:
    """The intake of one shard."""
    stream = CurrentStream(Clicks(), StreamDescription(ARN, "identity", "ACTIVE"), VirtualClock())
    return Intake("shard", stream, DoneAhead(done, SEQUENCE_NUMBERS), record_filter)


@virtual_time.test
async def test_all_records_are_taken_where_there_is_no_filter() -> None:
    """Their columns line up, from the page's first offset on, also when they are encoded in several turns."""
    count = ENCODED_AT_ONCE + 2
    taken = await intake().take([click(number) for number in range(count)])
    assert taken is not None
    records = taken.records(100)
    assert records.offsets == list(range(100, 100 + count))
    assert records.sequence_numbers == [str(number) for number in range(count)]
    assert len(records.events) == len(records.arrivals) == count
    assert (list(taken.rejected), taken.filtered) == ([], [])


@virtual_time.test
async def test_what_a_filter_rejects_is_named_and_not_encoded() -> None:
    """The others keep their own offsets."""
    taken = await intake(Odd()).take([click(number) for number in (1, 2, 3, 4)])
    assert taken is not None
    records = taken.records(10)
    assert (records.offsets, records.sequence_numbers, len(records.events)) == ([10, 12], ["1", "3"], 2)
    assert (list(taken.rejected), taken.filtered) == ([1, 3], ["2", "4"])


@virtual_time.test
async def test_what_an_earlier_run_had_done_is_left_out() -> None:
    """A page of nothing else is none."""
    one = intake(None, LanesDone(("3", "3")))
    assert await one.take([click(2), click(3)]) is None
    taken = await one.take([click(3), click(4)])
    assert taken is not None
    assert taken.sequence_numbers == ["4"]
