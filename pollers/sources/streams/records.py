"""Records that a shard's poller holds, as columns: what costs little for each record at 100,000 records a second."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD_OVERHEAD_BYTES = 400
"""What holding a record costs besides its encoded event: its sequence number, numbers and list places, generously."""


@dataclass(slots=True)
class Records:
    """Records in the order of their shard; the columns line up.

    ``positions`` count the records that this poller has read from the shard, from 0. ``events`` are encoded Lambda event
    records. ``arrivals`` are seconds since the epoch. Nobody changes a column of records that were handed over.
    """

    positions: list[int] = field(default_factory=list)
    sequence_numbers: list[str] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    _events_bytes: int | None = None

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def events_bytes(self) -> int:
        """The length of all encoded events."""
        if self._events_bytes is None:
            self._events_bytes = sum(map(len, self.events))
        return self._events_bytes

    @property
    def size_bytes(self) -> int:
        """What holding these records costs, about."""
        return self.events_bytes + RECORD_OVERHEAD_BYTES * len(self.positions)

    def part(self, start: int, stop: int | None = None) -> Records:
        """The records from index ``start`` up to ``stop``."""
        return Records(
            self.positions[start:stop],
            self.sequence_numbers[start:stop],
            self.events[start:stop],
            self.arrivals[start:stop],
        )

    def extend(self, more: Records) -> None:
        """Add records that follow these."""
        self.positions += more.positions
        self.sequence_numbers += more.sequence_numbers
        self.events += more.events
        self.arrivals += more.arrivals
        self._events_bytes = None

    def drop(self, count: int) -> None:
        """Forget the first ``count`` records."""
        del self.positions[:count]
        del self.sequence_numbers[:count]
        del self.events[:count]
        del self.arrivals[:count]
        self._events_bytes = None

    def at(self, indices: Sequence[int]) -> Records:
        """The records at these indices."""
        return Records(
            list(map(self.positions.__getitem__, indices)),
            list(map(self.sequence_numbers.__getitem__, indices)),
            list(map(self.events.__getitem__, indices)),
            list(map(self.arrivals.__getitem__, indices)),
        )

    def chosen(self, choice: Sequence[object]) -> Records:
        """The records whose place in ``choice`` is true."""
        return Records(
            list(compress(self.positions, choice)),
            list(compress(self.sequence_numbers, choice)),
            list(compress(self.events, choice)),
            list(compress(self.arrivals, choice)),
        )
