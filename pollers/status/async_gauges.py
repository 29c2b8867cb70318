"""Metrics of the asynchronous queue, read at a scrape: Lambda's under their own names in snake case, and what Lambda hides.

docs/lambda 12.10. The queue counts; nothing is counted a second time here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from pollers.telemetry.families import PREFIX, Family, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

    from pollers.clocks.clock import Clock
    from pollers.invocations import FunctionBooks, QueueSnapshot


def _counter(name: str, meaning: str) -> Family:
    return Family(name, "counter", ("function",), meaning)


def _gauge(name: str, meaning: str) -> Family:
    return Family(name, "gauge", ("function",), meaning)


RECEIVED = _counter("async_events_received", "asynchronous events that were queued")
DROPPED = _counter(
    "async_events_dropped", "asynchronous events given up: retries used up, too old, or reserved concurrency 0"
)
DELIVERY_FAILURES = _counter("async_destination_delivery_failures", "records for destinations that were given up")
DEAD_LETTER_ERRORS = _counter("dead_letter_errors", "dead letters that were given up")
SUCCEEDED = _counter("async_events_succeeded", "asynchronous events that the function did")
REFUSED = _counter("async_events_refused", "asynchronous events refused because the queue was full")
REPEATED = _counter("async_events_repeated", "asynchronous events that came again and were known")
ATTEMPTS = _counter("async_attempts", "attempts of asynchronous events that began")
ERRORS = _counter("async_attempt_errors", "attempts in which the function failed")
NOT_RUN = _counter("async_attempts_not_run", "attempts in which the function did not run: throttled, or out of reach")
DELIVERED = _counter("async_reports_delivered", "records and dead letters that were delivered")
AGE = Family(
    "async_event_age_seconds", "summary", ("function",), "age of asynchronous events when their attempts began"
)
QUEUED = _gauge("async_queue_depth", "asynchronous events that are queued, those that run included")
RUNNING = _gauge("async_running", "attempts that run")
OLDEST = _gauge("async_oldest_event_seconds", "age of the oldest queued event; 0 without any")
REPORTING = _gauge("async_reporting", "ended events of which a record or dead letter is still to be delivered")
BYTES = _gauge("async_queue_bytes", "what events take on the disk")
BALANCE = _gauge("async_ledger_balance", "1 while every asynchronous event is accounted for")
LIMIT = Family("async_queue_limit_bytes", "gauge", (), "what all events may take on the disk")

COUNTERS: dict[Family, Callable[[FunctionBooks], int]] = {
    RECEIVED: lambda books: books.accepted,
    DROPPED: lambda books: books.failed + books.dropped,
    SUCCEEDED: lambda books: books.succeeded,
    REFUSED: lambda books: books.refused,
    REPEATED: lambda books: books.duplicates,
    ATTEMPTS: lambda books: books.attempts,
    ERRORS: lambda books: books.errors,
    NOT_RUN: lambda books: books.not_run,
    DELIVERED: lambda books: books.reported,
    DELIVERY_FAILURES: lambda books: books.destination_failures,
    DEAD_LETTER_ERRORS: lambda books: books.dead_letter_errors,
}
GAUGES: dict[Family, Callable[[FunctionBooks, float], float]] = {
    QUEUED: lambda books, _: books.queued,
    RUNNING: lambda books, _: books.running,
    OLDEST: lambda books, now: max(0.0, now - books.oldest_at) if books.queued and books.oldest_at else 0.0,
    REPORTING: lambda books, _: books.reporting,
    BYTES: lambda books, _: books.bytes,
    BALANCE: lambda books, _: float(books.balanced),
}
ASYNCHRONOUS = (*COUNTERS, AGE, *GAUGES, LIMIT)
"""Every metric of the asynchronous queue."""


class AsyncGauges(Collector):
    """Reads the queue whenever it is asked."""

    def __init__(self, queue: Callable[[], QueueSnapshot], clock: Clock) -> None:
        self._queue = queue
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """The families, as prometheus-client asks for them."""
        queue, now = self._queue(), self._clock.time()
        for family, count in COUNTERS.items():
            yield _counted(family, {name: count(books) for name, books in queue.functions.items()})
        yield _ages(queue)
        for family, read in GAUGES.items():
            yield gauge(family, {name: read(books, now) for name, books in queue.functions.items()})
        yield gauge(LIMIT, {"": queue.limit_bytes})


def _counted(family: Family, values: dict[str, int]) -> CounterMetricFamily:
    drawn = CounterMetricFamily(PREFIX + family.name, family.meaning, labels=family.labels)
    for name, value in values.items():
        drawn.add_metric([name], value)
    return drawn


def _ages(queue: QueueSnapshot) -> SummaryMetricFamily:
    drawn = SummaryMetricFamily(PREFIX + AGE.name, AGE.meaning, labels=AGE.labels)
    for name, books in queue.functions.items():
        drawn.add_metric([name], count_value=books.attempts, sum_value=books.age_seconds)
    return drawn
