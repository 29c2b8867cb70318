"""Takes the records of a page in: leaves out what is done or filtered, encodes the rest, and lets others run in between."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Protocol

import anyio.lowlevel

from pollers.clocks.clock import loop_time
from pollers.sources.streams.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pollers.aws.api import Wire
    from pollers.events.encoding import PageEncoder
    from pollers.sources.streams.current_stream import CurrentStream
    from pollers.sources.streams.done_ahead import DoneAhead

ENCODED_AT_ONCE = 1_000
"""Records encoded before the event loop gets its turn (a few milliseconds)."""
FILTERED_AT_ONCE = 200
"""The same with filters, which may have to parse every record."""


class RecordMatcher(Protocol):
    """As :class:`pollers.filtering.RecordFilter` is: says which wire records are for the function."""

    def matches(self, record: Wire) -> bool:
        """Whether this one is. Never raises."""


@dataclass(slots=True)
class Taken:
    """A page as it is taken in. ``sequence_numbers`` are of all its records; ``choice`` says which of them are for the function
    (None: all), and ``wire``, ``events`` and ``arrivals`` are of those alone."""

    sequence_numbers: list[str]
    choice: list[bool] | None
    wire: list[Wire]
    events: list[bytes]
    arrivals: list[float]

    @property
    def rejected(self) -> Iterable[int]:
        """The indices of the records that are not for the function."""
        return () if self.choice is None else compress(range(len(self.choice)), map(not_, self.choice))

    @property
    def filtered(self) -> list[str]:
        """The sequence numbers of the records that are not for the function."""
        return [] if self.choice is None else list(compress(self.sequence_numbers, map(not_, self.choice)))

    def records(self, first: int) -> Records:
        """The records for the function, where ``first`` is the offset of the page's first record."""
        numbers = self.sequence_numbers
        held = Records(list(range(first, first + len(numbers))), numbers, self.events, self.arrivals)
        if self.choice is not None:
            held.offsets = list(compress(held.offsets, self.choice))
            held.sequence_numbers = list(compress(numbers, self.choice))
        return held


class Intake:
    """Takes in the pages of one shard. ``done_ahead``: what earlier runs had done. ``record_filter`` None: nothing is filtered."""

    def __init__(
        self, shard_id: str, stream: CurrentStream, done_ahead: DoneAhead, record_filter: RecordMatcher | None
    ) -> None:
        self._stream = stream
        self._done_ahead = done_ahead
        self._record_filter = record_filter
        self._encode: PageEncoder = stream.source.encoder(shard_id)

    async def take(self, records: list[Wire]) -> Taken | None:
        """The page; None when an earlier run had done all of it: it is in that run's books."""
        source = self._stream.source
        if self._done_ahead.any:
            undone = self._done_ahead.undone(source.keys(records), source.sequence_numbers(records))
            records = list(compress(records, undone))
        if not records:
            return None
        sequence_numbers = source.sequence_numbers(records)
        choice = await matching(self._record_filter, records)
        chosen = records if choice is None else list(compress(records, choice))
        events = await encoded(self._encode, chosen)
        arrivals = source.arrivals(chosen, self._stream.service_time())
        if arrivals:
            source.service_clock.read_arrival(arrivals[-1], loop_time())
        return Taken(sequence_numbers, choice, chosen, events, arrivals)


async def matching(record_filter: RecordMatcher | None, records: list[Wire]) -> list[bool] | None:
    """Which records are for the function; None: all, since there is no filter."""
    if record_filter is None:
        return None
    choice: list[bool] = []
    for start in range(0, len(records), FILTERED_AT_ONCE):
        if start:
            await anyio.lowlevel.checkpoint()
        choice += map(record_filter.matches, records[start : start + FILTERED_AT_ONCE])
    return choice


async def encoded(encode: Callable[[list[Wire]], list[bytes]], records: list[Wire]) -> list[bytes]:
    """Their event records."""
    if len(records) <= ENCODED_AT_ONCE:
        return encode(records)
    events: list[bytes] = []
    for start in range(0, len(records), ENCODED_AT_ONCE):
        events += encode(records[start : start + ENCODED_AT_ONCE])
        await anyio.lowlevel.checkpoint()
    return events
