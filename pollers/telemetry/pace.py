"""How fast a mapping gets events done: a decaying mean over its invocations."""

from __future__ import annotations

import math
from dataclasses import dataclass

HALF_LIFE_SECONDS = 60.0
"""After this long, what happened counts half."""


@dataclass(slots=True)
class Pace:
    """Events done for each second that an invocation runs.

    Both sums fade alike, so their ratio stays what it was while nothing runs: an idle mapping keeps its last pace.
    """

    done: float = 0.0
    busy_seconds: float = 0.0
    at: float = -math.inf

    def add(self, now: float, done: int, busy_seconds: float) -> None:
        """``done`` events were done by ``busy_seconds`` of invocations (0 for what no filter matches). ``now`` is monotonic."""
        fade = 0.5 ** ((now - self.at) / HALF_LIFE_SECONDS)
        self.done = self.done * fade + done
        self.busy_seconds = self.busy_seconds * fade + busy_seconds
        self.at = now

    @property
    def per_second(self) -> float | None:
        """Events a second for each invocation at a time; None before anything ran."""
        return self.done / self.busy_seconds if self.busy_seconds > 0 else None
