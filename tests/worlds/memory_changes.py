"""Change streams of a cluster in memory (``memory_cluster``), with faults at every call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from pollers.aws.errors import IteratorExpired, NotFound, Refused, Unavailable
from pollers.clocks.service import ServiceClock
from pollers.sources.documentdb.api import NOW, Changes, Opened, ServerFacts
from tests.worlds.memory_cluster import COLLECTION, DATABASE, View

if TYPE_CHECKING:
    from pollers.sources.documentdb.api import Cursor, Opening, OperationTime, ResumeToken
    from tests.worlds.memory_cluster import MemoryCluster

CURSOR_SECONDS = 600.0
"""After which a server forgets a cursor that nobody asks."""
REPLY_BYTES = 16 * 1024 * 1024
CLOSE_SECONDS = 2.0


@dataclass(eq=False, slots=True)
class _Open:
    """A cursor. ``dead``: its client has given it up."""

    place: int
    token: ResumeToken
    not_before: OperationTime
    term: int
    asked_at: float
    dead: bool = False


class MemoryChanges:
    """One reader of a cluster; implements ``ChangeStreamApi``. ``openings`` are all that it has asked for."""

    def __init__(
        self,
        cluster: MemoryCluster,
        database: str = DATABASE,
        collection: str | None = COLLECTION,
        *,
        lookup: bool = False,
    ) -> None:
        self.service_clock = ServiceClock()
        self.openings: list[Opening] = []
        self.closed = False
        self._cluster = cluster
        self._view = View(database, collection, lookup)
        self._cursors: set[_Open] = set()

    @property
    def cursors(self) -> int:
        """How many are open at the server, by what this reader has told it."""
        return len(self._cursors)

    async def server(self) -> ServerFacts:
        """See ``ChangeStreamApi.server``."""
        await self._before("server")
        await self._cluster.faults.after("server")
        server = self._cluster.server
        return ServerFacts(server.version, server.wire_version, "rs0", server.product)

    async def open(self, opening: Opening) -> Opened:
        """See ``ChangeStreamApi.open``."""
        self.openings.append(opening)
        await self._before("open")
        place, not_before = self._place(opening)
        token = opening.resume_after or opening.start_after or self._cluster.token(self._view, place)
        cursor = _Open(place, token, not_before, self._cluster.term, anyio.current_time())
        self._cursors.add(cursor)
        # What a reader pins is of this moment, and not of the one at which it has the reply.
        opened = Opened(cursor, self._told(token), self._cluster.newest())
        await self._cluster.faults.after("open")
        return opened

    async def next(self, cursor: Cursor, limit: int, wait_seconds: float) -> Changes:
        """See ``ChangeStreamApi.next``."""
        found = self._known(cursor)
        found.dead = True
        try:
            await self._before("next")
            changes = await self._changes(found, limit, wait_seconds)
            await self._cluster.faults.after("next")
        except Exception:
            # The server may have answered, and has then gone on: whoever asks this cursor again misses what was lost.
            found.dead = False
            raise
        found.dead = False
        return changes

    async def close_cursor(self, cursor: Cursor) -> None:
        """See ``ChangeStreamApi.close_cursor``."""
        assert isinstance(cursor, _Open)
        with anyio.move_on_after(CLOSE_SECONDS):
            try:
                await self._before("close_cursor")
                self._cursors.discard(cursor)
                await self._cluster.faults.after("close_cursor")
            except Exception:
                return

    async def oldest(self) -> OperationTime | None:
        """See ``ChangeStreamApi.oldest``."""
        await self._before("oldest")
        await self._cluster.faults.after("oldest")
        return self._cluster.oldest() if self._cluster.server.knows_oldest else None

    async def aclose(self) -> None:
        """See ``ChangeStreamApi.aclose``."""
        await anyio.lowlevel.checkpoint()
        self.closed = True
        self._cursors.clear()

    # -- inside ----------------------------------------------------------------------------------------------------------

    async def _before(self, operation: str) -> None:
        await self._cluster.faults.before(operation)
        if self.closed:
            raise Unavailable("Closed", "this reader was closed")
        if self._cluster.deleted:
            raise NotFound("DBClusterNotFoundFault", "there is no such cluster")
        # As replies tell the operation time: no operation has happened after now.
        self.service_clock.read_arrival(float(self._cluster.newest()[0]), anyio.current_time())

    def _place(self, opening: Opening) -> tuple[int, OperationTime]:
        if opening == NOW:
            return self._cluster.end(), (0, 0)
        given = [opening.resume_after, opening.start_after, opening.at_operation_time]
        if sum(one is not None for one in given) != 1:
            raise Refused("40674", "only one of resumeAfter, startAfter and startAtOperationTime")
        if opening.at_operation_time is not None:
            return self._cluster.at(opening.at_operation_time), opening.at_operation_time
        if opening.start_after is not None:
            if self._cluster.server.start_after is not None:
                raise Refused(
                    self._cluster.server.start_after, "BSON field '$changeStream.startAfter' is an unknown field."
                )
            return self._cluster.after(self._view, opening.start_after), (0, 0)
        assert opening.resume_after is not None
        place = self._cluster.after(self._view, opening.resume_after)
        if self._cluster.of_invalidate(opening.resume_after):
            raise Refused("260", "resumeAfter is not allowed from an invalidate notification")
        return place, (0, 0)

    def _known(self, cursor: Cursor) -> _Open:
        assert isinstance(cursor, _Open)
        now = anyio.current_time()
        forgotten = now - cursor.asked_at > CURSOR_SECONDS or cursor.term != self._cluster.term
        if cursor.dead or forgotten or cursor not in self._cursors:
            raise IteratorExpired("43", "cursor id 1 not found")
        cursor.asked_at = now
        return cursor

    async def _changes(self, cursor: _Open, limit: int, wait_seconds: float) -> Changes:
        """What is there, or comes while the server waits. The cursor has gone on behind it."""
        with anyio.move_on_after(wait_seconds):
            while not (found := self._read(cursor, limit)).events:
                await self._cluster.news.wait()
            return found
        return self._read(cursor, limit)

    def _read(self, cursor: _Open, limit: int) -> Changes:
        """The events from the cursor's place on. As servers do, a batch that ends with an event has that event's token."""
        events: list[bytes] = []
        place, token, size, ended = cursor.place, cursor.token, 0, False
        while place < self._cluster.end() and len(events) < limit and not ended:
            event = self._cluster.event(self._view, place)
            ended = event is not None and place % 2 == 1
            if event is None or self._cluster.entry_at(place).time < cursor.not_before:
                token = self._cluster.token(self._view, place + 1)
            elif events and size + len(event) > REPLY_BYTES:
                break
            else:
                token = self._cluster.event_token(self._view, place)
                events.append(event)
                size += len(event)
            place += 1
        cursor.place, cursor.token = place, token
        if ended:
            self._cursors.discard(cursor)
        return Changes(events, self._told(token), ended, size + 200)

    def _told(self, token: ResumeToken) -> ResumeToken | None:
        return token if self._cluster.server.batch_tokens else None
