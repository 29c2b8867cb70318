"""Records that a shard's poller holds, as columns: what costs little for each record at 100,000 records a second.

A shard has ``parallelization_factor`` lanes. A record's lane is ``crc32(key) % factor``: the same key always meets the same
lane, in every process and version, and each lane works in order (docs/lambda 4.1, 10.2). The key is the partition key
(Kinesis) or the item's key (DynamoDB).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD_OVERHEAD_BYTES = 400
"""What holding a record costs besides its encoded event: its sequence number, numbers and list places, generously."""


@dataclass(slots=True)
class Records:
    """Records in the order of their shard; the columns line up.

    ``offsets`` count the records that this poller has read from the shard, from 0. ``events`` are encoded Lambda event
    records. ``arrivals`` are seconds since the epoch. Nobody changes a column of records that were handed over.
    """

    offsets: list[int] = field(default_factory=list)
    sequence_numbers: list[str] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    _events_bytes: int | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def events_bytes(self) -> int:
        """The length of all encoded events."""
        if self._events_bytes is None:
            self._events_bytes = sum(map(len, self.events))
        return self._events_bytes

    @property
    def size_bytes(self) -> int:
        """What holding these records costs, about."""
        return self.events_bytes + RECORD_OVERHEAD_BYTES * len(self.offsets)

    def part(self, start: int, stop: int | None = None) -> Records:
        """The records from index ``start`` up to ``stop``."""
        return Records(
            self.offsets[start:stop],
            self.sequence_numbers[start:stop],
            self.events[start:stop],
            self.arrivals[start:stop],
        )

    def extend(self, more: Records) -> None:
        """Add records that follow these."""
        self.offsets += more.offsets
        self.sequence_numbers += more.sequence_numbers
        self.events += more.events
        self.arrivals += more.arrivals
        self._events_bytes = None

    def drop(self, count: int) -> None:
        """Forget the first ``count`` records."""
        del self.offsets[:count]
        del self.sequence_numbers[:count]
        del self.events[:count]
        del self.arrivals[:count]
        self._events_bytes = None

    def at(self, indices: Sequence[int]) -> Records:
        """The records at these indices."""
        return Records(
            list(map(self.offsets.__getitem__, indices)),
            list(map(self.sequence_numbers.__getitem__, indices)),
            list(map(self.events.__getitem__, indices)),
            list(map(self.arrivals.__getitem__, indices)),
        )

    def chosen(self, choice: Sequence[object]) -> Records:
        """The records whose place in ``choice`` is true."""
        return Records(
            list(compress(self.offsets, choice)),
            list(compress(self.sequence_numbers, choice)),
            list(compress(self.events, choice)),
            list(compress(self.arrivals, choice)),
        )


def share_out(records: Records, keys: Sequence[bytes], factor: int) -> list[Records]:
    """The records of each lane, in order. ``keys`` line up with the records."""
    indices: list[list[int]] = [[] for _ in range(factor)]
    for index, key in enumerate(keys):
        indices[crc32(key) % factor].append(index)
    return [records.at(lane) for lane in indices]
