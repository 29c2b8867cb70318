"""The last fifteen minutes of one mapping, in buckets of five seconds: what the console's small charts show."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

BUCKET_SECONDS = 5.0
BUCKETS = 180
SAMPLES = 256
"""Durations kept in one bucket; beyond that every further one replaces an earlier one in turn."""


@dataclass(slots=True)
class Bucket:
    """What happened in five seconds. ``depth`` and ``age`` are the last ones seen, None when none was."""

    start: float
    received: int = 0
    done: int = 0
    failed: int = 0
    invocations: int = 0
    in_flight: int = 0
    depth: int | None = None
    age: float | None = None
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
    """A ring of buckets. ``now`` is monotonic time in seconds."""

    def __init__(self) -> None:
        self._buckets: deque[Bucket] = deque(maxlen=BUCKETS)

    def current(self, now: float) -> Bucket:
        """The bucket that ``now`` falls into; buckets in which nothing happened are filled in."""
        start = now - now % BUCKET_SECONDS
        if not self._buckets or start - self._buckets[-1].start >= BUCKET_SECONDS * BUCKETS:
            self._buckets.clear()
            self._buckets.append(Bucket(start))
        while self._buckets[-1].start < start:
            last = self._buckets[-1]
            self._buckets.append(
                Bucket(last.start + BUCKET_SECONDS, in_flight=last.in_flight, depth=last.depth, age=last.age)
            )
        return self._buckets[-1]

    def recent(self, now: float, seconds: float) -> list[Bucket]:
        """The buckets of the last ``seconds``, oldest first, without the one still being filled unless it is all there is."""
        self.current(now)
        whole = [bucket for bucket in self._buckets if now - seconds <= bucket.start + BUCKET_SECONDS <= now]
        return whole or [self._buckets[-1]]

    def as_columns(self, now: float) -> dict[str, list[float | int | None]]:
        """All buckets as columns, oldest first; rates are a second, durations in seconds."""
        self.current(now)
        kept = list(self._buckets)
        return {
            "age_seconds": [round(now - bucket.start) for bucket in kept],
            "received": [bucket.received / BUCKET_SECONDS for bucket in kept],
            "done": [bucket.done / BUCKET_SECONDS for bucket in kept],
            "failed": [bucket.failed for bucket in kept],
            "in_flight": [bucket.in_flight for bucket in kept],
            "depth": [bucket.depth for bucket in kept],
            "iterator_age": [bucket.age for bucket in kept],
            "p50": [bucket.quantile(0.5) for bucket in kept],
            "p95": [bucket.quantile(0.95) for bucket in kept],
        }


def quantile(values: list[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of ``values`` do not exceed; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]
