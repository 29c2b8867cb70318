"""The last fifteen minutes of one mapping, in buckets of five seconds: what the console's small charts show."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKET_SECONDS = 5.0
BUCKETS = 180
SAMPLES = 256
"""Durations kept in one bucket; each further one replaces an earlier one in turn."""
UNSEALED = 4
"""In how many buckets the durations are kept, for the latencies of now; older buckets keep only quantiles."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is read at the end of a bucket, not counted: events in flight, the queue's depth, the iterator's age in seconds."""

    in_flight: int = 0
    depth: int | None = None
    age: float | None = None


NOTHING = Sample()


@dataclass(slots=True)
class Bucket:
    """What happened in five seconds. ``sample`` was taken at their end."""

    start: float
    received: int = 0
    done: int = 0
    failed: int = 0
    invocations: int = 0
    sample: Sample = NOTHING
    durations: list[float] = field(default_factory=list)
    sealed: tuple[float | None, float | None] | None = None

    def add_duration(self, seconds: float) -> None:
        """Count an invocation."""
        if len(self.durations) < SAMPLES:
            self.durations.append(seconds)
        else:
            self.durations[self.invocations % SAMPLES] = seconds
        self.invocations += 1

    def quantiles(self) -> tuple[float | None, float | None]:
        """The median and the 95th percentile of the durations, in seconds."""
        if self.sealed is not None:
            return self.sealed
        return quantile(self.durations, 0.5), quantile(self.durations, 0.95)

    def seal(self) -> None:
        """Replace the durations by their quantiles."""
        self.sealed = self.quantiles()
        self.durations = []


class Series:
    """A ring of buckets. ``now`` is monotonic time in seconds; ``sample`` gives what is in flight, the depth and the age then."""

    def __init__(self, sample: Callable[[float], Sample] = lambda _: NOTHING) -> None:
        self._sample = sample
        self._buckets: deque[Bucket] = deque(maxlen=BUCKETS + 1)
        self._last = Bucket(0.0)
        self._until = -math.inf

    def current(self, now: float) -> Bucket:
        """The bucket that ``now`` falls into; buckets in which nothing happened are filled in."""
        if now >= self._until:
            self._advance(now)
        return self._last

    def _advance(self, now: float) -> None:
        sample, start = self._sample(now), now - now % BUCKET_SECONDS
        if not self._buckets or start - self._last.start >= BUCKET_SECONDS * BUCKETS:
            self._buckets.clear()
            self._append(Bucket(start))
        self._last.sample = sample
        while self._last.start < start:
            self._append(Bucket(self._last.start + BUCKET_SECONDS, sample=sample))
        self._until = start + BUCKET_SECONDS

    def _append(self, bucket: Bucket) -> None:
        self._last = bucket
        self._buckets.append(bucket)
        if len(self._buckets) > UNSEALED:
            self._buckets[-UNSEALED - 1].seal()

    def recent(self, now: float, seconds: float) -> list[Bucket]:
        """The whole buckets of the last ``seconds``, oldest first; the one still being filled only if it is all there is."""
        self.current(now)
        few = list(islice(reversed(self._buckets), 1, 1 + int(seconds // BUCKET_SECONDS)))
        return few[::-1] or [self._last]

    def as_columns(self, now: float, last: int = BUCKETS) -> dict[str, Any]:
        """The ``last`` whole buckets as columns, oldest first; ``first`` numbers them. Rates are a second, durations in seconds.

        The bucket that is being filled is left out, as its rates would be too low, unless it is the only one.
        """
        kept = self.recent(now, last * BUCKET_SECONDS)
        quantiles = [bucket.quantiles() for bucket in kept]
        return {
            "first": round(kept[0].start / BUCKET_SECONDS),
            "received": [bucket.received / BUCKET_SECONDS for bucket in kept],
            "done": [bucket.done / BUCKET_SECONDS for bucket in kept],
            "batches": [bucket.invocations / BUCKET_SECONDS for bucket in kept],
            "failed": [bucket.failed for bucket in kept],
            "in_flight": [bucket.sample.in_flight for bucket in kept],
            "depth": [bucket.sample.depth for bucket in kept],
            "iterator_age": [bucket.sample.age for bucket in kept],
            "p50": [p50 for p50, _ in quantiles],
            "p95": [p95 for _, p95 in quantiles],
        }


def quantile(values: list[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of ``values`` do not exceed; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]
