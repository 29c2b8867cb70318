"""Prometheus metrics: Lambda's event source mapping metrics under their own names in snake case, and what Lambda hides.

lambda-behaviour 7.1. Labels are mapping and function names and words of ours, never ids, so their number is bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    DeleteRetried,
    DestinationFailed,
    Discarded,
    Expired,
    Extended,
    Fact,
    Filtered,
    Invoked,
    Invoking,
    Polled,
    PollFailed,
    Received,
    Returned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

DURATIONS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
FILL = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 60, 120, 300)


class Metrics:
    """The sink, and the exposition."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        count = self._counter
        self._polled = count("polled_event_count", "Events read from the source")
        self._filtered = count("filtered_out_event_count", "Events that no filter matched")
        self._invoked = count("invoked_event_count", "Events that invoked the function; retries count again")
        self._failed = count("failed_invoke_event_count", "Events in failed invocations, or reported as failed")
        self._deleted = count("deleted_event_count", "Messages deleted after processing")
        self._checkpointed = count("checkpointed_event_count", "Stream records that the checkpoint moved past")
        self._dropped = count("dropped_event_count", "Events given up on without a destination", "condition")
        self._delivered = count(
            "on_failure_destination_delivered_event_count", "Events whose failure record was delivered"
        )
        self._undelivered = count(
            "destination_delivery_failures", "Failure records that could not be delivered, each try"
        )
        self._polls = count("polls", "Polls of the source that came back")
        self._poll_failures = count("poll_failures", "Polls that failed", "throttled")
        self._invocations = count("invocations", "Ended invocations", "outcome")
        self._throttles = count("throttles", "Invocations refused because the function is at its limit")
        self._returned = count("returned_event_count", "Events handed back to the source")
        self._expired = count("expired_receipt_count", "Messages whose claim ran out or whose handle was stale")
        self._deletes_retried = count("deletes_retried", "Deletes that failed and were tried again")
        self._extended = count("visibility_extensions", "Messages whose visibility was extended")
        self._extensions_failed = count("visibility_extensions_failed", "Extensions that were refused")
        self._duration = self._histogram("invocation_duration_seconds", "How long invocations took", DURATIONS)
        self._batch = self._histogram("batch_size", "Events in a batch", SIZES)
        self._fill = self._histogram("batch_fill_seconds", "How long batches were gathered", FILL)
        self._age = self._gauge(
            "iterator_age_seconds", "Age of the last record of the newest batch when it was invoked"
        )
        self._enter: dict[type, Callable[..., None]] = {
            Polled: self._on_polled,
            PollFailed: lambda m, f: self._poll_failures.labels(m, str(f.throttled).lower()).inc(),
            Received: lambda m, f: self._polled.labels(m).inc(len(f.ids)),
            Filtered: lambda m, f: self._filtered.labels(m).inc(len(f.ids)),
            Invoking: self._on_invoking,
            Invoked: self._on_invoked,
            Extended: self._on_extended,
            Returned: lambda m, f: self._returned.labels(m).inc(len(f.ids)),
            Deleted: lambda m, f: self._deleted.labels(m).inc(len(f.ids)),
            DeleteRetried: lambda m, f: self._deletes_retried.labels(m).inc(len(f.ids)),
            Expired: lambda m, f: self._expired.labels(m).inc(len(f.ids)),
            Checkpointed: lambda m, f: self._checkpointed.labels(m).inc(f.count),
            Discarded: self._on_discarded,
            DestinationFailed: lambda m, f: self._undelivered.labels(m).inc(),
        }

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Count one fact."""
        enter = self._enter.get(type(fact))
        if enter is not None:
            enter(mapping, fact)

    def exposition(self) -> bytes:
        """The text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"headrace_{name}", help_text, ("mapping", *labels), registry=self.registry)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"headrace_{name}", help_text, ("mapping",), buckets=buckets, registry=self.registry)

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(f"headrace_{name}", help_text, ("mapping",), registry=self.registry)

    def _on_polled(self, mapping: str, fact: Polled) -> None:
        self._polls.labels(mapping).inc()
        if not fact.count:
            self._polled.labels(mapping).inc(0)

    def _on_invoking(self, mapping: str, fact: Invoking) -> None:
        self._invoked.labels(mapping).inc(len(fact.ids))
        self._batch.labels(mapping).observe(len(fact.ids))
        self._fill.labels(mapping).observe(fact.gather_seconds)
        if fact.iterator_age_seconds is not None:
            self._age.labels(mapping).set(fact.iterator_age_seconds)

    def _on_invoked(self, mapping: str, fact: Invoked) -> None:
        self._invocations.labels(mapping, fact.outcome).inc()
        self._duration.labels(mapping).observe(fact.duration_seconds)
        if fact.outcome == "throttle":
            self._throttles.labels(mapping).inc()
        elif fact.outcome == "partial":
            self._failed.labels(mapping).inc(len(fact.failed_ids))
        elif fact.outcome != "success":
            self._failed.labels(mapping).inc(len(fact.ids))

    def _on_extended(self, mapping: str, fact: Extended) -> None:
        self._extended.labels(mapping).inc(len(fact.ids) - fact.failed)
        if fact.failed:
            self._extensions_failed.labels(mapping).inc(fact.failed)

    def _on_discarded(self, mapping: str, fact: Discarded) -> None:
        if fact.destination is not None:
            self._delivered.labels(mapping).inc(len(fact.ids))
        else:
            self._dropped.labels(mapping, fact.condition).inc(len(fact.ids))


class Now(Collector):
    """What is asked at each scrape rather than counted: ``read`` yields (name, help, label name, {label: value})."""

    def __init__(self, read: Callable[[], Iterable[tuple[str, str, str, dict[str, float]]]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """The families."""
        for name, help_text, label, values in self._read():
            family = GaugeMetricFamily(f"headrace_{name}", help_text, labels=[label] if label else [])
            for key, value in values.items():
                family.add_metric([key] if label else [], value)
            yield family
