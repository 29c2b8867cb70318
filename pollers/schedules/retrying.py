"""What to do after a hand-over failed: by the schedule's retry policy, as AWS has it. A decider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.models import ScheduleRetryPolicy

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 480.0
"""So that 185 retries take about 24 hours, which are both of AWS's defaults."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a hand-over failed, in AWS's words where there are any. ``lasting``: it would fail the same way for ever."""

    code: str
    message: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The run is given up. ``condition`` is what ended its retries (docs/lambda 14.8); None where there were none to be made."""

    condition: str | None


def after_failure(
    policy: ScheduleRetryPolicy, failed: Failed, attempts: int, seconds: float, chance: float
) -> float | GivenUp:
    """How many seconds to wait before the next attempt.

    ``attempts`` were made, the first of them ``seconds`` ago. ``chance``, from 0 to 1, makes waits differ.
    """
    if failed.lasting:
        return GivenUp(None)
    if attempts > policy.maximum_retry_attempts:
        return GivenUp("MaximumRetryAttempts")
    wait = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, 16)) * (0.8 + 0.2 * chance)
    if seconds + wait > policy.maximum_event_age_in_seconds:
        return GivenUp("MaximumEventAgeInSeconds")
    return wait
