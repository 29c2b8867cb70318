"""Schedules as they stand, for whoever shows them: status, console, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pollers.schedules.service import Schedules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from config.models import Schedule
    from pollers.schedules.memory import Run
    from pollers.schedules.one_schedule import Counts, OneSchedule


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """One schedule now.

    ``state`` is ``enabled``, ``disabled``, or ``over`` where nothing is due any more. ``next_due`` is its next due time in seconds
    since the epoch, ``last`` the latest one that was decided. ``under_way`` runs are being handed over; ``problem`` is why the last
    attempt failed, if it did. The ``counts`` are since the start of the process.
    """

    schedule: Schedule
    state: str
    next_due: int | None
    last: Run | None
    under_way: int
    problem: str | None
    counts: Counts

    @property
    def name(self) -> str:
        """The schedule's name."""
        return self.schedule.name

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: ``last_due`` with what became of it (``last_outcome``) and when (``last_at``)."""
        return {
            "name": self.schedule.name,
            "function": self.schedule.function_name,
            "expression": self.schedule.schedule_expression,
            "timezone": self.schedule.schedule_expression_timezone,
            "state": self.state,
            "next_due": self.next_due,
            "last_due": None if self.last is None else self.last.due,
            "last_at": None if self.last is None else self.last.at,
            "last_outcome": None if self.last is None else self.last.outcome.value,
            "under_way": self.under_way,
            "problem": self.problem,
            "accepted": self.counts.accepted,
            "missed": self.counts.missed,
            "failed": self.counts.failed,
        }


def views(services: Iterable[object]) -> Iterator[ScheduleView]:
    """The schedules among the services of a process, by name; one at a time, since there may be thousands."""
    for service in services:
        if isinstance(service, Schedules):
            for one in sorted(service.schedules(), key=lambda one: one.schedule.name):
                yield view_of(one, service.problem)


def problems(services: Iterable[object]) -> Iterator[str]:
    """Why no schedule runs, if that is so: the state cannot be written."""
    for service in services:
        if isinstance(service, Schedules) and service.problem is not None:
            yield f"schedules cannot be written, and do not run: {service.problem}"


def view_of(one: OneSchedule, problem: str | None = None) -> ScheduleView:
    """One schedule as it stands; ``problem`` is one of all schedules."""
    under_way, counts = len(one.under_way), one.counts
    return ScheduleView(
        one.schedule, _state(one), one.next_due, one.memory.last, under_way, one.problem or problem, counts
    )


def _state(one: OneSchedule) -> str:
    if not one.schedule.enabled:
        return "disabled"
    return "over" if one.next_due is None and not one.under_way and one.look_at != 0 else "enabled"
