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
    from pollers.schedules.sharing import SharedSchedules


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """One schedule now.

    ``state`` is ``enabled``, ``disabled``, or ``over`` where nothing is due any more; among replicas also ``elsewhere``, where
    another one runs it, and ``waiting``, where it is not known yet which one does. ``owner`` is the replica that runs it.
    ``next_due`` is its next due time in seconds
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
    owner: str | None = None
    runs_here: bool = True

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
            "owner": self.owner,
            "runs_here": self.runs_here,
        }


def views(services: Iterable[object]) -> Iterator[ScheduleView]:
    """The schedules among the services of a process, by name; one at a time, since there may be thousands."""
    for service in services:
        if isinstance(service, Schedules):
            for one in sorted(service.schedules(), key=lambda one: one.schedule.name):
                yield view_of(one, service.problem, service.sharing)


def problems(services: Iterable[object]) -> Iterator[str]:
    """Why no schedule runs, if that is so: the state cannot be written, or the table of replicas does not answer."""
    for service in services:
        if isinstance(service, Schedules):
            if service.problem is not None:
                yield f"schedules cannot be written, and do not run: {service.problem}"
            if service.sharing is not None and service.sharing.problem is not None:
                yield f"schedules are not shared, and do not run here: {service.sharing.problem}"


def view_of(one: OneSchedule, problem: str | None = None, sharing: SharedSchedules | None = None) -> ScheduleView:
    """One schedule as it stands; ``problem`` is one of all schedules."""
    under_way, counts = len(one.under_way), one.counts
    problem = one.problem or problem
    if sharing is None:
        return ScheduleView(one.schedule, _state(one), one.next_due, one.memory.last, under_way, problem, counts)
    owner, here = sharing.owner_of(one.schedule.name), one.hold is not None
    if here:
        return ScheduleView(one.schedule, _state(one), one.next_due, one.memory.last, under_way, problem, counts, owner)
    record = sharing.record_of(one.schedule.name)
    last = record.memory.last if record is not None else None
    state = _state_elsewhere(one, sharing, owner)
    return ScheduleView(one.schedule, state, None, last, under_way, problem, counts, owner, runs_here=False)


def _state(one: OneSchedule) -> str:
    if not one.schedule.enabled:
        return "disabled"
    return "over" if one.over else "enabled"


def _state_elsewhere(one: OneSchedule, sharing: SharedSchedules, owner: str | None) -> str:
    if not one.schedule.enabled:
        return "disabled"
    if sharing.is_over(one.schedule.name):
        return "over"
    return "waiting" if owner is None else "elsewhere"
