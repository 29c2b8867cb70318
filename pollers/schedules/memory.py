"""What the state knows of a schedule, and what can become of a due time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.models import Schedule

KEPT_SECONDS = 2 * 86_400
"""How far back from the newest one due times are kept one by one: longer than any flexible window."""


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


def rule_of(schedule: Schedule) -> str:
    """What a schedule's due times follow from, as text. When it changes, the schedule begins anew."""
    start = "" if schedule.start_date is None else schedule.start_date.isoformat()
    parts = (schedule.event, schedule.schedule_expression, schedule.schedule_expression_timezone, start)
    return "\n".join(parts)
