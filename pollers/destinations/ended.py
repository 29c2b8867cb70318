"""The end of an asynchronous invocation, and the seam between the queue that keeps it and those who deliver what is told of it.

The queue stores an end, and what it owes, before it asks for the first delivery: a crash repeats deliveries and never the function.
It keeps an end until everything that it owes has been delivered or given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pollers.errors import PollerError


class TargetRefuses(PollerError):  # noqa: N818 - named for what the reader must do next: correct the target, or send it less
    """The target can never take this report (it is too large, or of a kind that takes none): trying again does not help."""


class Condition(StrEnum):
    """How an asynchronous invocation ended, in AWS's own texts (docs/lambda 12.6). Those of streams are others."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


class Role(StrEnum):
    """What somebody is told of an end."""

    ON_SUCCESS = "on_success"
    """The record of a success (docs/lambda 12.5)."""
    ON_FAILURE = "on_failure"
    """The record of a failure."""
    DEAD_LETTER = "dead_letter"
    """The event itself (docs/lambda 12.7)."""


@dataclass(frozen=True, slots=True)
class AcceptedEvent:
    """An event that was accepted at ``accepted_at`` (seconds since the epoch). ``function_arn`` is unqualified."""

    request_id: str
    function: str
    function_arn: str
    payload: bytes
    accepted_at: float


@dataclass(frozen=True, slots=True)
class EndedInvocation:
    """How the invocation of ``event`` ended, at ``ended_at`` (seconds since the epoch).

    ``invoke_count`` is how often the function ran. ``response`` is what it answered last, byte for byte: its error document where
    ``function_error`` is set, and None when it never ran to an answer.
    """

    event: AcceptedEvent
    condition: Condition
    invoke_count: int
    ended_at: float
    response: bytes | None = None
    function_error: bool = False


class Deliveries(Protocol):
    """Delivers what is told of an end."""

    async def deliver(self, role: Role, target_arn: str, ended: EndedInvocation) -> None:
        """Deliver once: the target has it when this returns. The same call may come again after a crash, with the same values.

        Raises :class:`TargetRefuses` for what the target can never take, which is given up at once. Whatever
        else it raises is tried again with growing waits, until the report is too old; then it is given up and said.
        """
