"""Reads one shard, page by page, and knows where to read on after whatever goes wrong.

Closed, trimmed and expired are three cases (docs/design, decision 4): a shard without a next iterator has ended once that is
borne out (see :mod:`pollers.sources.streams.ending`); a position that has left the retention is a gap (see
:mod:`pollers.sources.streams.gaps`); an iterator that is too old is made anew after the last record read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio

from pollers.aws.errors import (
    AccessDenied,
    AwsError,
    IteratorExpired,
    NotFound,
    Refused,
    ResourceInUse,
    Throttled,
    Trimmed,
)
from pollers.errors import SourceUnusable
from pollers.sources.streams.confirming_end import EndConfirmation
from pollers.sources.streams.fan_out import IN_USE_SECONDS, read_subscriptions
from pollers.sources.streams.gaps import Gaps
from pollers.sources.streams.pacing import PageLimit, Polling
from pollers.sources.streams.place import Place
from pollers.sources.streams.positions import is_after
from pollers.telemetry.facts import Polled, PollFailed, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import TypeVar

    from pollers.aws.api import Page, ShardListing, StartAt, Wire
    from pollers.checkpoints.store import ShardCheckpoint
    from pollers.engine.stop import Stop
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.ending import Sight
    from pollers.sources.streams.room import Room
    from pollers.sources.streams.shard_states import ShardLife

    T = TypeVar("T")

TRIES_WITH_ONE_ITERATOR = 3
"""Failed calls after which an iterator is not trusted any more."""
FUTURE_SECONDS = 3_600.0
"""How far the service's clock may be behind what we know of it."""


class ReadShard(Protocol):
    """The shard that records are read into."""

    life: ShardLife
    kept: ShardCheckpoint
    context: StreamContext
    stop: Stop
    room: Room

    @property
    def held(self) -> int:
        """Records received and not yet accounted for."""

    async def take(self, records: list[Wire]) -> int:
        """Queue records that follow those taken before; returns what holding them costs, in bytes."""

    def read_upto(self, position: str) -> None:
        """Everything up to this position has been read, though no record has it."""

    def tip_reached(self) -> None:
        """The reader found nothing: a window whose time is over may close."""

    def close(self, children: Sequence[ShardListing] | None) -> None:
        """The stream has no more of the shard."""


class Reader:
    """Reads one shard into its lanes, from its checkpoint on, until it ends or the shard is stopped.

    ``look`` asks what the stream's listing says of a shard.
    """

    def __init__(self, shard: ReadShard, look: Callable[[str], Awaitable[Sight]]) -> None:
        self.context = context = shard.context
        self.shard_id = shard.life.shard_id
        self.life = shard.life
        self.stop = shard.stop
        self._shard = shard
        self.room = shard.room
        self.polling = Polling(context.source.pace, context.surroundings.random)
        self._page_limit = PageLimit(context.source.pace)
        self._iterator: str | None = None
        self._first_iterator: str | None = None
        self._opened = False
        self.place = Place(shard.kept, context.source)
        self.end = EndConfirmation(self, self.shard_id, context, look)
        self.gaps = Gaps(self, context)
        self._tries = 0
        self._next_at = anyio.current_time()

    @property
    def held(self) -> int:
        """Records received and not yet accounted for."""
        return self._shard.held

    @property
    def at_tip(self) -> bool:
        """Whether the last poll found nothing and nothing is behind it."""
        return self.polling.at_tip

    def begin_with(self, iterator: str | None) -> None:
        """Read first with an iterator that was made before (see :mod:`pollers.sources.streams.opening`)."""
        self._first_iterator = iterator

    async def run(self) -> None:
        """Read until the shard is closed or stopped. Raises SourceUnusable."""
        self._report(State.POLLING)
        if self.context.source.fan_out:
            await read_subscriptions(self)
            return
        while not (self.life.closed or self.stop.requested):
            room = await self.room.wait()
            await self.stop.sleep(self._next_at - anyio.current_time())
            if room is not None and not self.stop.requested:
                await self._read(*room)

    def _report(self, state: State, detail: str = "", seconds: float | None = None) -> None:
        self.context.reports.doing(self.shard_id, state, detail, seconds)

    # -- pages -----------------------------------------------------------------------------------------------------------

    async def _read(self, room_records: int, room_bytes: int) -> None:
        limit = self._page_limit.records(room_records, room_bytes)
        began = anyio.current_time()
        page = await self.attempt(lambda: self._next_page(limit))
        if page is None:
            return
        before = self.place.upto
        size_bytes = await self.take(page.records, page.behind_seconds)
        self._iterator = page.next_iterator
        self._page_limit.came(len(page.records), size_bytes, page.decode_seconds)
        self._next_at = began + self.polling.came(len(page.records), page.size_bytes, page.behind_seconds)
        progressed = self.place.upto != before
        if page.continuation is not None:
            self.continued(page.continuation)
        if page.next_iterator is None:
            await self.end.end_claimed(page.children, page.behind_seconds, progressed=progressed)
            return
        self.end.end_denied(progressed=progressed)
        self.report_tip()

    def report_tip(self) -> None:
        """If the last poll found nothing and nothing is behind it, the shard may close a window."""
        if self.at_tip:
            self._shard.tip_reached()

    async def _next_page(self, limit: int) -> Page:
        source = self.context.source
        if self._iterator is None:
            # An iterator of a stream that was deleted fails; one that is made anew could be of its successor of the same name.
            await self.confirm()
            self._iterator, self._first_iterator = self._first_iterator, None
        if self._iterator is None:
            self._iterator = await source.iterator(self.shard_id, self.start())
        return await source.records(self._iterator, limit)

    async def confirm(self) -> None:
        """Before reading is taken up again: a new stream of the same name may have shards of the same names."""
        if self._opened:
            await self.context.stream.confirm()
        self._opened = True

    def start(self) -> StartAt:
        """Where to read on."""
        return self.place.start(once_more=self.end.under_way)

    async def take(self, records: list[Wire], behind_seconds: float | None) -> int:
        """Hand records over to the shard; returns the bytes that holding them costs."""
        self._tries = 0
        self.gaps.found()
        self.context.surroundings.facts.emit(Polled(self.shard_id, len(records), behind_seconds))
        self._report(State.POLLING)
        place = self.place
        if self.end.under_way and place.repeats_last(records):
            self.end.last_came_again()
        fresh = place.fresh(records)
        if place.passed_to is not None:
            self.passed(place.passed_to)
        if records and place.unlooked and not place.repeats_last(records):
            self.gaps.report_gone()
        if not fresh:
            if records:
                place.looked()
            return 0
        numbers = self.context.source.sequence_numbers((fresh[0], fresh[-1]))
        if place.gap_after is not None:
            self.gaps.report(f"the next record is {numbers[0]}")
        size_bytes = await self._shard.take(fresh)
        # Not before the shard has them: reading that is taken up again after a failure in between must bring them once more.
        place.upto = place.last = numbers[1]
        place.looked()
        return size_bytes

    def passed(self, position: str) -> None:
        """Everything up to here has been read, without records or with none that count."""
        self.place.upto = position
        self._shard.read_upto(position)

    def continued(self, position: str) -> None:
        """A continuation: everything up to it has been read. One that lies below that, or is no position, says nothing."""
        positions, upto = self.context.source.positions, self.place.upto
        if not positions.valid(position):
            return
        # Where nobody can tell which is later, the service's last word is: it gave the continuation after the records.
        if upto is None or is_after(positions, position, upto) is not False:
            self.passed(position)

    def ended(self, children: Sequence[ShardListing] | None) -> None:
        """The shard has no further records."""
        self._shard.close(children)
        self.gaps.at_end()

    # -- what goes wrong -------------------------------------------------------------------------------------------------

    async def attempt(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Make a call and deal with its failure; None when it failed or was cut short by a stop."""
        try:
            with self.stop.waiting():
                return await call()
        except AwsError as error:
            await self._failed(error)
        return None

    async def _failed(self, error: AwsError) -> None:
        match error:
            case AccessDenied():
                raise SourceUnusable(f"reading {self.context.source.arn} is not permitted: {error}") from error
            case IteratorExpired() if not self._tries:
                self._tries = 1
                self.drop_iterator()
            case Trimmed():
                await self.gaps.trimmed(error)
            case NotFound():
                await self.gaps.missing(error)
            case ResourceInUse():
                await self.back_off(error, IN_USE_SECONDS)
            case Refused() if self._starts_in_the_future():
                await self.back_off(error)
            case Refused() if self._tries or self._iterator is None:
                raise SourceUnusable(f"shard {self.shard_id} of {self.context.source.arn}: {error}") from error
            case _:
                await self.back_off(error)

    def _starts_in_the_future(self) -> bool:
        """Whether reading begins at a time that the service may not have reached: its clock is not ours, and it refuses that."""
        start = self.start()
        return start.timestamp is not None and start.timestamp > self.context.stream.service_time() - FUTURE_SECONDS

    def drop_iterator(self) -> None:
        """The next read makes an iterator of its own, after the last record read."""
        self._iterator = self._first_iterator = None

    async def back_off(self, error: AwsError, seconds: float | None = None) -> None:
        """Report what went wrong and wait."""
        self._tries += 1
        trusted = self.context.source.iterators_last and self._tries < TRIES_WITH_ONE_ITERATOR
        if not trusted or isinstance(error, Refused | IteratorExpired):
            self.drop_iterator()
        wait = max(self.polling.failed(), seconds or 0.0)
        throttled = isinstance(error, Throttled)
        self.context.surroundings.facts.emit(PollFailed(self.shard_id, str(error), wait, throttled))
        self._report(State.BACKING_OFF, str(error), wait)
        await self.stop.sleep(wait)
