"""Lanes: how a shard's records are shared out for parallel invocations, and how far the shard is done. Deciders.

A shard has ``parallelization_factor`` lanes. A record's lane is ``crc32(key) % factor``: the same key always meets the same
lane, in every process and version, and each lane works in order (docs/lambda 4.1, 10.2). The key is the partition key
(Kinesis) or the item's key (DynamoDB).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from zlib import crc32

from pollers.checkpoints.store import LanesDone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pollers.sources.streams.records import Records


def lane_of(key: bytes, factor: int) -> int:
    """The lane, from 0, of a record with this key."""
    return crc32(key) % factor


def share_out(records: Records, keys: Sequence[bytes], factor: int) -> list[Records]:
    """The records of each lane, in order. ``keys`` line up with the records."""
    indices: list[list[int]] = [[] for _ in range(factor)]
    for index, key in enumerate(keys):
        indices[crc32(key) % factor].append(index)
    return [records.at(lane) for lane in indices]


@dataclass(frozen=True, slots=True)
class Step:
    """What a checkpoint can be moved by: ``count`` records are newly done (discarded ones not counted again).

    ``upto``: the position that everything below is done. ``accepted`` and ``finished``: what the lanes had done by then.
    """

    sequence_number: str | None
    count: int
    upto: int
    accepted: int = 0
    finished: int = 0


class Progress:
    """Which records of one shard are done, as far as the checkpoint is concerned.

    Positions count the records read, from 0. The checkpoint is the record below the lowest unfinished one (``lowest``), over all
    lanes. What lanes have done above it is written beside it (see :class:`EarlierLanes`), and so counts as written too.
    """

    def __init__(self) -> None:
        self._pages: deque[tuple[int, list[str]]] = deque()
        self._marker: tuple[int, str] | None = None
        self._discarded: list[int] = []
        self._filtered: list[int] = []
        self._batches: deque[Sequence[int]] = deque()
        self._batches_gone = 0
        self._batches_written = 0
        self._accepted = 0
        self._booked = 0
        self._given_up = 0
        self.read = 0
        self.saved = 0

    def take(self, sequence_numbers: list[str], filtered: Iterable[int] = ()) -> int:
        """Records were read, those at the indices ``filtered`` done already; returns the position of the first."""
        first = self.read
        if sequence_numbers:
            self._pages.append((first, sequence_numbers))
            self.read += len(sequence_numbers)
            self._filtered.extend(first + index for index in filtered)
        return first

    def mark(self, sequence_number: str) -> None:
        """Everything up to this sequence number has been read; there is no record of it (an event without records)."""
        self._marker = self.read, sequence_number

    def accept(self, positions: Sequence[int]) -> None:
        """The function accepted these records, which lie below the lowest unfinished one of their lane."""
        self._batches.append(positions)
        self._accepted += len(positions)

    def discard(self, positions: Sequence[int]) -> None:
        """These records have been given up on and are accounted for already."""
        self._discarded.extend(positions)
        self._given_up += len(positions)

    @property
    def unsaved(self) -> int:
        """Records read that no saved checkpoint covers and that are not discarded."""
        return self.read - self._booked - self._given_up

    def unsaved_sequence_numbers(self) -> list[str]:
        """Those records."""
        gone = set(self._discarded)
        for batch in islice(self._batches, self._batches_written - self._batches_gone):
            gone.update(batch)
        return [
            sequence_number
            for first, page in self._pages
            for position, sequence_number in enumerate(page, first)
            if position >= self.saved and position not in gone
        ]

    def moved(self, lowest: int | None) -> bool:
        """Whether a checkpoint below ``lowest`` (None: nothing is unfinished) would be news."""
        upto = self.read if lowest is None else lowest
        return upto > self.saved or (self._marker is not None and self._marker[0] == upto)

    def step(self, lowest: int | None, kept: str | None = None) -> Step:
        """The checkpoint below ``lowest``; that of ``kept`` where it is no news."""
        upto = self.read if lowest is None else lowest
        if self._marker is not None and self._marker[0] == upto:
            number: str | None = self._marker[1]
        else:
            number = self._at(upto - 1) if upto > self.saved else kept
        # Whatever is below ``upto`` was accepted, filtered or discarded.
        count = self._accepted + bisect_left(self._filtered, upto) - self._booked
        return Step(number, count, upto, self._batches_gone + len(self._batches))

    def _at(self, position: int) -> str:
        for first, page in self._pages:
            if position < first + len(page):
                return page[position - first]
        raise IndexError(position)

    def saved_step(self, step: Step) -> None:
        """The checkpoint has been written."""
        self.saved = step.upto
        self._booked += step.count
        self._batches_written = step.accepted
        self._discarded = [position for position in self._discarded if position >= step.upto]
        while self._pages and self._pages[0][0] + len(self._pages[0][1]) <= step.upto:
            self._pages.popleft()
        while self._batches_gone < step.accepted and self._batches[0][-1] < step.upto:
            self._batches.popleft()
            self._batches_gone += 1
        self._forget_filtered(step.upto)
        if self._marker is not None and (self._marker[0] < step.upto or self._marker[1] == step.sequence_number):
            self._marker = None

    def _forget_filtered(self, upto: int) -> None:
        """Filtered records below the checkpoint are booked: they are taken off both sides of the count."""
        count = bisect_left(self._filtered, upto)
        if count:
            del self._filtered[:count]
            self._accepted += count


KEPT_EARLIER = 3
"""Entries of other numbers of lanes that a checkpoint keeps: a setting that is changed at each of more restarts repeats records."""


class EarlierLanes:
    """What lanes have done above the checkpoint, in this run and in earlier ones. A decider.

    A lane does its records in order, so that one sequence number a lane says all: every record of that lane up to there is done. It
    is read with the number of lanes that it was written with, whatever that is now.
    """

    def __init__(self, ahead: Sequence[LanesDone]) -> None:
        self._earlier = [done.upto for done in ahead]
        self._numbers = [[_number(upto) for upto in done] for done in self._earlier]
        self._highest = max((number for numbers in self._numbers for number in numbers), default=-1)

    @property
    def any(self) -> bool:
        """Whether some of the records that come next may be done already."""
        return self._highest >= 0

    def undone(self, keys: Sequence[bytes], sequence_numbers: Sequence[str]) -> list[bool]:
        """Which of the records that were read next are not done yet."""
        if _number(sequence_numbers[0]) > self._highest:
            self._highest = -1
        if not self.any:
            return [True] * len(keys)
        return [self._is_undone(key, _number(number)) for key, number in zip(keys, sequence_numbers, strict=True)]

    def _is_undone(self, key: bytes, number: int) -> bool:
        spread = crc32(key)
        return number < 0 or all(number > numbers[spread % len(numbers)] for numbers in self._numbers)

    def above(self, sequence_number: str | None, lanes: Sequence[str | None] = ()) -> tuple[LanesDone, ...]:
        """What is to be kept beside a checkpoint, with what each lane has done in this run (none: there is but one lane)."""
        below = _number(sequence_number)
        entries = [upto for upto in self._earlier if len(upto) != len(lanes)][-KEPT_EARLIER:]
        if lanes:
            same = next((upto for upto in self._earlier if len(upto) == len(lanes)), (None,) * len(lanes))
            entries.append(tuple(max(pair, key=_number) for pair in zip(same, lanes, strict=True)))
        kept = (tuple(one if _number(one) > below else None for one in entry) for entry in entries)
        return tuple(LanesDone(entry) for entry in kept if any(entry))


def _number(sequence_number: str | None) -> int:
    """A sequence number to compare by; -1 for none, and for one that is no number: its records are delivered again."""
    if sequence_number is None:
        return -1
    try:
        return int(sequence_number)
    except ValueError:
        return -1
