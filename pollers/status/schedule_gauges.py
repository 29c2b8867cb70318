"""The metrics of schedules, read at a scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from pollers.telemetry.families import PREFIX, Family, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

    from pollers.schedules.views import ScheduleView

RUNS = Family(
    "schedule_runs",
    "counter",
    ("schedule", "outcome"),
    "due times since the start; `accepted`: handed over to the function's queue, `missed`, `failed`: given up",
)
UNDER_WAY = Family("schedule_runs_under_way", "gauge", ("schedule",), "runs that are being handed over")
NEXT = Family("schedule_next_run_timestamp_seconds", "gauge", ("schedule",), "the next due time, since 1970")
LAST = Family("schedule_last_run_timestamp_seconds", "gauge", ("schedule",), "the last due time that was decided")
FAMILIES = (RUNS, UNDER_WAY, NEXT, LAST)


def schedule_metrics(schedules: Callable[[], Iterable[ScheduleView]]) -> Iterable[Metric]:
    """The families, with a line for each schedule. Each looks at the schedules itself, so that none takes long."""
    runs = CounterMetricFamily(PREFIX + RUNS.name, RUNS.meaning, labels=RUNS.labels)
    for one in schedules():
        for outcome in ("accepted", "missed", "failed"):
            runs.add_metric([one.name, outcome], getattr(one.counts, outcome))
    yield runs
    yield gauge(UNDER_WAY, {one.name: one.under_way for one in schedules()})
    yield gauge(NEXT, {one.name: one.next_due for one in schedules() if one.next_due is not None})
    yield gauge(LAST, {one.name: one.last.due for one in schedules() if one.last is not None})
