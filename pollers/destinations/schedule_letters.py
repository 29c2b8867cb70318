"""Dead letters of schedules: runs that could not be handed over to the function's queue (docs/lambda 14.1)."""

from __future__ import annotations

from dataclasses import dataclass

from pollers.destinations.dead_letters import ERROR_MESSAGE_BYTES, DeadLetter, texts
from pollers.destinations.limits import cut


@dataclass(frozen=True, slots=True)
class FailedHandover:
    """Why a due run was given up. ``exhausted`` is the condition that ended its retries, such as ``MaximumRetryAttempts``; None
    when it was given up at once.
    """

    target_arn: str
    error_code: str
    error_message: str
    retry_attempts: int
    exhausted: str | None = None

    def described(self) -> dict[str, str]:
        """The attributes that both services give, empty ones included."""
        return {
            "TARGET_ARN": self.target_arn,
            "ERROR_CODE": self.error_code,
            "ERROR_MESSAGE": cut(self.error_message, ERROR_MESSAGE_BYTES),
            "EXHAUSTED_RETRY_CONDITION": self.exhausted or "",
            "RETRY_ATTEMPTS": str(self.retry_attempts),
        }


def rule_dead_letter(event: bytes, rule_arn: str, failed: FailedHandover) -> DeadLetter:
    """The dead letter of an EventBridge rule: the event, and what failed."""
    return DeadLetter(event, texts({"RULE_ARN": rule_arn, **failed.described()}))


def scheduler_dead_letter(
    given: bytes, schedule_arn: str, failed: FailedHandover, *, execution_id: str, scheduled_time: str
) -> DeadLetter:
    """The dead letter of EventBridge Scheduler: the input, and what failed. ``scheduled_time`` is spelled as in the input."""
    attributes = texts(
        {
            "SCHEDULE_ARN": schedule_arn,
            **failed.described(),
            "EXECUTION_ID": execution_id,
            "IS_PAYLOAD_TRUNCATED": "false",
            "SCHEDULED_TIME": scheduled_time,
        }
    )
    return DeadLetter(given, attributes)
