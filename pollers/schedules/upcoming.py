"""The next runs of a schedule, in words: what ``headrace check`` prints. A decider: ``now`` is an argument."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from config.schedules import Rate, find_zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from config.models import Schedule

SHOWN_RUNS = 3


def next_runs(schedule: Schedule, now: datetime, number: int = SHOWN_RUNS) -> list[datetime]:
    """The next due times of a schedule that is first seen now, whatever its state; fewer where it ends."""
    now = now.astimezone(UTC).replace(microsecond=0)
    times = schedule.due_times(now)
    found: list[datetime] = []
    at = times.after(now - timedelta(seconds=1))
    while at is not None and len(found) < number:
        found.append(at)
        at = times.after(at)
    return found


def described(schedule: Schedule, now: datetime) -> Iterator[str]:
    """A schedule in one line, and each of its next runs in another: in its zone and in UTC."""
    zone = schedule.schedule_expression_timezone
    where = "" if isinstance(schedule.expression, Rate) or zone == "UTC" else f" in {zone}"
    parts = [f"{schedule.schedule_expression}{where} -> {schedule.function_name}", *_particulars(schedule)]
    yield ", ".join(parts)
    runs = next_runs(schedule, now)
    for number, due in enumerate(runs):
        first = " (at its first sight, then counted from there)" if not number and _at_once(schedule) else ""
        yield f"  next: {_in_zone(due, schedule)}{first}"
    if not runs:
        yield "  next: never"


def _particulars(schedule: Schedule) -> Iterator[str]:
    if schedule.of_rule:
        yield "as a rule"
    if schedule.window_seconds:
        yield f"within {schedule.window_seconds // 60} min"
    if schedule.missed == "skip":
        yield "missed runs are skipped"
    if schedule.dead_letter_config.arn:
        yield f"dead letters to {schedule.dead_letter_config.arn}"
    if not schedule.enabled:
        yield "disabled"


def _at_once(schedule: Schedule) -> bool:
    return schedule.counts_from_first_sight and not schedule.of_rule


def _in_zone(due: datetime, schedule: Schedule) -> str:
    utc = f"{due:%Y-%m-%dT%H:%M:%SZ}"
    if schedule.schedule_expression_timezone == "UTC":
        return utc
    return f"{due.astimezone(find_zone(schedule.schedule_expression_timezone)):%a %Y-%m-%d %H:%M:%S %z}, {utc}"
