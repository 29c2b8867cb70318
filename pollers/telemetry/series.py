"""The last fifteen minutes of one mapping, in buckets of five seconds: what the console's small charts show."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKET_SECONDS = 5.0
BUCKETS = 180
SAMPLES = 256
"""Durations kept in one bucket; beyond that every further one replaces an earlier one in turn."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is read of a mapping rather than counted: events in flight, the queue's depth, the iterator's age in seconds."""

    in_flight: int = 0
    depth: int | None = None
    age: float | None = None


NOTHING = Sample()


@dataclass(slots=True)
class Bucket:
    """What happened in five seconds. ``sample`` is how things stood at the end of them."""

    start: float
    received: int = 0
    done: int = 0
    failed: int = 0
    invocations: int = 0
    sample: Sample = NOTHING
    durations: list[float] = field(default_factory=list)

    def add_duration(self, seconds: float) -> None:
        """Count an invocation."""
        if len(self.durations) < SAMPLES:
            self.durations.append(seconds)
        else:
            self.durations[self.invocations % SAMPLES] = seconds
        self.invocations += 1

    def quantile(self, share: float) -> float | None:
        """The duration that ``share`` of the invocations did not exceed, in seconds."""
        return quantile(self.durations, share)


class Series:
    """A ring of buckets. ``now`` is monotonic time in seconds; ``sample`` gives what is in flight, the depth and the age now."""

    def __init__(self, sample: Callable[[float], Sample] = lambda _: NOTHING) -> None:
        self._sample = sample
        self._buckets: deque[Bucket] = deque(maxlen=BUCKETS)
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
            self._last = Bucket(start)
            self._buckets.append(self._last)
        self._last.sample = sample
        while self._last.start < start:
            self._last = Bucket(self._last.start + BUCKET_SECONDS, sample=sample)
            self._buckets.append(self._last)
        self._until = start + BUCKET_SECONDS

    def recent(self, now: float, seconds: float) -> list[Bucket]:
        """The buckets of the last ``seconds``, oldest first, without the one still being filled unless it is all there is."""
        self.current(now)
        whole = [bucket for bucket in self._buckets if now - seconds <= bucket.start + BUCKET_SECONDS <= now]
        return whole or [self._buckets[-1]]

    def as_columns(self, now: float) -> dict[str, list[float | int | None]]:
        """All buckets as columns, oldest first; rates are a second, durations in seconds."""
        self.current(now).sample = self._sample(now)
        kept = list(self._buckets)
        return {
            "age_seconds": [round(now - bucket.start) for bucket in kept],
            "received": [bucket.received / BUCKET_SECONDS for bucket in kept],
            "done": [bucket.done / BUCKET_SECONDS for bucket in kept],
            "failed": [bucket.failed for bucket in kept],
            "in_flight": [bucket.sample.in_flight for bucket in kept],
            "depth": [bucket.sample.depth for bucket in kept],
            "iterator_age": [bucket.sample.age for bucket in kept],
            "p50": [bucket.quantile(0.5) for bucket in kept],
            "p95": [bucket.quantile(0.95) for bucket in kept],
        }


def quantile(values: list[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of ``values`` do not exceed; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]
