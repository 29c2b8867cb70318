"""The queue of one lane, and when a batch of it is due (docs/lambda 2.1). A decider over :mod:`pollers.engine.batching`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.sources.streams.records import Records

if TYPE_CHECKING:
    from pollers.engine.batching import Limits


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for one invocation. ``oversized``: the one record does not fit into an event at all."""

    records: Records
    oversized: bool = False


class Gathering:
    """What a lane has read and not yet invoked with. Times are monotonic seconds.

    A batching window begins as soon as the previous invocation completes; one that ran out empty begins again with the first
    record, so that no record waits for longer than one window (as :class:`pollers.engine.batching.Gather` has it for queues).
    ``from_first``: it always begins with the first record, or with the invocation's completion if one was queued by then.
    """

    def __init__(self, limits: Limits, now: float, *, from_first: bool = False) -> None:
        self._limits = limits
        self._from_first = from_first
        self._window_began = now
        self._first_came = now
        self._queue = Records()
        self._own = True
        self._pages: deque[Records] = deque()
        self._queued = 0
        self._queued_bytes = 0

    def __len__(self) -> int:
        return self._queued

    @property
    def lowest(self) -> int | None:
        """The offset of the first record queued."""
        return self._queue.offsets[0] if self._queue.offsets else None

    @property
    def first_came(self) -> float:
        """When the queue last ceased to be empty."""
        return self._first_came

    @property
    def next_arrival(self) -> float | None:
        """The arrival time of the first record queued."""
        return self._queue.arrivals[0] if self._queue.arrivals else None

    def add(self, records: Records, now: float) -> None:
        """Queue records that follow those queued already."""
        if not len(records):
            return
        # Most pages become a batch as they are: nothing is copied for those.
        if not self._queued:
            self._first_came = now
            self._queue, self._own = records, False
        else:
            self._pages.append(records)
        self._queued += len(records)
        self._queued_bytes += records.events_bytes

    def completed(self, now: float) -> None:
        """An invocation completed: the next window begins."""
        self._window_began = now

    def due_in(self, now: float) -> float | None:
        """Seconds until a batch must go (0: now), None while nothing is queued."""
        queued, limits = self._queued, self._limits
        if not queued:
            return None
        window = limits.window_seconds
        if (
            not window
            or queued >= limits.size
            or self._queued_bytes + queued > limits.payload_bytes - limits.envelope.size_bytes
        ):
            return 0.0
        latest_first = 0.0 if self._from_first else window
        opened = self._window_began if self._first_came < self._window_began + latest_first else self._first_came
        return max(opened + window - now, 0.0)

    def arrivals(self) -> list[float]:
        """The arrival times of the next records, as many as a batch may have."""
        return self._first(self._limits.size).arrivals[: self._limits.size]

    def take(self, limits: Limits | None = None) -> Batch:
        """The next batch: as many records as fit, by ``limits`` or the lane's own. There must be one."""
        limits = limits or self._limits
        queue = self._first(limits.size)
        records = queue if len(queue) <= limits.size else queue.part(0, limits.size)
        if limits.envelope.size_bytes + records.events_bytes + len(records) > limits.payload_bytes:
            fit = limits.leading(map(len, records.events))
            batch = Batch(records.part(0, fit)) if fit else Batch(records.part(0, 1), oversized=True)
        else:
            batch = Batch(records)
        self._forget(len(batch.records))
        self._queued_bytes -= batch.records.events_bytes
        return batch

    def _first(self, count: int) -> Records:
        """The first pages, joined until they have so many records."""
        while self._pages and len(self._queue) < count:
            if not self._own:
                self._queue, self._own = self._queue.part(0), True
            self._queue.extend(self._pages.popleft())
        return self._queue

    def _forget(self, count: int) -> None:
        """The first ``count`` records leave the queue, whose columns are changed only when they are its own."""
        self._queued -= count
        if count == len(self._queue):
            self._queue, self._own = (self._pages.popleft(), False) if self._pages else (Records(), True)
        elif self._own:
            self._queue.drop(count)
        else:
            self._queue, self._own = self._queue.part(count), True
