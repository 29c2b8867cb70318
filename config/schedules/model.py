"""A schedule's settings: those of EventBridge Scheduler, with names, defaults and limits of its own (docs/lambda 14.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from config.options.model import Model, Refused, Spellings, TextKind
from config.schedules.due_times import DueTimes
from config.schedules.expressions import Expression, Rate, read_expression
from config.schedules.zones import find_zone

_OTHER_TARGETS = ("Ecs", "EventBridge", "Kinesis", "SageMakerPipeline", "Sqs")
_OTHER_SPELLINGS = ("ecs", "eventbridge", "kinesis", "sagemaker_pipeline", "sqs")


class FlexibleTimeWindow(Model):
    """How long after its due time a run may begin."""

    mode: Literal["OFF", "FLEXIBLE"] = Field(
        default="OFF", description="OFF: at the due time; FLEXIBLE: at some time within the window after it"
    )
    maximum_window_in_minutes: int | None = Field(
        default=None, ge=1, le=1440, description="length of the window; with FLEXIBLE only"
    )


class ScheduleRetryPolicy(Model):
    """How often the hand-over of a run is tried again. What the function itself does is another matter: ``event_invoke_config``."""

    maximum_retry_attempts: int = Field(
        default=185, ge=0, le=185, description="retries of a hand-over to the function's asynchronous queue"
    )
    maximum_event_age_in_seconds: int = Field(
        default=86_400, ge=60, le=86_400, description="seconds from its first attempt for which a hand-over is tried"
    )


class ScheduleDeadLetterConfig(Model):
    """Where runs go that could not be handed over."""

    arn: Annotated[str, TextKind.ARN] | None = Field(default=None, description="ARN of a standard queue")


class ScheduleTarget(Model):
    """The target as EventBridge Scheduler writes it, in place of options of the schedule's own."""

    refused: ClassVar[tuple[Refused, ...]] = tuple(
        Refused(
            (f"{pascal}Parameters", f"{snake}_parameters"),
            f"found {pascal}Parameters, which is about another kind of target, expected the ARN of a function and no parameters",
            section=True,
        )
        for pascal, snake in zip(_OTHER_TARGETS, _OTHER_SPELLINGS, strict=True)
    )

    arn: str = Field(description="ARN of a function defined under `functions`; in place of `function_name`")
    role_arn: str | None = Field(default=None, description="without effect outside AWS")
    input: Annotated[str, TextKind.JSON] | None = Field(default=None, description="in place of the schedule's `input`")
    retry_policy: ScheduleRetryPolicy | None = Field(
        default=None, description="in place of the schedule's `retry_policy`"
    )
    dead_letter_config: ScheduleDeadLetterConfig | None = Field(
        default=None, description="in place of the schedule's `dead_letter_config`"
    )


class Schedule(Model):
    """When a function is called. ``name`` is the key under ``schedules``; ``function_name`` is a key under ``functions``."""

    name: str = Field(description="the schedule's key: its identity in the state, in events, logs and metrics")
    schedule_expression: str = Field(
        min_length=1,
        max_length=256,
        description="when it is due: `rate(value unit)`, `cron(minute hour day-of-month month day-of-week year)` or "
        "`at(yyyy-mm-ddThh:mm:ss)`",
    )
    schedule_expression_timezone: str = Field(
        default="UTC", min_length=1, max_length=50, description="IANA name of the zone that `cron` and `at` are in"
    )
    function_name: Annotated[str, Spellings(("FunctionArn", "function_arn"))] = Field(
        description="name or ARN (full or partial) of a function defined under `functions`"
    )
    input: Annotated[str, TextKind.JSON] | None = Field(
        default=None,
        description="the event: JSON text, or any value; `<aws.scheduler.schedule-arn>`, `<aws.scheduler.scheduled-time>`, "
        "`<aws.scheduler.execution-id>` and `<aws.scheduler.attempt-number>` are replaced in it. The default event if not given",
    )
    event: Literal["scheduler", "rule"] = Field(
        default="scheduler",
        description="whose schedule it is, EventBridge Scheduler's or an EventBridge rule's: default event, expressions and first "
        "run differ",
    )
    state: Literal["ENABLED", "DISABLED"] = Field(default="ENABLED", description="whether it runs")
    group_name: str = Field(
        default="default", min_length=1, max_length=64, description="group in the schedule's ARN, which events carry"
    )
    start_date: datetime | None = Field(
        default=None,
        description="first time at which it may be due: ISO 8601 (UTC without offset) or seconds since 1970",
    )
    end_date: datetime | None = Field(default=None, description="last time at which it may be due")
    flexible_time_window: FlexibleTimeWindow = Field(
        default=FlexibleTimeWindow(), description="how long after its due time a run may begin"
    )
    retry_policy: ScheduleRetryPolicy = Field(
        default=ScheduleRetryPolicy(), description="how often the hand-over of a run is tried again"
    )
    dead_letter_config: ScheduleDeadLetterConfig = Field(
        default=ScheduleDeadLetterConfig(), description="where runs go that could not be handed over"
    )
    missed: Literal["once", "skip"] = Field(
        default="once",
        description="runs that fell due while Headrace was down: the last of them once, or none; Headrace's own, not AWS's",
    )

    @property
    def enabled(self) -> bool:
        """Whether it runs."""
        return self.state == "ENABLED"

    @property
    def of_rule(self) -> bool:
        """Whether it is to be like an EventBridge rule."""
        return self.event == "rule"

    @property
    def expression(self) -> Expression:
        """The expression, read."""
        return read_expression(self.schedule_expression, of_rule=self.of_rule)

    @property
    def window_seconds(self) -> int:
        """How long after its due time a run may begin; 0 without a flexible window."""
        window = self.flexible_time_window
        return 60 * (window.maximum_window_in_minutes or 0) if window.mode == "FLEXIBLE" else 0

    @property
    def counts_from_first_sight(self) -> bool:
        """Whether due times depend on when the schedule was first seen: those of a rate without a start."""
        return self.start_date is None and isinstance(self.expression, Rate)

    def due_times(self, first_seen: datetime) -> DueTimes:
        """When it is due. A rate without a start counts from ``first_seen``: at once, or for a rule one interval later."""
        expression = self.expression
        first = (self.start_date or first_seen).astimezone(UTC)
        if self.of_rule and isinstance(expression, Rate):
            first = later(first, expression)
        return DueTimes(expression, find_zone(self.schedule_expression_timezone), first, self.start_date, self.end_date)


class WrittenSchedule(Schedule):
    """A schedule as a file may write it: with a ``target``, as EventBridge Scheduler has it, instead of options of its own."""

    function_name: Annotated[str | None, Spellings(("FunctionArn", "function_arn"))] = Field(  # type: ignore[assignment]
        default=None,
        description="name or ARN (full or partial) of a function defined under `functions`; required, or `target`",
    )
    target: ScheduleTarget | None = Field(default=None, description="the target as EventBridge Scheduler writes it")


def later(first: datetime, rate: Rate) -> datetime:
    """One interval later, as far as dates go."""
    try:
        return first + rate.interval
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
