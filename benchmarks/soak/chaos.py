"""Which faults happen when: all of it from a seed (decider)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection
    from random import Random

KINDS: Final[dict[str, tuple[float, float]]] = {
    "kill": (0.0, 3.0),
    "terminate": (0.0, 3.0),
    "kill a worker": (0.0, 0.0),
    "cut": (0.5, 4.0),
    "stall": (1.0, 10.0),
    "truncate": (2.0, 10.0),
    "bad gateway": (2.0, 10.0),
    "mutate": (2.0, 10.0),
    "unread log": (3.0, 15.0),
    "locked store": (1.0, 10.0),
}
"""Every fault with the least and the most seconds that it lasts (for a kill: until the next start)."""

ON_THE_WIRE: Final = frozenset({"cut", "stall", "truncate", "bad gateway", "mutate"})
"""Faults of the proxies between Headrace and the emulators."""

_GAP_SECONDS = (0.5, 5.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: when it begins, in seconds from the start, and for how long it lasts. Faults may overlap."""

    at: float
    kind: str
    seconds: float


def schedule(random: Random, seconds: float, kinds: Collection[str]) -> list[Fault]:
    """The faults of a soak of so many seconds. Each round of them has every kind once, so that even a short soak has all."""
    faults: list[Fault] = []
    at = random.uniform(*_GAP_SECONDS)
    waiting: list[str] = []
    while kinds and at < seconds:
        if not waiting:
            waiting = sorted(kinds)
            random.shuffle(waiting)
        kind = waiting.pop()
        faults.append(Fault(at, kind, random.uniform(*KINDS[kind])))
        at += random.uniform(*_GAP_SECONDS)
    return faults
