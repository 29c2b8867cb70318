"""Reads one shard, page by page, and knows where to read on after whatever goes wrong.

Closed, trimmed and expired are three cases (docs/design, decision 4): a shard without a next iterator has ended once that is
borne out
(see :mod:`pollers.sources.streams.ending`); a position that has left the retention is a gap, which is said, and reading goes on at
the trim horizon; an iterator that is too old is made anew after the last record read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from pollers.engine.backoff import Backoff
from pollers.errors import SourceUnusable
from pollers.sources.streams.confirming_end import DOUBT_SECONDS, FIND_SECONDS, end_told, went_on
from pollers.sources.streams.ending import TRIES_TO_FIND, Ending
from pollers.sources.streams.fan_out import IN_USE_SECONDS, read_subscriptions
from pollers.sources.streams.pacing import PageLimit, Polling
from pollers.sources.streams.place import BEGINNING, Place
from pollers.sources.streams.positions import is_after
from pollers.telemetry.facts import DiscardCondition, Discarded, Polled, PollFailed, State

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, TypeVar

    from pollers.aws.api import Page, ShardListing, StartAt, Wire
    from pollers.sources.streams.shard import Shard

    T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)

TRIES_WITH_ONE_ITERATOR = 3
"""Failed calls after which an iterator is not trusted any more."""
FUTURE_SECONDS = 3_600.0
"""How far the service's clock may be behind what we know of it."""
ROOM_SAID_SECONDS = 1.0
"""How long a reader has waited for room when it says so."""


class Reader:
    """Reads one shard into its lanes, from its checkpoint on, until it ends or the shard is stopped.

    ``waiting_for_room``: the read-ahead is full.
    """

    def __init__(self, shard: Shard) -> None:
        context = shard.context
        self.shard = shard
        self.waiting_for_room = False
        self.polling = Polling(context.source.pace, context.surroundings.random)
        self.first_iterator: str | None = None
        self._page_limit = PageLimit(context.source.pace)
        self._room = anyio.Event()
        self._iterator: str | None = None
        self._opened = False
        self.place = Place(shard.kept, context.source)
        self.ending = Ending()
        self.doubts = Backoff(context.surroundings.random, initial=DOUBT_SECONDS[0], maximum=DOUBT_SECONDS[1])
        self._gap_above_end = False
        self._tries = 0
        self._not_found = 0
        self._next_at = anyio.current_time()

    @property
    def at_tip(self) -> bool:
        """Whether the last poll found nothing and nothing is behind it."""
        return self.polling.at_tip

    async def run(self) -> None:
        """Read until the shard ends (``shard.closed``) or is stopped. Raises SourceUnusable."""
        self.shard.context.doing(self.shard.shard_id, State.POLLING)
        if self.shard.context.source.fan_out:
            await read_subscriptions(self)
            return
        while not (self.shard.closed or self.shard.stopping.requested):
            room = await self.room()
            await self.shard.stopping.sleep(self._next_at - anyio.current_time())
            if room is not None and not self.shard.stopping.requested:
                await self._read(*room)

    async def room(self) -> tuple[int, int] | None:
        """Wait until records may be read; how many and how many bytes, None when stopped."""
        shard = self.shard
        while not shard.stopping.requested:
            room = None if shard.full else shard.context.read_ahead.room(shard.holding)
            if room is not None:
                if self.waiting_for_room:
                    self.waiting_for_room = False
                    shard.context.doing(shard.shard_id, State.POLLING)
                return room
            self.waiting_for_room = True
            self._room = anyio.Event()
            shard.room_wanted()
            await self._wait_for_room()
        return None

    async def _wait_for_room(self) -> None:
        with self.shard.stopping.waiting():
            with anyio.move_on_after(ROOM_SAID_SECONDS):
                await self._room.wait()
            if not self._room.is_set():
                self.shard.context.doing(self.shard.shard_id, State.WAITING_FOR_ROOM, "records read ahead are not done")
                await self._room.wait()

    def room_again(self) -> None:
        """It makes sense to ask for room."""
        self._room.set()

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
        if page.next_iterator is None:
            await end_told(self, page.children, page.behind_seconds, progressed=progressed)
            return
        went_on(self, progressed=progressed)
        if self.at_tip:
            self.shard.tip_reached()

    async def _next_page(self, limit: int) -> Page:
        source = self.shard.context.source
        if self._iterator is None:
            await self.confirm()
            self._iterator, self.first_iterator = self.first_iterator, None
        if self._iterator is None:
            self._iterator = await source.iterator(self.shard.shard_id, self.start())
        return await source.records(self._iterator, limit)

    async def confirm(self) -> None:
        """Before reading is taken up again: a new stream of the same name may have shards of the same names."""
        if self._opened:
            await self.shard.context.confirm_stream()
        self._opened = True

    def start(self) -> StartAt:
        """Where to read on."""
        return self.place.start(once_more=self.ending.told > 0)

    async def take(self, records: list[Wire], behind_seconds: float | None) -> int:
        """Hand records over to the shard; returns the bytes that holding them costs."""
        self._tries = self._not_found = 0
        shard = self.shard
        shard.context.surroundings.facts.emit(Polled(shard.shard_id, len(records), behind_seconds))
        shard.context.doing(shard.shard_id, State.POLLING)
        place = self.place
        if self.ending.told and place.repeats_last(records):
            self.ending.came_again()
        fresh = place.fresh(records)
        if place.passed_to is not None:
            self.passed(place.passed_to)
        if not fresh:
            return 0
        numbers = shard.context.source.sequence_numbers((fresh[0], fresh[-1]))
        if place.gap_after is not None:
            self._say_gap(f"the next record is {numbers[0]}")
        size_bytes = await shard.take(fresh)
        place.upto = place.last = numbers[1]
        return size_bytes

    def passed(self, sequence_number: str) -> None:
        """Everything up to here has been read, without records or with none that count."""
        self.place.upto = sequence_number
        self.shard.mark(sequence_number)

    def continued(self, sequence_number: str) -> None:
        """A continuation: everything up to it has been read. One that lies below that, or is no position, says nothing."""
        positions, upto = self.shard.context.source.positions, self.place.upto
        if not positions.valid(sequence_number):
            return
        # Where nobody can tell which is later, the service's last word is: it gave the continuation after the records.
        if upto is None or is_after(positions, sequence_number, upto) is not False:
            self.passed(sequence_number)

    def ended(self, children: Sequence[ShardListing] | None) -> None:
        """The shard has no further records."""
        self.shard.closed = True
        self.shard.children = None if children is None else tuple(children)
        if self.place.gap_after is not None and not self._gap_above_end:
            self._say_gap("no record is left in the shard")

    # -- what goes wrong -------------------------------------------------------------------------------------------------

    async def attempt(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Make a call and deal with its failure; None when it failed or was cut short by a stop."""
        try:
            with self.shard.stopping.waiting():
                return await call()
        except AwsError as error:
            await self._failed(error)
        return None

    async def _failed(self, error: AwsError) -> None:
        match error:
            case AccessDenied():
                raise SourceUnusable(f"reading {self.shard.context.source.arn} is not permitted: {error}") from error
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
                raise SourceUnusable(
                    f"shard {self.shard.shard_id} of {self.shard.context.source.arn}: {error}"
                ) from error
            case _:
                await self.back_off(error)

    def _starts_in_the_future(self) -> bool:
        """Whether reading begins at a time that the service may not have reached: its clock is not ours, and it refuses that."""
        start = self.start()
        return start.timestamp is not None and start.timestamp > self.shard.context.service_time() - FUTURE_SECONDS

    def drop_iterator(self) -> None:
        """The next read makes an iterator of its own, after the last record read."""
        self._iterator = self.first_iterator = None

    async def back_off(self, error: AwsError, seconds: float | None = None) -> None:
        """Say what went wrong and wait."""
        self._tries += 1
        if self._tries >= TRIES_WITH_ONE_ITERATOR or isinstance(error, Refused | IteratorExpired):
            self.drop_iterator()
        wait = max(self.polling.failed(), seconds or 0.0)
        context, shard_id = self.shard.context, self.shard.shard_id
        context.surroundings.facts.emit(PollFailed(shard_id, str(error), wait, isinstance(error, Throttled)))
        context.doing(shard_id, State.BACKING_OFF, str(error), wait)
        await self.shard.stopping.sleep(wait)

    async def _trimmed(self, error: AwsError) -> None:
        self.drop_iterator()
        # Where the end was told before, the gap behind the last record read is no loss if the end turns out to be true.
        self._gap_above_end = self.ending.told > 0
        if not self.place.trimmed():
            await self.back_off(error)

    async def _missing(self, error: AwsError) -> None:
        """The service does not know the shard. Unless the stream has gone as well, its retention has run out."""
        self.drop_iterator()
        context, shard_id = self.shard.context, self.shard.shard_id
        try:
            with self.shard.stopping.waiting():
                await context.confirm_stream()
                listed = await context.source.shards()
                self._not_found = 0 if any(shard.shard_id == shard_id for shard in listed) else self._not_found + 1
        except NotFound as gone:
            raise SourceUnusable(f"the stream {context.source.arn} does not exist any more: {gone}") from gone
        except AwsError as other:
            error = other
        if self._not_found < TRIES_TO_FIND:
            await self.back_off(error, FIND_SECONDS)
            return
        self.place.gap_after, self._gap_above_end = self.place.upto or BEGINNING, self.ending.told > 0
        self.ended(None)

    def _say_gap(self, upto: str) -> None:
        """Records above the checkpoint have left the retention unread. They were never received, so no book lacks them."""
        gap, self.place.gap_after = self.place.gap_after, None
        shard_id = self.shard.shard_id
        log.error(
            "records were trimmed away before they were read",
            mapping=self.shard.context.mapping.name,
            shard=shard_id,
            after=gap,
            upto=upto,
        )
        self.shard.context.surroundings.facts.emit(Discarded(shard_id, (), DiscardCondition.TRIMMED))
