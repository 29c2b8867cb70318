"""Facts about asynchronous events: what the queue tells of each, for whoever asks what happened to one.

``ids`` has the event's request id alone. Like other facts, they are values and are never changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pollers.telemetry.durations import age
from pollers.telemetry.facts import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class EventQueued:
    """The event is durable."""

    ids: Sequence[str]
    size_bytes: int

    def words(self) -> tuple[str, str]:
        """What happened, and the details."""
        return "queued", f"{self.size_bytes:,} bytes"


@dataclass(slots=True)
class EventBegun:
    """An attempt began; ``attempt`` counts those in which the function ran, from 1."""

    ids: Sequence[str]
    attempt: int
    age_seconds: float

    def words(self) -> tuple[str, str]:
        """What happened, and the details."""
        return "invoked", f"attempt {self.attempt}, {age(self.age_seconds)} after it was queued"


@dataclass(slots=True)
class EventAttempted:
    """An attempt ended. ``again_seconds``: when the next one begins; None when there is none."""

    ids: Sequence[str]
    outcome: Outcome
    error: str = ""
    again_seconds: float | None = None

    def words(self) -> tuple[str, str]:
        """What happened, and the details."""
        what = _OUTCOMES.get(self.outcome, "failed")
        then = "" if self.again_seconds is None else f"; tried again in {age(self.again_seconds)}"
        return what, f"{self.error}{then}" if self.error else "the function returned"


@dataclass(slots=True)
class EventEnded:
    """The event is over. ``condition`` is Lambda's own text (docs/lambda 12.6); ``targets`` are to be told of it."""

    ids: Sequence[str]
    condition: str
    succeeded: bool
    runs: int
    targets: Sequence[str] = ()

    def words(self) -> tuple[str, str]:
        """What happened, and the details."""
        told = f"; to be told: {', '.join(self.targets)}" if self.targets else "; nobody is told"
        runs = f"after {self.runs} run{'' if self.runs == 1 else 's'}"
        return "ended" if self.succeeded else "given up", f"{self.condition} {runs}{told}"


@dataclass(slots=True)
class ReportDelivered:
    """A target has its record or dead letter."""

    ids: Sequence[str]
    target: str

    def words(self) -> tuple[str, str]:
        """What happened, and the details."""
        return "told", self.target


@dataclass(slots=True)
class ReportFailed:
    """A record or dead letter could not be delivered. ``again_seconds`` None: it was given up."""

    ids: Sequence[str]
    target: str
    error: str
    again_seconds: float | None = None

    def words(self) -> tuple[str, str]:
        """What happened, and the details."""
        if self.again_seconds is None:
            return "report lost", f"{self.target}: {self.error}"
        return "not told", f"{self.target}: {self.error}; tried again in {age(self.again_seconds)}"


AsyncFact: TypeAlias = EventQueued | EventBegun | EventAttempted | EventEnded | ReportDelivered | ReportFailed
ASYNC_FACTS = (EventQueued, EventBegun, EventAttempted, EventEnded, ReportDelivered, ReportFailed)
AsyncSink: TypeAlias = Callable[[str, AsyncFact], None]
"""Takes the function's name and a fact; it must neither block nor raise."""


def untold(function: str, fact: AsyncFact) -> None:
    """The sink of a queue that nobody looks at."""


_OUTCOMES = {
    Outcome.SUCCESS: "done",
    Outcome.ERROR: "failed",
    Outcome.THROTTLE: "throttled",
    Outcome.INFRASTRUCTURE: "not run",
    Outcome.ABANDONED: "cut short",
}
