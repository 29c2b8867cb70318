"""One lane's records on their way into batches: size, window and exact payload (lambda-behaviour 2.1). A decider.

A batching window begins as soon as the previous invocation completes. A window that ends with nothing gathered is followed by
the next one, so that a lone record waits for the rest of the window that it arrives in.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.streams.records import Records

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the records of an event: ``head``, the records joined by commas, ``tail``."""

    head: bytes = b'{"Records":['
    tail: bytes = b"]}"

    @property
    def room_bytes(self) -> int:
        """What the payload limit leaves for the joined records."""
        return PAYLOAD_LIMIT_BYTES - len(self.head) - len(self.tail)

    def around(self, events: Sequence[bytes]) -> bytes:
        """The whole event."""
        return b"%b%b%b" % (self.head, b",".join(events), self.tail)


PLAIN = Envelope()


def fitting(events: Sequence[bytes], room_bytes: int) -> int:
    """How many of the records, from the first, fit into ``room_bytes`` when joined by commas."""
    ends = list(accumulate(map(len, events)))
    if not ends or ends[-1] + len(ends) - 1 <= room_bytes:
        return len(ends)
    return bisect_right(range(1, len(ends) + 1), room_bytes, key=lambda count: ends[count - 1] + count - 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for one invocation. ``oversized``: the one record does not fit into an event at all."""

    records: Records
    oversized: bool = False


class Gathering:
    """The queue of one lane, and when a batch of it is due. Times are monotonic seconds."""

    def __init__(self, batch_size: int, window_seconds: float, now: float) -> None:
        self._batch_size = batch_size
        self._window_seconds = window_seconds
        self._window_began = now
        self._first_came = now
        self._queue = Records()
        self._queued_bytes = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def lowest(self) -> int | None:
        """The position of the first record queued."""
        return self._queue.positions[0] if self._queue.positions else None

    @property
    def next_arrival(self) -> float | None:
        """The arrival time of the first record queued."""
        return self._queue.arrivals[0] if self._queue.arrivals else None

    def add(self, records: Records, now: float) -> None:
        """Queue records that follow those queued already."""
        if not self._queue.positions:
            self._first_came = now
        self._queue.extend(records)
        self._queued_bytes += sum(map(len, records.events))

    def completed(self, now: float) -> None:
        """An invocation completed: the next window begins."""
        self._window_began = now

    def due_in(self, now: float) -> float | None:
        """Seconds until a batch must go (0: now), None while nothing is queued."""
        queued = len(self._queue.positions)
        if not queued:
            return None
        if not self._window_seconds or queued >= self._batch_size or self._queued_bytes + queued >= PLAIN.room_bytes:
            return 0.0
        windows = max(self._first_came - self._window_began, 0.0) // self._window_seconds + 1
        return max(self._window_began + windows * self._window_seconds - now, 0.0)

    def candidates(self) -> Records:
        """The next records, as many as a batch may have."""
        return self._queue.part(0, self._batch_size)

    def take(self, count: int, envelope: Envelope) -> Batch:
        """The next batch, of at most the next ``count`` records: as many as fit. There must be one."""
        records = self._queue.part(0, min(count, self._batch_size))
        fit = fitting(records.events, envelope.room_bytes)
        batch = Batch(records.part(0, fit)) if fit < len(records) else Batch(records)
        if not fit:
            batch = Batch(records.part(0, 1), oversized=True)
        self._queue.drop(len(batch.records))
        self._queued_bytes -= sum(map(len, batch.records.events))
        return batch
