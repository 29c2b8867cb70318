"""What becomes of an event: whether it is tried again or over, and who is told. A decider (docs/lambda 12.2, 12.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from handlers.function import FunctionError, Payload
from pollers.destinations.ended import Condition, Role
from pollers.invocations.event import Owed

if TYPE_CHECKING:
    from handlers.function import Result
    from pollers.invocations.event import InvokeSettings, QueuedEvent

RETRY_SECONDS = (60.0, 120.0)
"""The waits after the first and the second error of the function."""
LONGEST_SECONDS = 300.0
"""The waits after attempts in which the function did not run begin with a second and double up to this."""
REPORT_AGE_SECONDS = 21_600.0
"""How long after an end its reports are tried: six hours, which is also the longest time that an event may wait itself. A shorter
outage of a target loses no report."""


@dataclass(frozen=True, slots=True)
class Again:
    """The event is attempted again after ``wait_seconds``. ``ran``: the attempt counts as a run, with an answer of the function."""

    wait_seconds: float
    ran: bool


@dataclass(frozen=True, slots=True)
class Over:
    """The invocation has ended. ``ran`` as in :class:`Again`."""

    condition: Condition
    ran: bool


Next: TypeAlias = Again | Over


def back_off(stumbles: int) -> float:
    """Seconds to wait when the function did not run for the ``stumbles``-th time in a row."""
    return float(min(LONGEST_SECONDS, 2.0 ** min(max(stumbles, 1) - 1, 16)))


def after(event: QueuedEvent, result: Result, settings: InvokeSettings, now: float) -> Next:
    """What follows from an attempt that brought ``result``. ``event`` is as it stood before the attempt."""
    if isinstance(result, Payload):
        return Over(Condition.SUCCESS, ran=True)
    if isinstance(result, FunctionError):
        # The settings may have changed since the last attempt: one retry less than there were already is none.
        if event.failures >= min(settings.maximum_retry_attempts, len(RETRY_SECONDS)):
            return Over(Condition.RETRIES_EXHAUSTED, ran=True)
        wait, ran = RETRY_SECONDS[event.failures], True
    else:
        wait, ran = back_off(event.stumbles + 1), False
        if result.retry_after_seconds is not None:
            wait = max(wait, min(result.retry_after_seconds, LONGEST_SECONDS))
    # The age looks ahead: nothing waits for an attempt that would come too late.
    if now - event.accepted_at + wait > settings.maximum_event_age_seconds:
        return Over(Condition.EVENT_AGE_EXCEEDED, ran=ran)
    return Again(wait, ran)


def too_old_before(settings: InvokeSettings, now: float) -> float:
    """Events that were accepted before this are not attempted any more."""
    return now - settings.maximum_event_age_seconds


def owed(condition: Condition, settings: InvokeSettings) -> list[Owed]:
    """Who is told of an end. With an on-failure destination and a dead-letter queue, both are (docs/lambda 12.7)."""
    if condition is Condition.SUCCESS:
        targets = [(Role.ON_SUCCESS, settings.on_success)]
    else:
        targets = [(Role.ON_FAILURE, settings.on_failure), (Role.DEAD_LETTER, settings.dead_letters)]
    return [Owed(role, target) for role, target in targets if target]


def report_again(ended_at: float, tries: int, now: float) -> float | None:
    """Seconds to wait after the ``tries``-th failed delivery of a report; None when it is given up."""
    wait = back_off(tries)
    return wait if now - ended_at + wait <= REPORT_AGE_SECONDS else None
