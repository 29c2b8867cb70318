"""How leases are shared out, in plain numbers. A decider.

Everybody counts for itself, with the same rule: nobody leads. Two owners are balanced when they differ by one at most. Whoever
has two less than another asks it for one; so each move makes the shares more even, and when all are balanced nobody asks.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def my_part(available: int, mine: int, others: Collection[int]) -> int:
    """How many of the ``available`` leases fall to me, each going to whoever has the fewest then; I come first among equals.

    ``others``: how many each of the other workers has. First among equals is everybody in its own eyes: the table lets one win.
    """
    heap = [(mine, 0), *((count, 1) for count in others)]
    heapq.heapify(heap)
    part = 0
    for _ in range(available):
        count, other = heap[0]
        part += not other
        heapq.heapreplace(heap, (count + 1, other))
    return part


def uneven(more: int, less: int) -> bool:
    """Whether the owner of ``more`` leases should give one to the owner of ``less``."""
    return more >= less + 2


def may_ask_for(leases: int, workers: int, mine: int, most: int) -> int:
    """How many leases I may ask for at the same time, when I have ``mine`` and somebody has ``most``.

    Up to what everybody has when shares are equal (rounded down), so that several who ask at once do not ask for too much; above
    that one, as long as somebody has two more than I.
    """
    return max(leases // workers - mine, int(uneven(most, mine)))
