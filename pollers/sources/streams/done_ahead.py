"""What the lanes of a shard have done above its checkpoint, in this run and in earlier ones. A decider.

A lane does its records in order, so that one position a lane says all: every record of that lane up to there is done. It is read
with the number of lanes that it was written with, whatever that is now. This takes positions that have an order: what a lane has
done above the checkpoint is recognised by lying at or before the lane's position, and without an order a lane's own position might
never come by again. So a source whose positions have none gets one lane, and then nothing is ever done above the checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from pollers.checkpoints.store import LanesDone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.sources.streams.positions import Positions

KEPT_EARLIER = 3
"""Entries of other numbers of lanes that a checkpoint keeps: a setting that is changed at each of more restarts repeats records."""


class DoneAhead:
    """Tells which records that come next are done already, and what is kept of that beside the checkpoint."""

    def __init__(self, ahead: Sequence[LanesDone], positions: Positions) -> None:
        self._positions = positions
        self._earlier = [done.upto for done in ahead]
        self._orders = [[self._order(upto) for upto in entry] for entry in self._earlier]
        self._highest = max((one for entry in self._orders for one in entry if one is not None), default=None)

    @property
    def any(self) -> bool:
        """Whether some of the records that come next may be done already."""
        return self._highest is not None

    def undone(self, keys: Sequence[bytes], positions: Sequence[str]) -> list[bool]:
        """Which of the records that were read next are not done yet; ``keys`` and ``positions`` line up with them."""
        first = self._order(positions[0])
        if self._highest is None or (first is not None and first > self._highest):
            # Read past all that an earlier run had done: from here on a page costs nothing more.
            self._highest = None
            return [True] * len(keys)
        return [self._is_undone(key, self._order(position)) for key, position in zip(keys, positions, strict=True)]

    def _is_undone(self, key: bytes, order: Any) -> bool:  # noqa: ANN401 - what the source's positions compare by
        if order is None:  # nobody can tell: it is delivered again
            return True
        spread = crc32(key)
        lane_orders = (entry[spread % len(entry)] for entry in self._orders)
        return all(upto is None or order > upto for upto in lane_orders)

    def above(self, position: str | None, lanes: Sequence[str | None] = ()) -> tuple[LanesDone, ...]:
        """What is to be kept beside a checkpoint, with what each lane has done in this run (none: there is but one lane)."""
        below = self._order(position)
        entries = [upto for upto in self._earlier if len(upto) != len(lanes)][-KEPT_EARLIER:]
        if lanes:
            same = next((upto for upto in self._earlier if len(upto) == len(lanes)), (None,) * len(lanes))
            entries.append(tuple(self._later(*pair) for pair in zip(same, lanes, strict=True)))
        kept = (tuple(upto if self._is_above(upto, below) else None for upto in entry) for entry in entries)
        return tuple(LanesDone(entry) for entry in kept if any(entry))

    def _later(self, one: str | None, other: str | None) -> str | None:
        return other if self._is_above(other, self._order(one)) else one

    def _is_above(self, position: str | None, below: Any | None) -> bool:  # noqa: ANN401 - as above
        order = self._order(position)
        return order is not None and (below is None or order > below)

    def _order(self, position: str | None) -> Any | None:  # noqa: ANN401 - as above
        return None if position is None else self._positions.order(position)
