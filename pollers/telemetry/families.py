"""The metrics that are folded from facts: names, kinds, labels and meanings (docs/lambda 7.1)."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily

PREFIX = "headrace_"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without the prefix (and without ``_total``), its kind, labels and meaning."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def _counter(name: str, meaning: str, *labels: str) -> Family:
    return Family(name, "counter", ("mapping", *labels), meaning)


COUNTERS = {
    "received": _counter("polled_event_count", "events read from the source"),
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
    "throttled": _counter("throttles", "invocations refused because the function is at its limit"),
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


def gauge(family: Family, values: dict[str, float]) -> GaugeMetricFamily:
    """A gauge of one label, or of none for the key ``""``."""
    drawn = GaugeMetricFamily(PREFIX + family.name, family.meaning, labels=family.labels)
    for label, value in values.items():
        drawn.add_metric([label] if family.labels else [], value)
    return drawn
