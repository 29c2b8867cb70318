"""Prometheus metrics: Lambda's event source mapping metrics under their own names in snake case, and what Lambda hides.

docs/lambda 7.1. Labels are mapping and function names and words of ours, never ids, so their number is bounded, and a removed
mapping takes its own with it. Counting is a few additions a batch; prometheus-client's families are made at a scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    DeleteRetried,
    DestinationFailed,
    DiscardCondition,
    Discarded,
    EndDoubted,
    EndRevoked,
    Expired,
    Extended,
    Fact,
    Filtered,
    Invoked,
    Invoking,
    Outcome,
    Polled,
    PollFailed,
    Received,
    Removed,
    Returned,
    WriteRefused,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from pollers.telemetry.facts import Routes

PREFIX = "headrace_"
DURATIONS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
FILLS = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 60, 120, 300)
NOT_DROPPED = frozenset({DiscardCondition.EXPIRED, DiscardCondition.TRIMMED})
"""Conditions that are the source's own retention, which 7.1 does not count as dropped."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without the prefix (and without ``_total``), kind, labels and meaning."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def _counter(name: str, meaning: str, *labels: str) -> Family:
    return Family(name, "counter", ("mapping", *labels), meaning)


COUNTERS = {
    "polled": _counter("polled_event_count", "events read from the source"),
    "filtered": _counter("filtered_out_event_count", "events that no filter matched"),
    "invoked": _counter("invoked_event_count", "events that invoked the function; retries count again"),
    "failed": _counter("failed_invoke_event_count", "events in failed invocations, or reported as failed"),
    "deleted": _counter("deleted_event_count", "messages deleted after processing, each confirmed (SQS)"),
    "checkpointed": _counter("checkpointed_event_count", "records that the checkpoint moved past (streams)"),
    "writes_refused": _counter("checkpoint_writes_refused", "times that the checkpoint store did not write (streams)"),
    "dropped": _counter("dropped_event_count", "records given up on without a destination (streams)"),
    "delivered": _counter(
        "on_failure_destination_delivered_event_count",
        "records given up on whose failure record was delivered (streams)",
    ),
    "undelivered": _counter("destination_delivery_failures", "tries to deliver a failure record that failed (streams)"),
    "polls": _counter("polls", "polls of the source that came back, empty ones among them"),
    "throttles": _counter("throttles", "invocations refused because the function is at its limit"),
    "returned": _counter("returned_event_count", "events handed back to the source"),
    "expired": _counter("expired_receipts", "messages whose claim ran out or whose receipt handle was stale (SQS)"),
    "deletes_retried": _counter("deletes_retried", "deletes that failed and were tried again (SQS)"),
    "extended": _counter("visibility_extensions", "extensions of a message's visibility (SQS)"),
    "ends_doubted": _counter(
        "shard_ends_doubted", "replies that called a shard ended while nothing bore that out (streams)"
    ),
    "ends_revoked": _counter(
        "shard_ends_revoked", "shards that a checkpoint called ended and the stream listed as open (streams)"
    ),
    "unextended": _counter("visibility_extensions_failed", "extensions that the queue refused (SQS)"),
}
POLL_FAILURES = _counter("poll_failures", "polls that failed; `throttled`: the service asked for less", "throttled")
INVOCATIONS = _counter("invocations", "ended invocations by outcome", "outcome")
DISCARDED = _counter("discarded_event_count", "records given up on, by condition (streams)", "condition")
HISTOGRAMS = {
    "durations": Family("invocation_duration_seconds", "histogram", ("mapping",), "how long invocations took"),
    "sizes": Family("batch_size", "histogram", ("mapping",), "events in a batch, retries not counted again"),
    "fills": Family("batch_fill_seconds", "histogram", ("mapping",), "how long a batch was gathered"),
}
ITERATOR_AGE = Family(
    "iterator_age_seconds",
    "gauge",
    ("mapping",),
    "age of the last record of the newest batch when it was invoked (streams)",
)
COUNTED = (*COUNTERS.values(), POLL_FAILURES, INVOCATIONS, DISCARDED, *HISTOGRAMS.values(), ITERATOR_AGE)
"""Every metric that is folded from facts."""


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
class Tally:
    """What is counted of one mapping. The fields are the keys of :data:`COUNTERS` and :data:`HISTOGRAMS`."""

    polled: int = 0
    filtered: int = 0
    invoked: int = 0
    failed: int = 0
    deleted: int = 0
    checkpointed: int = 0
    writes_refused: int = 0
    dropped: int = 0
    delivered: int = 0
    undelivered: int = 0
    polls: int = 0
    throttles: int = 0
    returned: int = 0
    expired: int = 0
    deletes_retried: int = 0
    extended: int = 0
    unextended: int = 0
    ends_doubted: int = 0
    ends_revoked: int = 0
    poll_failures: dict[str, int] = field(default_factory=dict)
    invocations: dict[str, int] = field(default_factory=dict)
    discarded: dict[str, int] = field(default_factory=dict)
    durations: Histogram = field(default_factory=lambda: Histogram(DURATIONS))
    sizes: Histogram = field(default_factory=lambda: Histogram(SIZES))
    fills: Histogram = field(default_factory=lambda: Histogram(FILLS))
    iterator_age: float | None = None

    def on_polled(self, fact: Polled) -> None:
        self.polls += 1

    def on_poll_failed(self, fact: PollFailed) -> None:
        throttled = "true" if fact.throttled else "false"
        self.poll_failures[throttled] = self.poll_failures.get(throttled, 0) + 1

    def on_received(self, fact: Received) -> None:
        self.polled += len(fact.ids)

    def on_filtered(self, fact: Filtered) -> None:
        self.filtered += len(fact.ids)

    def on_invoking(self, fact: Invoking) -> None:
        count = len(fact.ids)
        self.invoked += count
        if fact.attempt == 1:
            self.sizes.observe(count)
            self.fills.observe(fact.gather_seconds)
        if fact.iterator_age_seconds is not None:
            self.iterator_age = fact.iterator_age_seconds

    def on_invoked(self, fact: Invoked) -> None:
        outcome = fact.outcome
        self.invocations[outcome] = self.invocations.get(outcome, 0) + 1
        self.durations.observe(fact.duration_seconds)
        if outcome is Outcome.SUCCESS:
            return
        if outcome is Outcome.THROTTLE:
            self.throttles += 1
        else:
            self.failed += len(fact.failed_ids) if outcome is Outcome.PARTIAL else len(fact.ids)

    def on_extended(self, fact: Extended) -> None:
        self.extended += len(fact.ids) - fact.failed
        self.unextended += fact.failed

    def on_returned(self, fact: Returned) -> None:
        self.returned += len(fact.ids)

    def on_deleted(self, fact: Deleted) -> None:
        self.deleted += len(fact.ids)

    def on_delete_retried(self, fact: DeleteRetried) -> None:
        self.deletes_retried += len(fact.ids)

    def on_expired(self, fact: Expired) -> None:
        self.expired += len(fact.ids)

    def on_checkpointed(self, fact: Checkpointed) -> None:
        self.checkpointed += fact.count

    def on_write_refused(self, fact: WriteRefused) -> None:
        self.writes_refused += bool(fact.error)

    def on_discarded(self, fact: Discarded) -> None:
        count = len(fact.ids)
        self.discarded[fact.condition] = self.discarded.get(fact.condition, 0) + count
        if fact.destination is not None:
            self.delivered += count
        elif fact.condition not in NOT_DROPPED:
            self.dropped += count

    def on_destination_failed(self, fact: DestinationFailed) -> None:
        self.undelivered += 1

    def on_end_doubted(self, fact: EndDoubted) -> None:
        self.ends_doubted += bool(fact.why)

    def on_end_revoked(self, fact: EndRevoked) -> None:
        self.ends_revoked += 1

    def routes(self) -> dict[type, Callable[[Any], None]]:
        """What takes which fact."""
        return {
            Polled: self.on_polled,
            PollFailed: self.on_poll_failed,
            Received: self.on_received,
            Filtered: self.on_filtered,
            Invoking: self.on_invoking,
            Invoked: self.on_invoked,
            Extended: self.on_extended,
            Returned: self.on_returned,
            Deleted: self.on_deleted,
            DeleteRetried: self.on_delete_retried,
            Expired: self.on_expired,
            Checkpointed: self.on_checkpointed,
            WriteRefused: self.on_write_refused,
            Discarded: self.on_discarded,
            DestinationFailed: self.on_destination_failed,
            EndDoubted: self.on_end_doubted,
            EndRevoked: self.on_end_revoked,
        }


class Metrics(Collector):
    """The sink, and the exposition. Other collectors may be registered in ``registry``."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.facts.RoutedSink`."""
        tally = self._tallies.setdefault(mapping, Tally())
        return {**tally.routes(), Removed: lambda _: self.forget(mapping)}

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Count one fact."""
        take = self.routes(mapping).get(type(fact))
        if take is not None:
            take(fact)

    def forget(self, mapping: str) -> None:
        """Drop a mapping that was removed, with its labels."""
        self._tallies.pop(mapping, None)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The text, and its content type: see :func:`encoded`."""
        return encoded(list(self.registry.collect()), accept)

    def collect(self) -> Iterable[Metric]:
        """The families, as prometheus-client asks for them."""
        tallies = dict(self._tallies)
        for name, family in COUNTERS.items():
            yield _labelled(family, (((mapping,), getattr(tally, name)) for mapping, tally in tallies.items()))
        yield _labelled(POLL_FAILURES, _by(tallies, "poll_failures"))
        yield _labelled(INVOCATIONS, _by(tallies, "invocations"))
        yield _labelled(DISCARDED, _by(tallies, "discarded"))
        for name, family in HISTOGRAMS.items():
            drawn = HistogramMetricFamily(PREFIX + family.name, family.meaning, labels=family.labels)
            for mapping, tally in tallies.items():
                getattr(tally, name).add_to(drawn, (mapping,))
            yield drawn
        yield gauge(ITERATOR_AGE, {m: t.iterator_age for m, t in tallies.items() if t.iterator_age is not None})


class _Collected(Collector):
    """Families that were collected before."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def encoded(families: Sequence[Metric], accept: str = "") -> tuple[bytes, str]:
    """The text, and its content type: OpenMetrics for who asks for it in ``accept``, else Prometheus's own."""
    encode, content_type = choose_encoder(accept)
    return encode(_Collected(families)), content_type


def _by(tallies: dict[str, Tally], name: str) -> Iterator[tuple[tuple[str, ...], int]]:
    for mapping, tally in tallies.items():
        for word, count in getattr(tally, name).items():
            yield (mapping, word), count


def _labelled(family: Family, values: Iterable[tuple[Sequence[str], float]]) -> CounterMetricFamily:
    drawn = CounterMetricFamily(PREFIX + family.name, family.meaning, labels=family.labels)
    for labels, value in values:
        drawn.add_metric(labels, value)
    return drawn


def gauge(family: Family, values: dict[str, float]) -> GaugeMetricFamily:
    """A gauge of one label, or of none for the key ``""``."""
    drawn = GaugeMetricFamily(PREFIX + family.name, family.meaning, labels=family.labels)
    for label, value in values.items():
        drawn.add_metric([label] if family.labels else [], value)
    return drawn
