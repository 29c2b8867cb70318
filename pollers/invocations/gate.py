"""Keeps one probe at a time before what fails again and again, a function or a target. A decider."""

from __future__ import annotations

from pollers.invocations.deciding import LONGEST_SECONDS, back_off


class Gate:
    """Closed for 1 s after a failure, and for twice as long each time up to 5 min, until something works.

    Without it, a long queue behind something that is down would be tried event by event. Times are seconds since the epoch.
    """

    __slots__ = ("_failures", "_until")

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def closed_for(self, now: float) -> float:
        """Seconds until it opens; 0 when it is open."""
        wait = self._until - now
        return wait if 0.0 < wait <= LONGEST_SECONDS else 0.0  # longer only when the clock was set back

    def failed(self, now: float, at_least: float | None = None) -> None:
        """Something failed at ``now``, and asked to be left alone for ``at_least`` seconds.

        What was let through together and fails together is one failure.
        """
        if self.closed_for(now):
            return
        self._failures += 1
        self._until = now + min(max(back_off(self._failures), at_least or 0.0), LONGEST_SECONDS)

    def open(self) -> None:
        """Something worked, or something has changed."""
        self._failures = 0
        self._until = 0.0
