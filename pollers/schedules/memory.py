"""What the state knows of a schedule, and what can become of a due time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.models import Schedule

KEPT_SECONDS = 2 * 86_400
"""How far back from the newest one due times are kept one by one: longer than any flexible window."""
AHEAD_SECONDS = 60
"""Clocks are set back by a little every now and then, and those of two machines differ: that is no other sight."""


class Outcome(StrEnum):
    """What became of a due time; each is decided once."""

    ACCEPTED = "accepted"
    """The function's asynchronous queue has it."""
    MISSED = "missed"
    """It fell due while nothing ran, and was not made up for."""
    FAILED = "failed"
    """It could not be handed over."""


@dataclass(frozen=True, slots=True)
class Run:
    """A due time that was decided at ``at``; both are seconds since the epoch."""

    due: int
    at: int
    outcome: Outcome


@dataclass(slots=True)
class Memory:
    """One schedule. No due time at or before ``decided`` runs any more, and none of ``runs``, which are by due time."""

    first_seen: int
    decided: int
    runs: dict[int, Run] = field(default_factory=dict)

    def add(self, run: Run) -> None:
        """One more due time is decided; the oldest are forgotten one by one, and not run again."""
        self.runs[run.due] = run
        oldest = max(self.runs) - KEPT_SECONDS
        for due in [due for due in self.runs if due < oldest]:
            del self.runs[due]
            self.decided = max(self.decided, due)

    @property
    def last(self) -> Run | None:
        """The run of the latest due time."""
        return self.runs[max(self.runs)] if self.runs else None


@dataclass(frozen=True, slots=True)
class Known:
    """What was kept of a schedule: its ``rule`` and whether it was ``enabled`` when it was seen last."""

    rule: str
    enabled: bool
    first_seen: int
    decided: int


def seen_at(now: int, known: Known | None, rule: str, *, enabled: bool, ahead: bool) -> tuple[int, int]:
    """``first_seen`` and ``decided`` of a schedule that is seen now. ``ahead``: it was seen by a clock that was ahead.

    One that is new, or whose rule has changed, begins now: what lies before was never due. One that was absent or disabled
    goes on from now; neither service replays what fell into such a time (docs/lambda 14.9).
    """
    begun = now, now - 1  # a rate's first run is at once
    if known is None:
        return begun
    first_seen, decided = begun if ahead else (known.first_seen, known.decided)
    if known.rule != rule:
        return now, max(decided, now - 1)
    return first_seen, decided if known.enabled or not enabled else max(decided, now)


def rule_of(schedule: Schedule) -> str:
    """What a schedule's due times follow from, as text. When it changes, the schedule begins anew."""
    start = "" if schedule.start_date is None else schedule.start_date.isoformat()
    parts = (schedule.event, schedule.schedule_expression, schedule.schedule_expression_timezone, start)
    return "\n".join(parts)
