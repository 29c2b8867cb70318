"""The asynchronous queue in the status document, in health and in the metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from pollers.invocations import FunctionBooks, QueueSnapshot, TargetStanding
from pollers.status.async_gauges import ASYNCHRONOUS, COUNTERS, GAUGES, AsyncGauges
from pollers.status.asynchronous import document, notices, of_function, problems
from pollers.telemetry.families import PREFIX

NOW = 1_764_000_000.0
MIB = 1024 * 1024
ORDERS = FunctionBooks(
    found=2,
    accepted=10,
    duplicates=1,
    refused=3,
    succeeded=4,
    failed=1,
    dropped=2,
    queued=5,
    running=2,
    reporting=1,
    bytes=900,
    attempts=9,
    errors=3,
    not_run=1,
    age_seconds=45.5,
    oldest_at=NOW - 90,
    reported=6,
    destination_failures=1,
    dead_letter_errors=2,
)
TARGET = "arn:aws:sqs:us-east-1:000000000000:failed"
QUEUE = QueueSnapshot({"orders": ORDERS}, {}, limit_bytes=1024 * MIB)


class Still:
    """A clock that stands."""

    def time(self) -> float:
        return NOW


def test_a_function_is_shown_with_what_waits_and_what_became_of_the_rest() -> None:
    """Depth, the oldest's age, what runs, and every column of the books."""
    shown = of_function(ORDERS, NOW)
    assert (shown["queued"], shown["oldest_seconds"], shown["running"], shown["reporting"]) == (5, 90.0, 2, 1)
    assert shown["balanced"]
    assert (shown["succeeded"], shown["failed"], shown["dropped"], shown["refused"]) == (4, 1, 2, 3)


def test_nothing_that_waits_has_no_oldest() -> None:
    """The last look may be older than the end of the last event; a clock that was set back makes no age negative."""
    assert of_function(replace(ORDERS, queued=0), NOW)["oldest_seconds"] is None
    assert of_function(replace(ORDERS, oldest_at=NOW + 5), NOW)["oldest_seconds"] == 0.0


def test_the_queue_as_a_whole_adds_its_functions() -> None:
    """What is configured and what is not."""
    queue = replace(QUEUE, functions={"orders": ORDERS, "audit": FunctionBooks(found=1, queued=1, oldest_at=NOW - 300)})
    shown = document(queue, {"orders"}, NOW)
    assert (shown["depth"], shown["running"], shown["oldest_seconds"]) == (6, 2, 300.0)
    assert shown["notices"] == [
        {"mapping": "audit", "reason": "1 event waits for this function, which is not configured"}
    ]


@pytest.mark.parametrize("columns", [{"succeeded": 3}, {"queued": 6}, {"found": 0}])
def test_books_that_do_not_balance_are_shown_as_such(columns: dict[str, Any]) -> None:
    """found + accepted = succeeded + failed + dropped + queued."""
    queue = replace(QUEUE, functions={"orders": replace(ORDERS, **columns)})
    assert not document(queue, {"orders"}, NOW)["balanced"]
    assert document(QUEUE, {"orders"}, NOW)["balanced"]


def test_a_sound_queue_is_no_problem() -> None:
    """However much waits."""
    assert list(problems(QUEUE)) == []


def test_a_disk_that_takes_nothing_is_a_problem() -> None:
    """Events are refused meanwhile."""
    (problem,) = problems(replace(QUEUE, problem="No space left on device"))
    assert problem.mapping is None
    assert problem.reason == "the asynchronous queue cannot write to the disk: No space left on device"


def test_a_disk_that_takes_no_more_events_is_a_problem() -> None:
    """Also while those that are queued go on."""
    [problem] = problems(replace(QUEUE, cramped="takes no more events"))
    assert problem.reason == "the asynchronous queue takes no more events"


def test_a_full_queue_is_a_problem() -> None:
    """As soon as it would refuse the largest event."""
    assert list(problems(replace(QUEUE, limit_bytes=900 + MIB))) == []
    (problem,) = problems(replace(QUEUE, limit_bytes=900 + MIB - 1))
    assert "full: it holds 900 bytes and takes 1,049,475" in problem.reason


def test_a_target_that_takes_nothing_is_told_with_what_waits_for_it() -> None:
    """No problem of the process: it is repaired elsewhere, and the reports wait."""
    targets = {
        TARGET: TargetStanding(waiting=12, problem="GetQueueUrl: QueueDoesNotExist: none", since=NOW - 300),
        "arn:aws:sns:us-east-1:000000000000:fine": TargetStanding(waiting=3),
        "arn:aws:sns:us-east-1:000000000000:idle": TargetStanding(problem="x", since=NOW),
    }
    queue = replace(QUEUE, targets=targets)
    (notice,) = notices(queue, {"orders"}, NOW)
    assert notice.mapping == TARGET
    assert notice.reason == "12 reports wait for it, for 5 min: GetQueueUrl: QueueDoesNotExist: none"
    assert list(problems(queue)) == []


def scraped(queue: QueueSnapshot) -> str:
    """What Prometheus gets."""
    registry = CollectorRegistry()
    registry.register(AsyncGauges(lambda: queue, Still()))
    return generate_latest(registry).decode()


def test_the_metrics_are_lambdas_in_snake_case() -> None:
    """docs/lambda 12.10: received, dropped for whatever reason, ages when attempts began, failed deliveries."""
    text = scraped(QUEUE)
    for line in (
        'headrace_async_events_received_total{function="orders"} 10.0',
        'headrace_async_events_dropped_total{function="orders"} 3.0',
        'headrace_async_event_age_seconds_count{function="orders"} 9.0',
        'headrace_async_event_age_seconds_sum{function="orders"} 45.5',
        'headrace_async_destination_delivery_failures_total{function="orders"} 1.0',
        'headrace_dead_letter_errors_total{function="orders"} 2.0',
        'headrace_async_queue_depth{function="orders"} 5.0',
        'headrace_async_oldest_event_seconds{function="orders"} 90.0',
        'headrace_async_ledger_balance{function="orders"} 1.0',
        "headrace_async_queue_limit_bytes 1.073741824e+09",
    ):
        assert line in text


def test_every_metric_is_scraped() -> None:
    """Also where no event has come yet, as a family without series."""
    for queue in (QUEUE, replace(QUEUE, functions={})):
        text = scraped(queue)
        assert all(f"# HELP {PREFIX}{family.name}" in text for family in ASYNCHRONOUS)
    assert len(ASYNCHRONOUS) == len(COUNTERS) + len(GAUGES) + 2


def test_every_column_of_the_books_is_a_metric() -> None:
    """A figure that is nowhere to be seen is of no use."""
    hidden = {"found", "oldest_at", "age_seconds", "last_error", "last_error_at"}
    others = scraped(replace(QUEUE, functions={"orders": FunctionBooks()}))
    for name in FunctionBooks.__dataclass_fields__.keys() - hidden:
        books = replace(FunctionBooks(), **cast("dict[str, Any]", {name: 7}))
        assert scraped(replace(QUEUE, functions={"orders": books})) != others, name
