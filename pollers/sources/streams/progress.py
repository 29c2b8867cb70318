"""How far a shard is done: which of its records are finished, and where its checkpoint may be moved. A decider."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Step:
    """What a checkpoint can be moved by: ``count`` records are newly done (discarded ones not counted again).

    ``upto``: the offset that everything below is done. ``record``: the position of the last of these records, if it is not written
    yet; ``sequence_number`` may lie behind it. ``accepted`` and ``finished``: what the lanes had done by then.
    """

    sequence_number: str | None
    count: int
    upto: int
    record: str | None = None
    accepted: int = 0
    finished: int = 0


class Progress:
    """Which records of one shard are done, as far as the checkpoint is concerned.

    Offsets count the records read, from 0. The checkpoint is the record below the lowest unfinished one (``lowest``), over all
    lanes. What lanes have done above it is written beside it (see :mod:`pollers.sources.streams.done_ahead`), and so counts as
    written too.
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
        """Records were read, those at the indices ``filtered`` done already; returns the offset of the first."""
        first = self.read
        if sequence_numbers:
            self._pages.append((first, sequence_numbers))
            self.read += len(sequence_numbers)
            self._filtered.extend(first + index for index in filtered)
        return first

    def read_upto(self, position: str) -> None:
        """Everything up to this position has been read; there is no record of it (an event without records)."""
        self._marker = self.read, position

    def accept(self, offsets: Sequence[int]) -> None:
        """The function accepted these records, which lie below the lowest unfinished one of their lane."""
        self._batches.append(offsets)
        self._accepted += len(offsets)

    def discard(self, offsets: Sequence[int]) -> None:
        """These records have been given up on and are accounted for already."""
        self._discarded.extend(offsets)
        self._given_up += len(offsets)

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
            for offset, sequence_number in enumerate(page, first)
            if offset >= self.saved and offset not in gone
        ]

    def moved(self, lowest: int | None) -> bool:
        """Whether a checkpoint below ``lowest`` (None: nothing is unfinished) would change it."""
        upto = self.read if lowest is None else lowest
        return upto > self.saved or (self._marker is not None and self._marker[0] == upto)

    def step(self, lowest: int | None, kept: str | None = None) -> Step:
        """The checkpoint below ``lowest``; that of ``kept`` where it stays."""
        upto = self.read if lowest is None else lowest
        record = self._at(upto - 1) if upto > self.saved else None
        number = record or kept
        if self._marker is not None and self._marker[0] == upto:
            number = self._marker[1]
        # Below the lowest unfinished record of all lanes nothing is owed: all of it was accepted, filtered or discarded.
        count = self._accepted + bisect_left(self._filtered, upto) - self._booked
        return Step(number, count, upto, record, self._batches_gone + len(self._batches))

    def _at(self, offset: int) -> str:
        for first, page in self._pages:
            if offset < first + len(page):
                return page[offset - first]
        raise IndexError(offset)

    def saved_step(self, step: Step) -> None:
        """The checkpoint has been written."""
        self.saved = step.upto
        self._booked += step.count
        self._batches_written = step.accepted
        self._discarded = [offset for offset in self._discarded if offset >= step.upto]
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
