"""How fast and how much is read: pace, page size, and the read-ahead of a whole mapping. Deciders.

A shard is polled at its source's base rate when caught up (docs/lambda 2.7) and as fast as the service allows when behind
(4.7). Errors wait with growing, jittered delays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.engine.backoff import Backoff
from pollers.sources.streams.records import RECORD_OVERHEAD_BYTES

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

ERROR_SECONDS = (0.2, 30.0)
"""First and longest step of the waits after calls that failed."""
DECODE_BUDGET_SECONDS = 0.003
"""How long decoding a page may hold the event loop, by what earlier pages took; a page of unknown records starts small."""
PAGE_BYTES = 3 * 1024 * 1024
"""What a page may take when it is held.

Smaller pages are cheaper: of 300 B records, 2,400 at a time cost a fifth less CPU each than 7,000, whose objects fall out of the
caches and whose memory goes back to the system each time. Five reads a second of such pages are far over a shard's 2 MB/s.
"""
FIRST_LIMIT = 500
"""Records asked for before anything is known of them."""
GROWTH = 4
"""At most this many times as many records are asked for as the largest page so far had."""
EMPTY_POLLS_AT_TIP = 5
"""Empty replies in a row after which a reader that is not told its distance counts as caught up (4.7: one means nothing)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A source's limits. Times in seconds; ``bytes_per_second`` is for each shard, counted as the service counts."""

    idle_seconds: float
    behind_seconds: float
    page_records: int
    bytes_per_second: float | None = None


class Polling:
    """When a shard is polled next. ``random`` gives the jitter."""

    def __init__(self, pace: Pace, random: random.Random) -> None:
        self._pace = pace
        self._backoff = Backoff(random, initial=ERROR_SECONDS[0], maximum=ERROR_SECONDS[1])
        self._empty = 0
        self.at_tip = False

    def came(self, count: int, size_bytes: int, behind_seconds: float | None) -> float:
        """A page came; returns how many seconds after the call *began* the next may begin."""
        self._backoff.reset()
        self._empty = 0 if count else self._empty + 1
        if behind_seconds is None:
            self.at_tip = self._empty >= EMPTY_POLLS_AT_TIP
            behind = count > 0
        else:
            self.at_tip = not count and behind_seconds <= 0
            behind = behind_seconds > 0
        pace = self._pace
        wait = pace.behind_seconds if behind else pace.idle_seconds
        if pace.bytes_per_second is not None:
            wait = max(wait, size_bytes / pace.bytes_per_second)
        return wait

    def failed(self) -> float:
        """A call failed; returns how many seconds to wait."""
        self.at_tip = False
        return self._backoff.next()


class PageLimit:
    """How many records to ask for, so that no page takes more memory or holds the event loop longer than it may.

    What a record costs is learned from the pages that came; a change to larger records is met by the largest page of late.
    """

    def __init__(self, pace: Pace) -> None:
        self._most = pace.page_records
        self._known = FIRST_LIMIT // GROWTH
        self._seconds = 0.0
        self._bytes = 0.0

    def came(self, count: int, held_bytes: int, decode_seconds: float) -> None:
        """A page of ``count`` records came, which take ``held_bytes``; ``decode_seconds`` is what decoding it took."""
        if not count:
            return
        # A small page says little of the time: a pause of the machine is not the cost of a record.
        if count >= self._known // 2:
            self._seconds = max(decode_seconds / count, self._seconds * 0.8)
        self._bytes = max(held_bytes / count, self._bytes * 0.8)
        self._known = max(count, self._known)

    def records(self, room_records: int, room_bytes: int) -> int:
        """The limit for the next call: at least 1."""
        limit = min(self._most, room_records, self._known * GROWTH)
        if self._seconds:
            limit = min(limit, int(DECODE_BUDGET_SECONDS / self._seconds))
        if self._bytes:
            limit = min(limit, int(min(room_bytes, PAGE_BYTES) / self._bytes))
        return max(1, limit)


@dataclass(slots=True, eq=False)
class Holding:
    """What one shard holds of its mapping's read-ahead. ``freed`` is called when it makes sense to ask for room again."""

    freed: Callable[[], None]
    records: int = 0
    bytes: int = 0


class ReadAhead:
    """What all shards of a mapping hold together: read and not yet done with.

    A shard may read while all of them together are below the limits, and in any case up to its share of half the limits,
    so that shards whose function is stuck cannot keep the others from reading: together they never hold more than one and a
    half times the limits. One page for each shard may come on top, since a page is asked for by what earlier records
    were like, and a shard that holds nothing may always read.
    """

    def __init__(self, limit_records: int, limit_bytes: int) -> None:
        self._limit_records = limit_records
        self._limit_bytes = limit_bytes
        self._holdings: set[Holding] = set()
        self._waiting: set[Holding] = set()
        self.records = 0
        self.bytes = 0

    def join(self, freed: Callable[[], None]) -> Holding:
        """A shard begins to read."""
        holding = Holding(freed)
        self._holdings.add(holding)
        return holding

    def leave(self, holding: Holding) -> None:
        """A shard is not read any more; what it held is gone."""
        self.release(holding, holding.records, holding.bytes)
        self._holdings.discard(holding)
        self._waiting.discard(holding)

    def hold(self, holding: Holding, records: int, size_bytes: int) -> None:
        """A shard has read this much."""
        holding.records += records
        holding.bytes += size_bytes
        self.records += records
        self.bytes += size_bytes

    def release(self, holding: Holding, records: int, size_bytes: int) -> None:
        """A shard is done with this much: it may read again, and so may others once a good part is free."""
        self.hold(holding, -records, -size_bytes)
        if not self._waiting:
            return
        plenty = self.records <= self._limit_records * 3 // 4 and self.bytes <= self._limit_bytes * 3 // 4
        for waiting in list(self._waiting) if plenty else [holding]:
            waiting.freed()

    def room(self, holding: Holding) -> tuple[int, int] | None:
        """How many records and bytes a shard may read now; None when it must wait until ``freed`` is called."""
        # Half of the limits is shared out evenly and cannot be taken by others. Without that, shards whose function is stuck
        # would fill all of the read-ahead, and a shard that could go on would wait for them: for ever, where a parent does.
        own_records = self._limit_records // 2 // len(self._holdings)
        own_bytes = self._limit_bytes // 2 // len(self._holdings)
        records = max(own_records - holding.records, self._limit_records - self.records)
        size_bytes = max(own_bytes - holding.bytes, self._limit_bytes - self.bytes)
        self._waiting.discard(holding)
        # A shard that holds nothing frees nothing, so that nobody would ever tell it to ask again.
        if not holding.records:
            return max(1, records), max(RECORD_OVERHEAD_BYTES, size_bytes)
        if records >= max(1, own_records // 4) and size_bytes >= max(1, own_bytes // 4):
            return records, size_bytes
        self._waiting.add(holding)
        return None
