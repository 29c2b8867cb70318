"""Where the reader of a shard is: what has been read, where reading is taken up, and which records of a page are new. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.api import StartAt
from pollers.checkpoints.store import TRIM_HORIZON
from pollers.sources.streams.positions import is_after

if TYPE_CHECKING:
    from pollers.aws.api import Wire
    from pollers.checkpoints.store import ShardCheckpoint
    from pollers.sources.streams.source import StreamSource

BEGINNING = "the beginning"


class Place:
    """A place in one shard.

    ``upto``: the sequence number up to which everything has been read. ``last``: that of the last record. ``gap_after``: what was
    after this sequence number has left the retention, and is not known yet to be all of the rest. ``passed_to`` of
    :meth:`fresh`'s last call: the sequence number up to which records were older than the time to begin at.

    Another consumer may have stopped inside of the record at the checkpoint, an aggregate. Then reading begins **at** that record,
    which is looked at, and delivered again as a whole unless the other one was done with all of it: ``repeats_kept``.
    """

    def __init__(self, kept: ShardCheckpoint, source: StreamSource) -> None:
        self.upto = self.last = kept.sequence_number
        self.gap_after: str | None = None
        self.passed_to: str | None = None
        self.repeats_kept = False
        self._stopped_in = kept.user_record
        self._begin = kept.start
        self._source = source
        self._skip_before: float | None = None

    @property
    def unlooked(self) -> bool:
        """Whether the record at the checkpoint is still to be looked at."""
        return self._stopped_in is not None

    def looked(self) -> None:
        """Records have come and are taken care of: the record at the checkpoint was the first of them, or is gone."""
        self._stopped_in = None

    @property
    def position(self) -> str | None:
        """What follows this has not been read: the last position that was, or the one that reading began behind."""
        return self._begin.sequence_number if self.upto is None else self.upto

    @property
    def anchored(self) -> bool:
        """Whether the last record read is known and can be read again: it must come before an end is believed."""
        return self.last is not None and self.last == self.upto and self.gap_after is None

    def start(self, *, once_more: bool) -> StartAt:
        """Where to read on. ``once_more``: at the last record, while it is looked into whether the shard has ended."""
        if self.gap_after is not None:
            return TRIM_HORIZON
        if (once_more or self.unlooked) and self.anchored:
            return StartAt("AT_SEQUENCE_NUMBER", sequence_number=self.last)
        if self.upto is not None:
            return StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=self.upto)
        begin = self._begin
        if begin.kind == "AT_TIMESTAMP" and not self._source.starts_at_timestamps:
            self._skip_before = None if begin.timestamp is None else begin.timestamp // 1
            return TRIM_HORIZON
        return begin

    def trimmed(self) -> bool:
        """The place has left the retention; whether that was not known yet, and reading goes on at the trim horizon."""
        if self.unlooked:
            self.looked()  # perhaps no more than the record itself has gone: what follows it is asked for next
            return True
        if self.gap_after is not None or self.position is None:
            return False
        self.gap_after = self.position
        return True

    def repeats_last(self, records: list[Wire]) -> bool:
        """Whether the last record read is among these."""
        return self.last is not None and bool(records) and self.last in self._source.sequence_numbers(records)

    def fresh(self, records: list[Wire]) -> list[Wire]:
        """The records without those read before (a reply that overlaps the last one) or from before the starting time."""
        self.passed_to = None
        if not records:
            return records
        numbered = self._source.sequence_numbers
        if self._stopped_in is not None and (again := self._again(records, numbered(records), self._stopped_in)):
            return again
        if self.last is not None and not is_after(self._source.positions, numbered(records[:1])[0], self.last):
            records = self._following(records, numbered(records), self.last)
        if self._skip_before is not None and records:
            records = self._skip(records, self._skip_before)
        return records

    def _again(self, records: list[Wire], numbers: list[str], stopped_in: int) -> list[Wire]:
        """The records from the one at the checkpoint on, where that is an aggregate with user records that are not done."""
        if self.last not in numbers:
            return []
        at = numbers.index(self.last)
        count = self._source.user_records(records[at : at + 1]).get(0, 0)
        self.repeats_kept = count > stopped_in + 1
        return records[at:] if self.repeats_kept else []

    def _following(self, records: list[Wire], numbers: list[str], last: str) -> list[Wire]:
        """The records that follow the last one read. Where positions have no order, that one itself shows where they begin."""
        positions = self._source.positions
        if not positions.ordered:
            return records[numbers.index(last) + 1 :] if last in numbers else records
        return [
            record
            for record, number in zip(records, numbers, strict=True)
            if is_after(positions, number, last) is not False
        ]

    def _skip(self, records: list[Wire], before: float) -> list[Wire]:
        """Pass over records that are older than the starting time, up to the first that is not."""
        arrivals = self._source.arrivals(records, before)
        first = next((index for index, arrival in enumerate(arrivals) if arrival >= before), len(records))
        if first:
            self.passed_to = self._source.sequence_numbers(records[first - 1 : first])[0]
        if first < len(records):
            self._skip_before = None
        return records[first:]
