"""Dead letters of runs that were given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.destinations import FailedHandover, rule_dead_letter, scheduler_dead_letter
from pollers.schedules.events import schedule_arn, scheduled_time
from pollers.schedules.identity import execution_id

if TYPE_CHECKING:
    from config.models import Schedule
    from pollers.destinations.dead_letters import DeadLetter
    from pollers.schedules.events import Home
    from pollers.schedules.retrying import Failed


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run that was given up after ``attempts`` attempts. ``condition`` is what ended its retries, if there were any."""

    schedule: Schedule
    due: int
    event: bytes
    failed: Failed
    attempts: int
    condition: str | None


def letter_of(lost: LostRun, home: Home) -> DeadLetter:
    """The event as it would have been handed over, and why it was not (docs/lambda 14.8)."""
    schedule = lost.schedule
    failed = FailedHandover(
        target_arn=home.arn("lambda", f"function:{schedule.function_name}"),
        error_code=lost.failed.code,
        error_message=lost.failed.message,
        retry_attempts=lost.attempts - 1,
        exhausted=lost.condition,
    )
    if schedule.of_rule:
        return rule_dead_letter(lost.event, schedule_arn(schedule, home), failed)
    return scheduler_dead_letter(
        lost.event,
        schedule_arn(schedule, home),
        failed,
        execution_id=execution_id(schedule.name, lost.due),
        scheduled_time=scheduled_time(lost.due),
    )
