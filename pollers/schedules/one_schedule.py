"""One schedule while Headrace runs: its plan, what is known of it, and what is under way."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from pollers.schedules.deciding import Decision, Plan, decide, instant
from pollers.schedules.identity import begins_after

if TYPE_CHECKING:
    from config.models import Schedule
    from pollers.schedules.hold import Hold
    from pollers.schedules.memory import Memory


@dataclass(slots=True)
class Counts:
    """Due times of one schedule since the start of the process, by what became of them. ``due`` is all of them."""

    due: int = 0
    accepted: int = 0
    missed: int = 0
    failed: int = 0
    known: int = 0
    """They had been decided before, by a process whose clock was ahead for instance."""
    given_back: int = 0
    """A stop came before they were handed over: the next process finds them undecided."""

    @property
    def decided(self) -> int:
        """Those of which nothing is left to be done here."""
        return self.accepted + self.missed + self.failed + self.known + self.given_back

    def add(self, other: Counts) -> None:
        """Add the counts of another schedule."""
        for name in (one.name for one in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class OneSchedule:
    """``under_way`` are the due times that are being handed over, ``problem`` is why the last hand-over failed, if it did."""

    schedule: Schedule
    memory: Memory
    counts: Counts = field(default_factory=Counts)
    under_way: set[int] = field(default_factory=set)
    problem: str | None = None
    next_due: int | None = None
    look_at: int | None = 0
    """When something follows; None: nothing does."""
    hold: Hold | None = None
    """Its lease, where replicas share schedules and this one runs it."""
    _planned: tuple[tuple[Schedule, int], Plan] | None = None

    @property
    def plan(self) -> Plan:
        """How it is due; made anew only when that has changed."""
        key = (self.schedule, self.memory.first_seen)
        if self._planned is None or self._planned[0] != key:
            self._planned = key, plan_of(*key)
        return self._planned[1]

    @property
    def over(self) -> bool:
        """Whether nothing of it will be due any more, as far as was looked."""
        return self.next_due is None and self.look_at is None and not self.under_way

    def to_be_looked_at(self, now: float, *, set_back: bool) -> bool:
        """Whether something may follow now; after the clock was set back, anything may."""
        return set_back or (self.look_at is not None and self.look_at <= now)

    def look(self, now: float) -> Decision:
        """What follows now. Nothing of it is decided yet."""
        if not self.schedule.enabled:
            self.next_due = self.look_at = None
            return Decision()
        decision = decide(self.plan, self.memory, now, self.under_way)
        self.look_at, self.next_due = decision.look_at, decision.next_due
        return decision


def plan_of(schedule: Schedule, first_seen: int) -> Plan:
    """How a schedule is due that was first seen at ``first_seen``."""
    name, window = schedule.name, schedule.window_seconds
    return Plan(
        times=schedule.due_times(instant(first_seen)),
        once=schedule.missed == "once",
        window_seconds=window,
        begins=lambda due: begins_after(name, due, window),
    )
