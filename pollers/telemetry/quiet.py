"""How long nothing has happened to any event: the decider behind ``--until-idle``."""

from __future__ import annotations

import anyio

from pollers.telemetry.facts import Depth, Doing, Fact, Polled, PollFailed, ShardSeen


class Quiet:
    """A sink that remembers when an event was last received, invoked, acknowledged or returned."""

    def __init__(self) -> None:
        self._last: float | None = None

    def mark(self) -> None:
        """Begin to count from now."""
        self._last = anyio.current_time()

    def seconds(self) -> float:
        """Seconds since the last time that something happened; 0 before the first mark."""
        return 0.0 if self._last is None else anyio.current_time() - self._last

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Note a fact. Polls that bring nothing, and words about what a task is doing, do not disturb the quiet."""
        if isinstance(fact, Polled) and not fact.count:
            return
        if not isinstance(fact, Depth | Doing | PollFailed | ShardSeen):
            self.mark()
