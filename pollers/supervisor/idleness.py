"""How long nothing has happened to any event: the decider behind ``--until-idle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.clocks.clock import loop_time
from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    DeleteRetried,
    DestinationFailed,
    Discarded,
    Expired,
    Extended,
    Fact,
    Filtered,
    Invoked,
    Invoking,
    Polled,
    Received,
    Returned,
    ShardEnded,
)

if TYPE_CHECKING:
    from pollers.telemetry.sinks import Routes

OF_EVENTS = (
    Received,
    Filtered,
    Invoking,
    Invoked,
    Extended,
    Returned,
    Deleted,
    DeleteRetried,
    Expired,
    Checkpointed,
    Discarded,
    DestinationFailed,
    ShardEnded,
)
"""What disturbs the quiet. Polls that bring nothing, failed polls and words about what a task is doing do not."""


class Idleness:
    """A sink that remembers when an event was last received, invoked, acknowledged or returned."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._routes: Routes = {**dict.fromkeys(OF_EVENTS, self._note), Polled: self._polled}

    def mark(self) -> None:
        """Begin to count from now."""
        self._last = loop_time()

    def seconds(self) -> float:
        """Seconds since the last time that something happened; 0 before the first mark."""
        return 0.0 if self._last is None else loop_time() - self._last

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.sinks.RoutedSink`."""
        return self._routes

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Note a fact."""
        note = self._routes.get(type(fact))
        if note is not None:
            note(fact)

    def _note(self, _: Fact) -> None:
        self._last = loop_time()

    def _polled(self, fact: Polled) -> None:
        if fact.count:
            self._last = loop_time()
