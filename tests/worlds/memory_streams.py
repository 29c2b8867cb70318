"""Kinesis and DynamoDB Streams in memory, as far as pollers can tell them from the real ones.

Shards by hash range, split, merge and rollover, retention, iterators that expire, pages that are short or empty before the tip,
enhanced fan-out. Time is ``anyio.current_time()``; arrivals are stamped by the service's own clock. Every call goes through
``faults``, which may delay it, refuse it before it has an effect, or lose its reply.
"""

from __future__ import annotations

import random
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Literal

import anyio

from pollers.aws.api import Page, Pushed, ShardListing, StartAt, StreamDescription
from pollers.aws.errors import IteratorExpired, NotFound, Refused, ResourceInUse, Trimmed
from pollers.clocks.service import ServiceClock
from tests.worlds.call_faults import NoFaults
from tests.worlds.stream_records import Stored, wire_record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.worlds.call_faults import Faults

RANGE = 1 << 16
ITERATOR_SECONDS = {"kinesis": 300.0, "dynamodb": 900.0}
PAGE_RECORDS = {"kinesis": 10_000, "dynamodb": 1_000}
SUBSCRIPTION_SECONDS = 300.0


@dataclass(slots=True)
class MemoryShard:
    """One shard. ``first`` is its lowest sequence number; ``closed_at`` its last one, once it is closed."""

    shard_id: str
    parents: tuple[str, ...]
    low: int
    high: int
    first: int
    known_from: float = float("-inf")
    closed_known_from: float = float("inf")
    records: list[Stored] = field(default_factory=list)
    closed_at: int | None = None
    closed_when: float | None = None
    trimmed_to: int = 0
    listed: bool = True


@dataclass(slots=True)
class _Iterator:
    shard: MemoryShard
    after: int
    made_at: float


class MemoryStream:
    """One stream; implements ``StreamApi`` and ``FanOutApi`` for its own ARN.

    ``number`` spells sequence numbers (leading zeros, long ones). ``clock`` stamps arrivals. ``empty_pages`` is how often a page is
    short or empty before the tip. A new shard is not known everywhere for ``lag_seconds``, nor is a closed one listed as closed.
    ``dates``: replies tell the service's time. ``cut_short``: the last page had not all that there was to read. ``tampered`` and
    ``tampered_event`` are what becomes of replies on their way.
    """

    def __init__(
        self,
        kind: Literal["kinesis", "dynamodb"],
        clock: Callable[[], float],
        *,
        shards: int = 1,
        faults: Faults | None = None,
        number: Callable[[int], str] = str,
        seed: int = 0,
        empty_pages: float = 0.0,
        lag_seconds: float = 0.0,
        retention_seconds: float | None = None,
        consumer: str = "",
    ) -> None:
        self.kind = kind
        self.faults: Faults = faults or NoFaults()
        self.status = "ACTIVE" if kind == "kinesis" else "ENABLED"
        self.identity = "first"
        self.deleted = False
        self.retention_seconds = retention_seconds
        self.service_clock = ServiceClock()
        self.dates = True
        self.cut_short = False
        self.calls: dict[str, int] = {}
        self.tampered: Callable[[Page], Page] = lambda page: page
        self.tampered_event: Callable[[Pushed], Pushed] = lambda pushed: pushed
        self.shards_by_id: dict[str, MemoryShard] = {}
        self._clock = clock
        self._number = number
        self._random = random.Random(seed)
        self._empty_pages = empty_pages
        self._lag_seconds = lag_seconds
        self._sequence = 0
        self._iterators: dict[str, _Iterator] = {}
        self._made = 0
        self._subscribed: dict[str, float] = {}
        self._news = anyio.Event()
        name = "stream/clicks" if kind == "kinesis" else "table/orders/stream/2026-01-01T00:00:00.000"
        self.arn = f"arn:aws:{kind}:us-east-1:000000000000:{name}" + (f"/consumer/{consumer}:1" if consumer else "")
        self.stream_arn = self.arn.partition("/consumer/")[0]
        for index in range(shards):
            self._open((), RANGE * index // shards, RANGE * (index + 1) // shards)

    # -- what a test does ------------------------------------------------------------------------------------------------

    def put(self, key: str, value: str) -> str:
        """Write a record; returns its sequence number."""
        shard = next(shard for shard in self.open_shards() if shard.low <= _hash(key) < shard.high)
        return self.put_into(shard, key, value)

    def put_into(self, shard: MemoryShard, key: str, value: str) -> str:
        """Write a record into a shard of one's choice."""
        stored = Stored(self._next(), key, value, self._stamp())
        shard.records.append(stored)
        self._wake()
        return self._number(stored.number)

    def now(self) -> float:
        """What the service's clock shows."""
        return self._clock()

    def open_shards(self) -> list[MemoryShard]:
        """Shards that take records."""
        return [shard for shard in self.shards_by_id.values() if shard.closed_at is None]

    def split(self, shard: MemoryShard) -> None:
        """Close a shard; two children share its range."""
        middle = (shard.low + shard.high) // 2
        self._close(shard)
        self._open((shard.shard_id,), shard.low, middle)
        self._open((shard.shard_id,), middle, shard.high)

    def merge(self, one: MemoryShard, other: MemoryShard) -> None:
        """Close two neighbours; one child has both ranges."""
        self._close(one)
        self._close(other)
        self._open((one.shard_id, other.shard_id), min(one.low, other.low), max(one.high, other.high))

    def roll(self, shard: MemoryShard) -> None:
        """Close a shard; one child takes over, as DynamoDB's do every few hours."""
        self._close(shard)
        self._open((shard.shard_id,), shard.low, shard.high)

    def close_for_good(self) -> None:
        """Close every shard without children: the stream is disabled."""
        for shard in self.open_shards():
            self._close(shard)

    def trim(self, before: float) -> list[str]:
        """Drop what arrived before a time, and closed shards that are empty then; returns the values dropped."""
        dropped: list[str] = []
        for shard in self.shards_by_id.values():
            gone = [stored for stored in shard.records if stored.arrival < before]
            if gone:
                shard.trimmed_to = gone[-1].number
                shard.records = shard.records[len(gone) :]
                dropped += [stored.value for stored in gone]
            if shard.closed_when is not None and shard.closed_when < before and not shard.records:
                shard.listed = False
        return dropped

    def expire_iterators(self) -> None:
        """Make every iterator too old."""
        for iterator in self._iterators.values():
            iterator.made_at = float("-inf")

    def recreate(self, shards: int = 1) -> None:
        """Delete the stream and create another of the same name."""
        self.identity += "-again"
        self.shards_by_id.clear()
        self._iterators.clear()
        for index in range(shards):
            self._open((), RANGE * index // shards, RANGE * (index + 1) // shards)

    # -- StreamApi -------------------------------------------------------------------------------------------------------

    async def describe(self, arn: str) -> StreamDescription:
        """See ``StreamApi.describe``."""
        await self._call("describe", arn)
        answer = StreamDescription(arn, self.identity, self.status, self.retention_seconds)
        await self.faults.after("describe")
        return answer

    async def shards(self, arn: str) -> list[ShardListing]:
        """See ``StreamApi.shards``."""
        await self._call("shards", arn)
        answer = [self._listing(shard) for shard in self.shards_by_id.values() if _known(shard)]
        await self.faults.after("shards")
        return answer

    async def iterator(self, arn: str, shard_id: str, start: StartAt) -> str:
        """See ``StreamApi.iterator``."""
        await self._call("iterator", arn)
        shard = self._shard(shard_id)
        token = self._token(shard, self._after(shard, start))
        await self.faults.after("iterator")
        return token

    async def records(self, arn: str, iterator: str, limit: int) -> Page:
        """See ``StreamApi.records``."""
        await self._call("records", arn)
        found = self._iterators.get(iterator)
        if found is None:
            raise Refused("ValidationException", f"no such iterator: {iterator}")
        if anyio.current_time() - found.made_at > ITERATOR_SECONDS[self.kind]:
            raise IteratorExpired("ExpiredIteratorException", "too old")
        if not found.shard.listed:
            raise NotFound("ResourceNotFoundException", found.shard.shard_id)
        if found.after < found.shard.trimmed_to and self.kind == "dynamodb":
            raise Trimmed("TrimmedDataAccessException", "trimmed")
        page = self._page(found, limit)
        await self.faults.after("records")
        return self.tampered(page)

    def _page(self, found: _Iterator, limit: int) -> Page:
        shard = found.shard
        waiting = [stored for stored in shard.records if stored.number > found.after]
        most = min(limit, PAGE_RECORDS[self.kind])
        if waiting and self._random.random() < self._empty_pages:
            most = self._random.choice((0, 1, most))
        stored = waiting[:most]
        after = stored[-1].number if stored else found.after
        self.cut_short = len(stored) < len(waiting)
        ended = not self.cut_short and shard.closed_at is not None
        behind = None if self.kind == "dynamodb" else self._behind(waiting[most:])
        return Page(
            records=[wire_record(self.kind, one, self._number(one.number)) for one in stored],
            next_iterator=None if ended else self._token(shard, after),
            behind_seconds=behind,
            children=self._children(shard) if ended and self.kind == "kinesis" else None,
            size_bytes=400 * len(stored),
        )

    def _behind(self, waiting: Sequence[Stored]) -> float:
        return max(self._clock() - waiting[0].arrival, 0.001) if waiting else 0.0

    # -- FanOutApi -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def subscribe(self, consumer_arn: str, shard_id: str, start: StartAt) -> AsyncIterator[AsyncIterator[Pushed]]:
        """See ``FanOutApi.subscribe``."""
        await self._call("subscribe", consumer_arn)
        now = anyio.current_time()
        if now - self._subscribed.get(shard_id, -10.0) < 5.0:
            raise ResourceInUse("ResourceInUseException", "another subscription of the last five seconds")
        self._subscribed[shard_id] = now
        shard = self._shard(shard_id)
        await self.faults.after("subscribe")
        yield self._push(shard, self._after(shard, start), now + SUBSCRIPTION_SECONDS)

    async def _push(self, shard: MemoryShard, after: int, until: float) -> AsyncIterator[Pushed]:
        """Events of one subscription; ends after five minutes, raises when torn."""
        while anyio.current_time() < until:
            await self.faults.before("event")
            waiting = [stored for stored in shard.records if stored.number > after]
            stored = waiting[:100]
            if stored:
                after = stored[-1].number
            ended = len(stored) == len(waiting) and shard.closed_at is not None
            if not stored and not ended:
                after = max(after, self._sequence)
            pushed = Pushed(
                records=[wire_record(self.kind, one, self._number(one.number)) for one in stored],
                continuation=None if ended else self._number(after),
                behind_seconds=self._behind(waiting[100:]),
                children=self._children(shard) if ended else None,
            )
            yield self.tampered_event(pushed)
            if ended:
                return
            if not waiting[100:]:
                await self._pause(min(until - anyio.current_time(), 5.0))

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._news.wait()

    # -- inside ----------------------------------------------------------------------------------------------------------

    async def _call(self, operation: str, arn: str) -> None:
        self.calls[operation] = self.calls.get(operation, 0) + 1
        await self.faults.before(operation)
        if self.deleted or arn not in (self.stream_arn, self.arn):
            raise NotFound("ResourceNotFoundException", f"stream {arn} not found")
        if self.dates:
            told = datetime.fromtimestamp(int(self._clock()), UTC)
            self.service_clock.read_date(format_datetime(told, usegmt=True), anyio.current_time())

    def _open(self, parents: tuple[str, ...], low: int, high: int) -> MemoryShard:
        shard_id = f"shardId-{len(self.shards_by_id):012d}"
        known_from = anyio.current_time() + self._lag_seconds if parents else float("-inf")
        shard = self.shards_by_id[shard_id] = MemoryShard(shard_id, parents, low, high, self._next(), known_from)
        return shard

    def _close(self, shard: MemoryShard) -> None:
        shard.closed_at = self._next()
        shard.closed_when = self._clock()
        shard.closed_known_from = anyio.current_time() + self._lag_seconds
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _stamp(self) -> float:
        now = self._clock()
        return round(now, 3) if self.kind == "kinesis" else now // 1

    def _shard(self, shard_id: str) -> MemoryShard:
        shard = self.shards_by_id.get(shard_id)
        if shard is None or not _known(shard):
            raise NotFound("ResourceNotFoundException", f"shard {shard_id} not found")
        return shard

    def _after(self, shard: MemoryShard, start: StartAt) -> int:
        """The sequence number behind which reading begins."""
        match start.kind:
            case "TRIM_HORIZON":
                return shard.trimmed_to
            case "LATEST":
                return self._sequence
            case "AT_TIMESTAMP":
                assert start.timestamp is not None
                assert self.kind == "kinesis", "not offered by DynamoDB Streams"
                if start.timestamp > self._clock():
                    raise Refused("InvalidArgumentException", "the timestamp is in the future")
                older = [stored.number for stored in shard.records if stored.arrival < start.timestamp]
                return older[-1] if older else shard.trimmed_to
            case "AFTER_SEQUENCE_NUMBER" | "AT_SEQUENCE_NUMBER":
                assert start.sequence_number is not None
                number = int(start.sequence_number)
                assert self._number(number) == start.sequence_number, "not the string that came"
                number -= start.kind == "AT_SEQUENCE_NUMBER"
                if number < shard.trimmed_to:
                    raise Trimmed("TrimmedDataAccessException", f"{number} is below the trim horizon")
                return number
            case other:
                raise Refused("ValidationException", f"no such iterator type: {other}")

    def _token(self, shard: MemoryShard, after: int) -> str:
        self._made += 1
        token = f"iterator-{self._made}"
        self._iterators[token] = _Iterator(shard, after, anyio.current_time())
        return token

    def _listing(self, shard: MemoryShard) -> ShardListing:
        told = shard.closed_at is not None and shard.closed_known_from <= anyio.current_time()
        ended = self._number(shard.closed_at) if shard.closed_at is not None and told else None
        return ShardListing(shard.shard_id, shard.parents, self._number(shard.first), ended)

    def _children(self, shard: MemoryShard) -> tuple[ShardListing, ...] | None:
        """``ChildShards``; an emulator was seen to leave them out."""
        if self._random.random() < self._empty_pages / 2:
            return None
        children = [child for child in self.shards_by_id.values() if shard.shard_id in child.parents]
        return tuple(self._listing(child) for child in children)


def _known(shard: MemoryShard) -> bool:
    return shard.listed and shard.known_from <= anyio.current_time()


def _hash(key: str) -> int:
    return zlib.crc32(b"range" + key.encode()) % RANGE
