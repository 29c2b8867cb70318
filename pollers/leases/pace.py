"""How fast a replica takes what is free. A decider.

Replicas that start together do not know each other before each has taken something. If the first took all at once, it would have to
give most of it away again. So it takes some, looks who else has come, and takes twice as many then.
"""

from __future__ import annotations

AT_ONCE = 8
"""How many leases are taken, or asked for, before the next look."""
STEP_SECONDS = 0.4
"""Somewhat less than the time between two looks."""


class Pace:
    """How many leases may be taken now. Times are monotonic seconds; it is as late as :meth:`passed` was told last."""

    def __init__(self) -> None:
        self._now = float("-inf")
        self._began = float("-inf")
        self._taken = 0
        self._size = AT_ONCE

    def passed(self, now: float) -> None:
        """It is ``now``."""
        self._now = max(self._now, now)

    def took(self) -> None:
        """One was taken."""
        late = self._now - self._began
        if late >= STEP_SECONDS:
            went_on = self._taken >= self._size and late < 5 * STEP_SECONDS
            self._size = 2 * self._size if went_on else AT_ONCE
            self._began, self._taken = self._now, 0
        self._taken += 1

    @property
    def left(self) -> int:
        """How many more may be taken before the next look."""
        return AT_ONCE if self._now - self._began >= STEP_SECONDS else max(0, self._size - self._taken)
