"""What the metrics count of one mapping, beyond what every fold counts."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pollers.telemetry.counts import Counts
from pollers.telemetry.facts import (
    DestinationFailed,
    DiscardCondition,
    Discarded,
    EndDoubted,
    EndRevoked,
    Extended,
    Invoked,
    Invoking,
    Polled,
    PollFailed,
    WriteRefused,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client.core import HistogramMetricFamily

DURATIONS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
FILLS = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 60, 120, 300)
"""Upper bounds of the histograms' buckets: seconds, events, seconds."""
NOT_DROPPED = frozenset({DiscardCondition.EXPIRED, DiscardCondition.TRIMMED})
"""The source's own retention dropped these records, so they do not count as dropped here (docs/lambda 7.1)."""


class Histogram:
    """Counts by upper bound."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Enter it into a family, cumulated as Prometheus wants it."""
        total, buckets = 0, []
        for bound, count in zip((*map(float, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((str(bound), float(total)))
        family.add_metric(labels, buckets, self._sum)


@dataclass(slots=True)
class Tally(Counts):
    """The fields are the keys of :data:`pollers.telemetry.families.COUNTERS` and ``HISTOGRAMS``.

    The parent's methods are called by its name, not by ``super()``: a dataclass with slots is a second class made from this one,
    and ``super()`` without arguments would refer to the first.
    """

    writes_refused: int = 0
    dropped: int = 0
    delivered: int = 0
    undelivered: int = 0
    polls: int = 0
    unextended: int = 0
    ends_doubted: int = 0
    ends_revoked: int = 0
    poll_failures: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    durations: Histogram = field(default_factory=lambda: Histogram(DURATIONS))
    sizes: Histogram = field(default_factory=lambda: Histogram(SIZES))
    fills: Histogram = field(default_factory=lambda: Histogram(FILLS))
    iterator_age: float | None = None

    def _polled(self, fact: Polled) -> None:
        self.polls += 1

    def _poll_failed(self, fact: PollFailed) -> None:
        throttled = "true" if fact.throttled else "false"
        self.poll_failures[throttled] = self.poll_failures.get(throttled, 0) + 1

    def _invoking(self, fact: Invoking) -> None:
        Counts._invoking(self, fact)
        if fact.attempt == 1:
            self.sizes.observe(len(fact.ids))
            self.fills.observe(fact.gather_seconds)
        if fact.iterator_age_seconds is not None:
            self.iterator_age = fact.iterator_age_seconds

    def _invoked(self, fact: Invoked) -> None:
        Counts._invoked(self, fact)
        outcome = fact.outcome.value
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.durations.observe(fact.duration_seconds)

    def _extended(self, fact: Extended) -> None:
        Counts._extended(self, fact)
        self.unextended += fact.failed

    def _write_refused(self, fact: WriteRefused) -> None:
        self.writes_refused += bool(fact.error)

    def _discarded(self, fact: Discarded) -> None:
        Counts._discarded(self, fact)
        if fact.destination is not None:
            self.delivered += len(fact.ids)
        elif fact.condition not in NOT_DROPPED:
            self.dropped += len(fact.ids)

    def _destination_failed(self, fact: DestinationFailed) -> None:
        self.undelivered += 1

    def _end_doubted(self, fact: EndDoubted) -> None:
        self.ends_doubted += bool(fact.why)

    def _end_revoked(self, fact: EndRevoked) -> None:
        self.ends_revoked += 1

    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """The method that counts each type of fact."""
        return {
            **Counts.handlers(self),
            Polled: self._polled,
            PollFailed: self._poll_failed,
            WriteRefused: self._write_refused,
            DestinationFailed: self._destination_failed,
            EndDoubted: self._end_doubted,
            EndRevoked: self._end_revoked,
        }
