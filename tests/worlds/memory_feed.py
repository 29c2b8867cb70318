"""A change feed in memory: one shard that never ends, and resume tokens for positions, which cannot be compared.

No service of AWS has exactly this interface. It stands for the kinds of source that may come, like DocumentDB's change streams.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.aws.api import Page, ShardListing, StreamDescription
from pollers.aws.errors import NotFound, Refused, Trimmed
from pollers.clocks.service import ServiceClock
from tests.worlds.call_faults import NoFaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.aws.api import StartAt, Wire
    from tests.worlds.call_faults import Faults

SHARD = "feed"
PAGE_RECORDS = 1_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change, and the token to resume behind it."""

    token: str
    key: str
    value: str
    arrival: float

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
    """One feed. ``clock`` stamps changes. Every call goes through ``faults``."""

    arn = "arn:aws:rds:us-east-1:000000000000:cluster:shop"

    def __init__(self, clock: Callable[[], float]) -> None:
        self.faults: Faults = NoFaults()
        self.deleted = False
        self.service_clock = ServiceClock()
        self.changes: list[Change] = []
        self._clock = clock
        self._trimmed = 0

    def trim(self) -> None:
        """All changes so far leave the retention, and their tokens with them."""
        self._trimmed = len(self.changes)

    def put(self, key: str, value: str) -> str:
        """A change; its token."""
        token = hashlib.sha256(str(len(self.changes)).encode()).hexdigest()
        self.changes.append(Change(token, key, value, self._clock()))
        return token

    def upto(self, token: str) -> int:
        """How many changes there are up to a token, that of the last one counted."""
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

    async def iterator(self, start: StartAt) -> str:
        """A cursor from a position."""
        await self._before("iterator")
        match start.kind:
            case "TRIM_HORIZON":
                index = self._trimmed
            case "LATEST":
                index = len(self.changes)
            case "AFTER_SEQUENCE_NUMBER" if start.sequence_number is not None:
                index = self.upto(start.sequence_number)
                if index <= self._trimmed:
                    raise Trimmed("ChangeStreamHistoryLost", "the resume token is no longer in the log")
            case other:
                raise Refused("ValidationException", f"a feed cannot be read from {other}")
        await self.faults.after("iterator")
        return str(index)

    async def records(self, iterator: str, limit: int) -> Page:
        """The next changes; it never ends."""
        await self._before("records")
        begin = int(iterator)
        changes = self.changes[begin : begin + min(limit, PAGE_RECORDS)]
        behind = self._clock() - changes[-1].arrival if begin + len(changes) < len(self.changes) else 0.0
        await self.faults.after("records")
        records = [change.wire() for change in changes]
        return Page(records, str(begin + len(changes)), behind_seconds=behind, size_bytes=400 * len(changes))

    async def _before(self, operation: str) -> None:
        await self.faults.before(operation)
        if self.deleted:
            raise NotFound("ResourceNotFoundFault", "there is no such feed")
