"""Lanes: how a shard's records are shared out for parallel invocations, and how far the shard is done. Deciders.

A shard has ``parallelization_factor`` lanes. A record's lane is ``crc32(key) % factor``: the same key always meets the same
lane, in every process and version, and each lane works in order (lambda-behaviour 4.1, 10.2). The key is the partition key
(Kinesis) or the item's key (DynamoDB).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.streams.records import Records


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

    ``finished``: what the shard had finished by then (see :class:`pollers.streams.unwritten.Unwritten`).
    """

    sequence_number: str
    count: int
    upto: int
    finished: int = 0


class Progress:
    """Which records of one shard are done, as far as the checkpoint is concerned.

    Positions count the records read, from 0. The checkpoint is the record below the lowest unfinished one (``lowest``), over
    all lanes: what is done above it is not lost, only delivered again after a crash.
    """

    def __init__(self) -> None:
        self._pages: deque[tuple[int, list[str]]] = deque()
        self._marker: tuple[int, str] | None = None
        self._discarded: list[int] = []
        self.read = 0
        self.saved = 0

    def take(self, sequence_numbers: list[str]) -> int:
        """Records were read, done or not; returns the position of the first."""
        first = self.read
        if sequence_numbers:
            self._pages.append((first, sequence_numbers))
            self.read += len(sequence_numbers)
        return first

    def mark(self, sequence_number: str) -> None:
        """Everything up to this sequence number has been read; there is no record of it (an event without records)."""
        self._marker = self.read, sequence_number

    def discard(self, positions: Sequence[int]) -> None:
        """These records have been given up on and are accounted for already."""
        self._discarded.extend(positions)

    @property
    def unsaved(self) -> int:
        """Records read that no saved checkpoint covers and that are not discarded."""
        return self.read - self.saved - len(self._discarded)

    def unsaved_sequence_numbers(self) -> list[str]:
        """Those records."""
        discarded = set(self._discarded)
        return [
            sequence_number
            for first, page in self._pages
            for position, sequence_number in enumerate(page, first)
            if position >= self.saved and position not in discarded
        ]

    def moved(self, lowest: int | None) -> bool:
        """Whether a checkpoint below ``lowest`` (None: nothing is unfinished) would be news."""
        upto = self.read if lowest is None else lowest
        return upto > self.saved or (self._marker is not None and self._marker[0] == upto)

    def step(self, lowest: int | None) -> Step | None:
        """The checkpoint below ``lowest``, if it is news."""
        if not self.moved(lowest):
            return None
        upto = self.read if lowest is None else lowest
        marked = self._marker is not None and self._marker[0] == upto
        sequence_number = self._marker[1] if self._marker is not None and marked else self._at(upto - 1)
        discarded = sum(position < upto for position in self._discarded)
        return Step(sequence_number, upto - self.saved - discarded, upto)

    def _at(self, position: int) -> str:
        for first, page in self._pages:
            if position < first + len(page):
                return page[position - first]
        raise IndexError(position)

    def saved_step(self, step: Step) -> None:
        """The checkpoint has been written."""
        self.saved = step.upto
        self._discarded = [position for position in self._discarded if position >= step.upto]
        while self._pages and self._pages[0][0] + len(self._pages[0][1]) <= step.upto:
            self._pages.popleft()
        if self._marker is not None and (self._marker[0] < step.upto or self._marker[1] == step.sequence_number):
            self._marker = None
