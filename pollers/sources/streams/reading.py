"""Reads one shard, page by page, and knows where to read on after whatever goes wrong.

Closed, trimmed and expired are three cases (docs/design, decision 4): a shard without a next iterator has ended once that is
borne out (see :mod:`pollers.sources.streams.ending`); a position that has left the retention is a gap, which is reported, and
reading goes on at the trim horizon, unless the source says that the mapping must stop; an iterator that is too old is made anew
after the last record read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio
import structlog

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
from pollers.sources.streams.confirming_end import FIND_SECONDS, EndConfirmation
from pollers.sources.streams.ending import TRIES_TO_FIND
from pollers.sources.streams.fan_out import IN_USE_SECONDS, read_subscriptions
from pollers.sources.streams.pacing import PageLimit, Polling
from pollers.sources.streams.place import BEGINNING, Place
from pollers.sources.streams.positions import is_after
from pollers.telemetry.facts import DiscardCondition, Discarded, Polled, PollFailed, State

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

log = structlog.stdlib.get_logger(__name__)

TRIES_WITH_ONE_ITERATOR = 3
"""Failed calls after which an iterator is not trusted any more."""
HELD_SECONDS = 1.0
"""How often a reader that cannot go on looks whether what it has read is done."""
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
        self._gap_above_end = False
        self._tries = 0
        self._not_found = 0
        self._next_at = anyio.current_time()

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
        self._tries = self._not_found = 0
        self.context.surroundings.facts.emit(Polled(self.shard_id, len(records), behind_seconds))
        self._report(State.POLLING)
        place = self.place
        if self.end.under_way and place.repeats_last(records):
            self.end.last_came_again()
        fresh = place.fresh(records)
        if place.passed_to is not None:
            self.passed(place.passed_to)
        if records and place.unlooked and not place.repeats_last(records):
            self._report_gone()
        if not fresh:
            if records:
                place.looked()
            return 0
        numbers = self.context.source.sequence_numbers((fresh[0], fresh[-1]))
        if place.gap_after is not None:
            self._report_gap(f"the next record is {numbers[0]}")
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
        if self.place.gap_after is not None and not self._gap_above_end:
            self._report_gap("no record is left in the shard")

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
                await self._trimmed(error)
            case NotFound():
                await self._missing(error)
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

    async def _trimmed(self, error: Trimmed) -> None:
        self.drop_iterator()
        if self.place.gap_after is None and not await self._may_read_on(error):
            return
        # Where the end was claimed before, the gap behind the last record read is no loss if the end turns out to be true.
        self._gap_above_end = self.end.under_way
        if self.place.unlooked:
            self._report_gone()
        if not self.place.trimmed():
            await self.back_off(error)

    async def _may_read_on(self, error: Trimmed) -> bool:
        """Whether the source lets reading go on behind a gap; not yet if it cannot be asked now. Raises SourceUnusable."""
        try:
            with self.stop.waiting() as scope:
                reason = await self.context.source.history_lost(self.place.position, error)
        except AwsError as other:
            await self.back_off(other)
            return False
        if scope.cancelled_caught:
            return False
        if reason is None:
            return True
        name = self.context.mapping.name
        reason = f"{reason}; nothing more is read before headrace checkpoints reset CONFIG {name}"
        log.error("reading cannot go on", mapping=name, shard=self.shard_id, reason=reason)
        # What was read before is nowhere else any more, for the next start cannot read it again: it is brought to its end first.
        while self._shard.held and not self.stop.requested:
            self._report(State.BACKING_OFF, reason)
            await self.stop.sleep(HELD_SECONDS)
        if self.stop.requested:
            return False
        raise SourceUnusable(reason) from error

    async def _missing(self, error: AwsError) -> None:
        """The service does not know the shard. Unless the stream has gone as well, its retention has run out."""
        self.drop_iterator()
        source = self.context.source
        try:
            with self.stop.waiting():
                await self.context.stream.confirm()
                listed = await source.shards()
                self._not_found = 0 if any(shard.shard_id == self.shard_id for shard in listed) else self._not_found + 1
        except NotFound as gone:
            raise SourceUnusable(f"the stream {source.arn} does not exist any more: {gone}") from gone
        except AwsError as other:
            error = other
        if self._not_found < TRIES_TO_FIND:
            await self.back_off(error, FIND_SECONDS)
            return
        self.place.gap_after, self._gap_above_end = self.place.upto or BEGINNING, self.end.under_way
        self.ended(None)

    def _report_gone(self) -> None:
        log.warning(
            "the record in which another consumer stopped has left the stream: what was not done of it is lost",
            mapping=self.context.mapping.name,
            shard=self.shard_id,
            record=self.place.last,
        )

    def _report_gap(self, upto: str) -> None:
        """Records above the checkpoint have left the retention unread. They were never received, so no book lacks them."""
        gap, self.place.gap_after = self.place.gap_after, None
        log.error(
            "records were trimmed away before they were read",
            mapping=self.context.mapping.name,
            shard=self.shard_id,
            after=gap,
            upto=upto,
        )
        self.context.surroundings.facts.emit(Discarded(self.shard_id, (), DiscardCondition.TRIMMED))
