"""A change feed in memory: one shard that never ends, and resume tokens for positions, which cannot be compared.

It names the position at its end, and how far it was read where the last changes are of no concern to the reader. Its iterators are
cursors: a call that fails or is cut short ends them.

No service of AWS has exactly this interface. It stands for the kinds of source that may come, like DocumentDB's change streams.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.aws.api import Page, ShardListing, StartAt, StreamDescription
from pollers.aws.errors import IteratorExpired, NotFound, Refused, Trimmed
from pollers.clocks.service import ServiceClock
from tests.worlds.call_faults import NoFaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.aws.api import Wire
    from tests.worlds.call_faults import Faults

SHARD = "feed"
PAGE_RECORDS = 1_000
BEGINNING = "0" * 64
"""The token before the first change."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, and the token to resume behind it. ``shown``: it is one of those that the reader of the feed is given."""

    token: str
    key: str
    value: str
    arrival: float
    shown: bool = True

    def wire(self) -> Wire:
        """As the service sends it."""
        return {
            "_id": {"_data": self.token},
            "operationType": "insert",
            "wallTime": self.arrival,
            "documentKey": {"_id": self.key},
            "fullDocument": {"_id": self.key, "value": self.value},
        }


class MemoryFeed:
    """One feed. ``clock`` stamps changes. Every call goes through ``faults``.

    ``stops_at_gaps``: its source has the mapping stop where changes are lost. ``sources`` counts those that are open, ``expired``
    the calls with cursors that were no more.
    """

    arn = "arn:aws:rds:us-east-1:000000000000:cluster:shop"

    def __init__(self, clock: Callable[[], float]) -> None:
        self.faults: Faults = NoFaults()
        self.deleted = False
        self.service_clock = ServiceClock()
        self.changes: list[Change] = []
        self._clock = clock
        self.stops_at_gaps = False
        self.sources = 0
        self.expired = 0
        self._cursors: dict[str, int] = {}
        self._opened = 0
        self._trimmed = 0

    def trim(self) -> None:
        """All changes so far leave the retention, and their tokens with them."""
        self._trimmed = len(self.changes)

    def put(self, key: str, value: str) -> str:
        """A change; its token."""
        return self._add(key, value, shown=True)

    def put_elsewhere(self) -> str:
        """A change that is not shown; its token."""
        return self._add("", "", shown=False)

    def _add(self, key: str, value: str, *, shown: bool) -> str:
        token = hashlib.sha256(str(len(self.changes)).encode()).hexdigest()
        self.changes.append(Change(token, key, value, self._clock(), shown))
        return token

    def upto(self, token: str) -> int:
        """How many changes there are up to a token, that of the last one counted."""
        if token == BEGINNING:
            return 0
        return next(index for index, change in enumerate(self.changes, 1) if change.token == token)

    async def describe(self) -> StreamDescription:
        """Whether it is there."""
        await self._before("describe")
        await self.faults.after("describe")
        return StreamDescription(self.arn, "first", "ENABLED")

    async def shards(self) -> list[ShardListing]:
        """The one shard, always open."""
        await self._before("shards")
        await self.faults.after("shards")
        return [ShardListing(SHARD, (), "", None)]

    async def tip(self) -> StartAt:
        """The position behind the last change."""
        await self._before("tip")
        token = self.changes[-1].token if self.changes else BEGINNING
        await self.faults.after("tip")
        return StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=token)

    async def iterator(self, start: StartAt) -> str:
        """A cursor from a position."""
        await self._before("iterator")
        match start.kind:
            case "TRIM_HORIZON":
                index = self._trimmed
            case "AFTER_SEQUENCE_NUMBER" if start.sequence_number is not None:
                index = self.upto(start.sequence_number)
                if index <= self._trimmed and self._trimmed:
                    raise Trimmed("ChangeStreamHistoryLost", "the resume token is no longer in the log")
            case other:
                raise Refused("ValidationException", f"a feed cannot be read from {other}")
        await self.faults.after("iterator")
        self._opened += 1
        self._cursors[str(self._opened)] = index
        return str(self._opened)

    async def records(self, iterator: str, limit: int) -> Page:
        """The next changes; it never ends."""
        begin = self._cursors.pop(iterator, None)
        await self._before("records")
        if begin is None:
            self.expired += 1
            raise IteratorExpired("CursorNotFound", "there is no such cursor")
        if begin < self._trimmed:
            raise Trimmed("CappedPositionLost", "the cursor has fallen behind the log")
        changes = self.changes[begin : begin + min(limit, PAGE_RECORDS)]
        behind = self._clock() - changes[-1].arrival if begin + len(changes) < len(self.changes) else 0.0
        await self.faults.after("records")
        self._cursors[iterator] = begin + len(changes)
        records = [change.wire() for change in changes if change.shown]
        continuation = changes[-1].token if changes and not changes[-1].shown else None
        size_bytes = 400 * len(changes)
        return Page(records, iterator, behind_seconds=behind, size_bytes=size_bytes, continuation=continuation)

    async def _before(self, operation: str) -> None:
        await self.faults.before(operation)
        if self.deleted:
            raise NotFound("ResourceNotFoundFault", "there is no such feed")
