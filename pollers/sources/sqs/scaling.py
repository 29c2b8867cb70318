"""How many receives to run, how much to ask for, and how many invocations to allow. Deciders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

RECEIVE_LIMIT = 10
"""ReceiveMessage returns at most this many messages."""

RECEIVES_AT_MOST = 40
"""Receives in flight for one mapping: at 5 to 15 ms each they bring more than one process can handle."""

STREAK = 8
"""After this number of receives in a row that brought something, full or not, one more at a time is justified."""

AHEAD_SECONDS = 1.0
"""Messages may be received ahead of a permit if they will have been started within this time."""


class ReceiveTarget:
    """How many receives are to run at a time.

    One when idle; one more for each that comes back full; half as many once one is empty.
    """

    def __init__(self, at_most: int = RECEIVES_AT_MOST) -> None:
        self._at_most = at_most
        self._limit = at_most
        self._streak = 0
        self.target = 1

    def limit(self, justified: int) -> None:
        """Permits justify no more than this; two, so that busy and idle differ, also where there is but one permit."""
        self._limit = max(2, min(self._at_most, justified))
        self.target = min(self.target, self._limit)

    @property
    def idle(self) -> bool:
        """Whether one long poll is enough."""
        return self.target == 1

    def returned(self, asked: int, got: int) -> None:
        """A receive came back."""
        if not got:
            self._streak = 0
            self.target = max(1, self.target // 2)
            return
        self._streak += 1
        if got >= asked or got >= RECEIVE_LIMIT // 2 or self._streak % STREAK == 0:
            self.target = min(self._limit, self.target + 1)

    def failed(self) -> None:
        """A receive failed: try again with one."""
        self._streak = 0
        self.target = 1


class Concurrency:
    """How many invocations are allowed while the function keeps failing (docs/lambda 2.5).

    Each failure takes a tenth, each success gives one back, so that a poison message now and then costs nothing while a function
    that does nothing but fail is soon called once at a time.
    """

    SHRINK = 0.9

    def __init__(self) -> None:
        self._allowed: float | None = None

    def allowed(self, limit: int) -> int:
        """Invocations at most, given the claim's own limit. At least one."""
        if self._allowed is None or self._allowed >= limit:
            self._allowed = None
            return max(1, limit)
        return max(1, int(self._allowed))

    def failed(self, limit: int) -> None:
        """An invocation failed, or was throttled."""
        base = float(limit) if self._allowed is None else min(self._allowed, limit)
        self._allowed = max(1.0, base * self.SHRINK)

    def succeeded(self) -> None:
        """An invocation succeeded."""
        if self._allowed is not None:
            self._allowed += 1.0


class Pace:
    """How fast the function takes batches: a moving mean of what an invocation takes."""

    WEIGHT = 0.2

    def __init__(self) -> None:
        self._mean: float | None = None

    def took(self, seconds: float) -> None:
        """An invocation ended after this long."""
        self._mean = seconds if self._mean is None else self._mean + self.WEIGHT * (seconds - self._mean)

    def ahead(self, batch_size: int, concurrency: int) -> int:
        """How many messages may be received ahead of permits: what ``concurrency`` invocations start within a second.

        Only for batches smaller than a receive, which would else cost a receive each; nothing before the first invocation is
        known, nothing for a slow function, at most one receive for each permit.
        """
        if batch_size >= RECEIVE_LIMIT or self._mean is None:
            return 0
        most = RECEIVE_LIMIT * concurrency
        if self._mean * most <= AHEAD_SECONDS * concurrency * batch_size:
            return most
        return int(AHEAD_SECONDS / self._mean * concurrency * batch_size)


@dataclass(slots=True)
class Observed:
    """What a poller has seen of its queue and function, and what the planner therefore considers.

    ``mean_bytes`` is what messages weigh of late (0: none came yet). Until ``careful_until`` receives ask for no more than
    ``careful_size`` messages.
    """

    SIZE_WEIGHT: ClassVar[float] = 0.2

    pace: Pace = field(default_factory=Pace)
    mean_bytes: float = 0.0
    careful_until: float = 0.0
    careful_size: int = 1

    def received(self, messages: int, size_bytes: int) -> None:
        """A receive brought so many messages, of this size together."""
        weight = self.SIZE_WEIGHT if self.mean_bytes else 1.0
        self.mean_bytes += (size_bytes / messages - self.mean_bytes) * weight

    def be_careful(self, size: int, until: float) -> None:
        """Messages of FIFO groups went back without being run; read no further than that for a while."""
        self.careful_until = until
        self.careful_size = size
