"""When workers are started, not started for a while, and stopped. A decider: no I/O, ``now`` and the seed are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

FIRST_INIT_DELAY_SECONDS = 1.0
FIRST_CRASH_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
CRASHES_FOR_FREE = 2
"""So many crashes in a row are replaced at once: a poisoned record should not slow down the others."""

STARTS_AT_ONCE = 8
"""If more workers than this started at the same time, they would only slow each other down."""


@dataclass(frozen=True, slots=True)
class Population:
    """A function's workers and the invocations that wait for one."""

    waiting: int
    starting: int
    finishing: int
    """Workers that have answered and not yet asked for more: they will take an invocation in a moment."""
    living: int
    concurrency: int


class StartGate:
    """Holds back new workers after failures, longer each time, with jitter; one success opens it.

    While it is closed invocations wait instead of failing: otherwise a function that cannot start would use up the receive
    counts of its whole queue. When it opens, one worker is started as a test. If that fails too, waiting invocations are told.
    """

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._init_failures = 0
        self._crashes = 0
        self._failed_at = float("-inf")
        self.opens_at = float("-inf")

    @property
    def trying(self) -> bool:
        """The last start failed: only one worker is started at a time."""
        return self._init_failures > 0

    def start_failed(self, started_at: float, now: float) -> None:
        """A worker that was started at ``started_at`` never became ready.

        Workers started together fail together: they count once.
        """
        if started_at <= self._failed_at:
            return
        self._failed_at = now
        self._init_failures += 1
        self._close(FIRST_INIT_DELAY_SECONDS * 2.0 ** min(self._init_failures - 1, 10), now)

    def crashed(self, now: float) -> None:
        """A worker ended by itself in the middle of an invocation."""
        self._crashes += 1
        if self._crashes > CRASHES_FOR_FREE:
            self._close(FIRST_CRASH_DELAY_SECONDS * 2.0 ** min(self._crashes - CRASHES_FOR_FREE - 1, 10), now)

    def ready(self) -> None:
        """A worker became ready: starting works."""
        self._init_failures = 0

    def succeeded(self) -> None:
        """A worker answered an invocation."""
        if self._crashes or self._init_failures:
            self._init_failures = self._crashes = 0
            self.opens_at = float("-inf")

    def open(self, now: float) -> bool:
        """Whether a worker may be started."""
        return now >= self.opens_at

    def _close(self, delay: float, now: float) -> None:
        self.opens_at = now + min(delay, LONGEST_DELAY_SECONDS) * self._random.uniform(0.5, 1.0)


def starts(population: Population, gate: StartGate, now: float) -> int:
    """How many workers to start now."""
    if not gate.open(now):
        return 0
    room = population.concurrency - population.living
    wanted = min(
        population.waiting - population.starting - population.finishing, room, STARTS_AT_ONCE - population.starting
    )
    if gate.trying:
        wanted = min(wanted, 1 - population.starting)
    return max(0, wanted)


def init_limit_seconds(timeout_seconds: float) -> float:
    """How long a worker may take until it asks for its first invocation.

    Lambda gives 10 seconds, and then tries again within the function's timeout: what a function can use is the longer.
    """
    return max(10.0, timeout_seconds)
