"""What the API has answered, and what became of the invocations that clients waited for; read at a scrape (docs/lambda 7.1)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handlers.function import FunctionError, Payload, Throttle
from pollers.telemetry.tally import DURATIONS, Histogram

if TYPE_CHECKING:
    from handlers.function import Result

OUTCOMES = ("success", "error", "throttled", "not_run")
"""Lambda's Invocations are the first two, its Errors the second, its Throttles the third."""


@dataclass(slots=True)
class FunctionCalls:
    """Of one function."""

    outcomes: Counter[str] = field(default_factory=Counter)
    durations: Histogram = field(default_factory=lambda: Histogram(DURATIONS))


class CallCounts:
    """Counts since the start of the process. ``requests`` are by operation and status."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.functions: dict[str, FunctionCalls] = {}

    def answered(self, operation: str, status: int) -> None:
        """A request was answered. ``operation`` is empty for one that was refused before it was known."""
        self.requests[operation or "none", status] += 1

    def ended(self, function: str, result: Result | None, seconds: float) -> None:
        """A synchronous invocation ended; without a result the function could not be had."""
        calls = self.functions.get(function)
        if calls is None:
            calls = self.functions[function] = FunctionCalls()
        match result:
            case Payload():
                outcome = "success"
            case FunctionError():
                outcome = "error"
            case Throttle():
                outcome = "throttled"
            case _:
                outcome = "not_run"
        calls.outcomes[outcome] += 1
        if outcome in ("success", "error"):
            calls.durations.observe(seconds)
