"""What becomes of asynchronous invocations: retries, age, destinations and the dead-letter queue, as on Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from config.faults import Finding
from config.options.model import DESTINATION_TYPE, Idle, Model, Pasted, Spellings
from config.text.targets import Target, target_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading

ON_SUCCESS = (Target.QUEUE, Target.TOPIC, Target.FUNCTION, Target.BUS)
ON_FAILURE = (*ON_SUCCESS, Target.BUCKET)
DEAD_LETTERS = (Target.QUEUE, Target.TOPIC)


class RecordDestination(Model):
    """Where a record of an asynchronous invocation goes."""

    idle: ClassVar[tuple[Idle, ...]] = (DESTINATION_TYPE,)

    destination: Annotated[str | None, Spellings(("destination_arn",))] = Field(
        default=None,
        max_length=350,
        description="ARN of a standard queue, a standard topic, a function or an event bus; on failure also of a bucket",
    )


class InvokeDestinations(Model):
    """Destinations of asynchronous invocations."""

    on_success: RecordDestination = Field(
        default=RecordDestination(), description="where invocations that succeeded are reported"
    )
    on_failure: RecordDestination = Field(
        default=RecordDestination(), description="where events that were given up are reported"
    )


class EventInvokeConfig(Model):
    """How a function is invoked asynchronously, as ``AWS::Lambda::EventInvokeConfig`` says it."""

    maximum_retry_attempts: int = Field(
        default=2, ge=0, le=2, description="retries after a function error: after one minute, then after two"
    )
    maximum_event_age_in_seconds: int = Field(
        default=21_600, ge=60, le=21_600, description="how long an event is kept and tried; seconds"
    )
    destination_config: InvokeDestinations = Field(
        default=InvokeDestinations(), description="where invocations are reported"
    )

    @property
    def on_success(self) -> str | None:
        """The ARN of the destination of successes, if any."""
        return self.destination_config.on_success.destination or None

    @property
    def on_failure(self) -> str | None:
        """The ARN of the destination of failures, if any."""
        return self.destination_config.on_failure.destination or None


class DeadLetterConfig(Model):
    """Where events go that were given up, as ``AWS::Lambda::Function DeadLetterConfig`` says it."""

    target_arn: str | None = Field(default=None, description="ARN of a standard queue or a standard topic")


AsynchronousOption = Annotated[EventInvokeConfig, Pasted.ALSO]
DeadLetterOption = Annotated[DeadLetterConfig, Pasted.ALSO]


def asynchronous_targets(reading: Reading) -> Iterator[Finding]:
    """Destinations and the dead-letter queue are of kinds that records can be delivered to."""
    invoke, dead = reading.best("event_invoke_config"), reading.best("dead_letter_config")
    if invoke is not None:
        at = ("event_invoke_config", "destination_config")
        yield from _wrong(invoke.on_success, ON_SUCCESS, "destinations", (*at, "on_success", "destination"))
        yield from _wrong(invoke.on_failure, ON_FAILURE, "destinations", (*at, "on_failure", "destination"))
    if dead is not None:
        yield from _wrong(dead.target_arn, DEAD_LETTERS, "dead-letter queues", ("dead_letter_config", "target_arn"))


def _wrong(text: str | None, allowed: tuple[Target, ...], what: str, at: tuple[str, ...]) -> Iterator[Finding]:
    problem = target_problem(text, allowed, what) if text else None
    if problem:
        yield Finding(at, problem)


def tells_itself(function_arn: str, invoke: EventInvokeConfig) -> Iterator[Finding]:
    """Destinations of a function, by its ARN, that are the function itself: it would run again and again for ever, and Lambda
    refuses it too.
    """
    for side, text in (("on_success", invoke.on_success), ("on_failure", invoke.on_failure)):
        if text is not None and text.removesuffix(":$LATEST") == function_arn:
            at = ("event_invoke_config", "destination_config", side, "destination")
            yield Finding(at, "found the function itself, expected another function: it would be called for ever")
