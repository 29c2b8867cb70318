"""A change stream of a collection or of a database as a stream source: one shard, which never ends."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import anyio.lowlevel
import structlog

from pollers.aws.api import Page, ShardListing, StartAt, StreamDescription
from pollers.aws.errors import INVALID_REPLY, AwsError, IteratorExpired, Refused, Unavailable
from pollers.clocks.clock import loop_time
from pollers.destinations.record import BatchInfoForm, whole_seconds
from pollers.engine.batching import Envelope
from pollers.events.encoding import json_bytes
from pollers.sources.documentdb.api import NOW
from pollers.sources.documentdb.events import ChangeEvent, ChangeReader
from pollers.sources.documentdb.extended_json import NotBson
from pollers.sources.documentdb.losses import lost
from pollers.sources.documentdb.opening import open_at
from pollers.sources.documentdb.tokens import TokenPositions, spelled, time_text
from pollers.sources.streams.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.aws.api import Wire
    from pollers.aws.errors import AwsError
    from pollers.clocks.service import ServiceClock
    from pollers.events.encoding import PageEncoder
    from pollers.sources.documentdb.api import Changes, ChangeStreamApi, Cursor, ResumeToken

log = structlog.stdlib.get_logger(__name__)

SHARD_ID: Final = "change-stream"
WAIT_SECONDS: Final = 1.0
"""How long the server waits for an event before it answers that there is none."""
IDLE_SECONDS: Final = 30.0
"""How often the place of an idle stream is told at most, since each may be a write to the checkpoint store."""
READ_AT_ONCE: Final = 100
READ_AT_ONCE_BYTES: Final = 64 * 1024
"""Events that are read before the event loop gets its turn, and their bytes; one event may have more (about a millisecond)."""
BEHIND_SECONDS: Final = 0.001
"""How far behind a stream is at least that has just given events: there may be more."""
BATCH_INFO = BatchInfoForm("DocumentDBBatchInfo", whole_seconds)
PACE = Pace(idle_seconds=0.05, behind_seconds=0.0, page_records=10_000)
"""The server itself waits while there is nothing. An idle server that does not is asked twenty times a second."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The stream of one mapping. ``collection`` None: every collection of the database."""

    mapping: str
    cluster_arn: str
    database: str
    collection: str | None

    @property
    def name(self) -> str:
        """For people."""
        return self.database if self.collection is None else f"{self.database}.{self.collection}"

    @property
    def identity(self) -> str:
        """Whose checkpoints its own are: no resume token serves another stream, not even one of the same database.

        Names of databases have no slash or space, and an ARN has no space.
        """
        collection = "" if self.collection is None else f"/{self.collection}"
        return f"{self.cluster_arn} {self.database}{collection}"


@dataclass(slots=True)
class _Reading:
    """An open stream. ``began``: its first token. ``usable``: no call to it was cut short or failed. ``ended``: by the server."""

    iterator: str
    cursor: Cursor
    began: ResumeToken | None
    usable: bool = True
    ended: bool = False


class DocumentDBSource:
    """A change stream; implements ``StreamSource``.

    An iterator is an open cursor of the server's. It is not used again once a call with it has failed, been cut short or brought
    the stream's end: what the server sent then may be lost, and the stream is opened anew behind the last event that was read.
    """

    batch_info = BATCH_INFO
    pace = PACE
    positions = TokenPositions()
    fan_out = False
    iterators_last = False
    starts_at_timestamps = True

    def __init__(self, stream: Stream, api: ChangeStreamApi) -> None:
        self.arn = stream.cluster_arn
        self.envelope = Envelope(
            b'{"eventSourceArn":%b,"events":[' % json_bytes(stream.cluster_arn), b'],"eventSource":"aws:docdb"}'
        )
        self._stream = stream
        self._api = api
        self._reader = ChangeReader()
        self._reading: _Reading | None = None
        self._opened = 0
        self._at_horizon = False
        self._horizons_lost = 0
        self._idle_told = float("-inf")

    @property
    def service_clock(self) -> ServiceClock:
        """See ``StreamSource.service_clock``."""
        return self._api.service_clock

    async def describe(self) -> StreamDescription:
        """See ``StreamSource.describe``. The server is asked, so that what is wrong with it shows here."""
        facts = await self._api.server()
        if facts.set_name is None:
            raise Refused("NoReplicaSet", "the server is in no replica set, and has no change streams")
        return StreamDescription(self.arn, self._stream.identity, "ACTIVE")

    async def shards(self) -> list[ShardListing]:
        """See ``StreamSource.shards``: the one, which has no end."""
        return [ShardListing(SHARD_ID, (), "0", None)]

    async def aclose(self) -> None:
        """See ``StreamSource.aclose``."""
        await self._leave()
        await self._api.aclose()

    # -- where it is opened ----------------------------------------------------------------------------------------------

    async def iterator(self, shard_id: str, start: StartAt) -> str:
        """See ``StreamSource.iterator``: opens the stream there."""
        await self._leave()
        self._at_horizon = start.kind == "TRIM_HORIZON"
        opened = await open_at(self._api, start, self._stream.mapping, self._horizons_lost)
        self._opened += 1
        self._reading = _Reading(f"{SHARD_ID}-{self._opened}", opened.cursor, opened.token)
        return self._reading.iterator

    async def tip(self, shard_id: str) -> StartAt | None:
        """See ``StreamSource.tip``: the resume token of a stream that is opened now, or the server's operation time."""
        opened = await self._api.open(NOW)
        await self._api.close_cursor(opened.cursor)
        if opened.token is not None:
            return StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=spelled(opened.token))
        if opened.operation_time is not None:
            return StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=time_text(opened.operation_time))
        return None

    async def history_lost(self, position: str | None, error: AwsError) -> str | None:
        """See ``StreamSource.history_lost``: the mapping stops, as on AWS (docs/lambda 4.12)."""
        if position is None and self._at_horizon:
            # The log has lost what was its beginning: nothing was read yet, and it has another now. Only a stream that was open had
            # lost it when it was read.
            self._horizons_lost += self._reading is not None
            return None
        return await lost(self._stream.mapping, self._stream.name, position, error, self._api)

    async def _leave(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None and not reading.ended:
            await self._api.close_cursor(reading.cursor)

    # -- reading ---------------------------------------------------------------------------------------------------------

    async def records(self, iterator: str, limit: int) -> Page:
        """See ``StreamSource.records``."""
        reading = self._reading
        if reading is None or reading.iterator != iterator or not reading.usable:
            raise IteratorExpired("CursorClosed", "the change stream has been closed")
        # What the server has sent is not sent again: until all of it has been taken, the cursor is not to be used again.
        reading.usable = False
        changes = await self._api.next(reading.cursor, limit, WAIT_SECONDS)
        self._horizons_lost = 0
        records = await self._read(changes.events)
        reading.ended = changes.ended
        if changes.ended and not records:
            # No page: behind one that is empty reading goes on at once, and would open the stream again and again.
            raise IteratorExpired("CursorEnded", "the server has ended the change stream without an event")
        reading.usable = not changes.ended
        return Page(
            cast("list[Wire]", records),
            iterator,
            self._behind(records),
            size_bytes=changes.size_bytes,
            decode_seconds=changes.decode_seconds,
            continuation=self._continuation(changes, reading),
        )

    async def _read(self, events: Sequence[bytes]) -> list[ChangeEvent]:
        """The events, a part at a time, so that no page holds the event loop, whatever its size. Raises Unavailable."""
        changes: list[ChangeEvent] = []
        begin = 0
        while begin < len(events):
            if begin:
                await anyio.lowlevel.checkpoint()
            end = begin + _at_once(events, begin)
            try:
                changes += map(self._reader.read, events[begin:end])
            except NotBson as error:
                raise Unavailable(INVALID_REPLY, f"a change event cannot be read: {error}") from error
            begin = end
        self._report_unreadable(changes)
        return changes

    def _report_unreadable(self, changes: list[ChangeEvent]) -> None:
        for change in changes:
            if not change.readable:
                log.error(
                    "a change event is no valid BSON: the function gets its bytes",
                    mapping=self._stream.mapping,
                    position=change.position,
                )

    def _behind(self, changes: list[ChangeEvent]) -> float | None:
        """How far behind the stream's end a page ends: at its end where there was nothing, else as old as the last event."""
        if not changes:
            return 0.0
        now, seconds = self._api.service_clock.at_least(loop_time()), changes[-1].seconds
        return max(BEHIND_SECONDS, 0.0 if now is None or seconds is None else now - seconds)

    def _continuation(self, changes: Changes, reading: _Reading) -> str | None:
        """The place of a stream that is idle, now and then: from there the server need not search through what is of no interest,
        and a place that is renewed does not leave the log."""
        now = loop_time()
        if changes.events:
            self._idle_told = now
            return None
        if changes.token is None or changes.ended or now < self._idle_told + IDLE_SECONDS:
            return None
        if changes.token == reading.began:
            # Nothing is new. Behind an invalidate event it is that event's token, which alone opens no stream.
            return None
        self._idle_told = now
        return spelled(changes.token)

    def subscribe(self, shard_id: str, start: StartAt) -> NoReturn:
        """Nothing is pushed."""
        raise NotImplementedError("change streams are read")

    # -- columns of records ----------------------------------------------------------------------------------------------

    def encoder(self, shard_id: str) -> PageEncoder:
        """See ``StreamSource.encoder``: they were made while reading."""
        return lambda records: [change.event for change in _changes(records)]

    def sequence_numbers(self, records: Sequence[Wire]) -> list[str]:
        """See ``StreamSource.sequence_numbers``."""
        return [change.position for change in _changes(records)]

    def arrivals(self, records: Sequence[Wire], now: float) -> list[float]:
        """See ``StreamSource.arrivals``: the operation times, in whole seconds."""
        return [now if change.seconds is None else float(change.seconds) for change in _changes(records)]

    def user_records(self, records: Sequence[Wire]) -> dict[int, int]:
        """See ``StreamSource.user_records``: there are none."""
        return {}

    def keys(self, records: Sequence[Wire]) -> list[bytes]:
        """See ``StreamSource.keys``: there is one lane, for the stream has one order."""
        return [change.position.encode() for change in _changes(records)]


def _at_once(events: Sequence[bytes], begin: int) -> int:
    """How many events are read in one turn of the event loop."""
    next_events = events[begin : begin + READ_AT_ONCE]
    if sum(map(len, next_events)) <= READ_AT_ONCE_BYTES:
        return len(next_events)
    sizes = accumulate(map(len, next_events))
    return max(1, sum(size <= READ_AT_ONCE_BYTES for size in sizes))


def _changes(records: Sequence[Any]) -> Sequence[ChangeEvent]:
    """The engine passes on what :meth:`DocumentDBSource.records` gave it."""
    return records
