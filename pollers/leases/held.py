"""The leases that one replica has: until when each may be believed in, and when it has to be renewed. A decider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

RENEWALS = 3
"""Renewals in the time of a failover."""


@dataclass(frozen=True, slots=True)
class Mine:
    """One lease: the counter that its next write expects, when it was renewed (from before that request), and when it is due."""

    counter: int
    renewed: float
    due: float


class Held:
    """The leases that are mine, as far as I know. Times are monotonic seconds."""

    def __init__(self, failover: float, rng: random.Random) -> None:
        self._failover = failover
        self._rng = rng
        self.leases: dict[str, Mine] = {}

    def renewed(self, shard_id: str, counter: int, at: float) -> None:
        """It was taken, renewed or saved, by a write that was sent at ``at`` or later.

        Due times are scattered a little, so that leases that were taken together are not renewed together for ever.
        """
        due = at + self._failover / RENEWALS * self._rng.uniform(0.8, 1.0)
        self.leases[shard_id] = Mine(counter, at, due)

    def until(self, shard_id: str) -> float:
        """When others may take it; -inf when it is not mine."""
        mine = self.leases.get(shard_id)
        return mine.renewed + self._failover if mine else float("-inf")

    def due(self, now: float) -> list[str]:
        """Those that have to be renewed now, the oldest first."""
        due = [shard_id for shard_id, mine in self.leases.items() if mine.due <= now]
        return sorted(due, key=lambda shard_id: self.leases[shard_id].due)

    def next_due(self) -> float | None:
        """When the next one has to be renewed; None when there is none."""
        return min((mine.due for mine in self.leases.values()), default=None)
