"""Delays that grow while something keeps failing, jittered so that many pollers do not come back at once. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


class Backoff:
    """Doubles from ``initial`` up to ``maximum`` seconds; each delay is drawn from the upper half of its step."""

    __slots__ = ("_initial", "_maximum", "_random", "_step", "failures")

    def __init__(self, random: Random, *, initial: float = 0.5, maximum: float = 20.0) -> None:
        self._random = random
        self._initial = initial
        self._maximum = maximum
        self._step = initial
        self.failures = 0

    def next(self) -> float:
        """One more failure: how many seconds to wait before the next try."""
        step = self._step
        self._step = min(self._maximum, step * 2)
        self.failures += 1
        return step * (0.5 + self._random.random() / 2)

    def reset(self) -> None:
        """It worked: the next failure starts from ``initial`` again."""
        self._step = self._initial
        self.failures = 0
