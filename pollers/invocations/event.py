"""An event of the queue, between its acceptance and its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pollers.destinations.ended import Role

OVERHEAD_BYTES = 512
"""What an event takes on the disk beside its payload: its other columns, its entries in the indexes, unused parts of pages."""


@dataclass(slots=True)
class QueuedEvent:
    """How an event stands. Times are seconds since the epoch.

    ``runs``: how often the function was begun on it (AWS's ``approximateInvokeCount``); ``failures``: how often it ran and failed.
    ``stumbles``: attempts one after the other in which the function did not run, or was cut short by a crash of ours.
    ``response``: the last answer of the function, its error document where ``function_error`` is set. ``payload`` is empty where
    it is not needed.
    """

    id: int
    function: str
    request_id: str
    accepted_at: float
    size: int
    runs: int = 0
    failures: int = 0
    stumbles: int = 0
    response: bytes | None = None
    function_error: bool = False
    payload: bytes = b""

    def answered(self, response: bytes, *, function_error: bool) -> None:
        """Keep the function's answer, which takes room."""
        self.size += len(response) - len(self.response or b"")
        self.response, self.function_error = response, function_error

    def forget_answer(self) -> None:
        """Keep no answer of the function."""
        self.answered(b"", function_error=False)
        self.response = None


class InvokeSettings(Protocol):
    """How a function is invoked asynchronously now. Targets are ARNs, None for none."""

    @property
    def maximum_retry_attempts(self) -> int:
        """Retries after a function error, 0 to 2."""

    @property
    def maximum_event_age_seconds(self) -> int:
        """How long an event is kept and tried."""

    @property
    def on_success(self) -> str | None:
        """Where successes are reported."""

    @property
    def on_failure(self) -> str | None:
        """Where events that were given up are reported."""

    @property
    def dead_letters(self) -> str | None:
        """The dead-letter queue or topic."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A report that is owed to a target."""

    role: Role
    target: str
