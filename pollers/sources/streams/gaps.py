"""What a reader does where records have left the stream unread: it reports that, and reads on unless the source says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from pollers.aws.errors import AwsError, NotFound
from pollers.errors import SourceUnusable
from pollers.sources.streams.confirming_end import FIND_SECONDS
from pollers.sources.streams.ending import TRIES_TO_FIND
from pollers.sources.streams.place import BEGINNING
from pollers.telemetry.facts import DiscardCondition, Discarded, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.aws.api import ShardListing
    from pollers.aws.errors import Trimmed
    from pollers.engine.stop import Stop
    from pollers.sources.streams.confirming_end import EndConfirmation
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.place import Place

log = structlog.stdlib.get_logger(__name__)

HELD_SECONDS = 1.0
"""How often a reader that cannot go on looks whether what it has read is done."""


class GapReader(Protocol):
    """The reader that meets the gap. ``held`` counts the records received and not yet accounted for."""

    shard_id: str
    stop: Stop
    place: Place
    end: EndConfirmation

    @property
    def held(self) -> int: ...

    def drop_iterator(self) -> None:
        """The next read makes an iterator of its own."""

    def ended(self, children: Sequence[ShardListing] | None) -> None:
        """The shard has no further records."""

    async def back_off(self, error: AwsError, seconds: float | None = None) -> None:
        """Report what went wrong and wait."""


class Gaps:
    """The gaps of one shard. A gap is reported when it is known how far it reaches (``Place.gap_after``)."""

    def __init__(self, reader: GapReader, context: StreamContext) -> None:
        self._reader = reader
        self._context = context
        self._above_end = False
        self._not_found = 0

    def found(self) -> None:
        """The service knows the shard: a page came."""
        self._not_found = 0

    async def trimmed(self, error: Trimmed) -> None:
        """The position to read on at has left the stream. Raises SourceUnusable where the source says that the mapping stops."""
        reader = self._reader
        reader.drop_iterator()
        if reader.place.gap_after is None and not await self._may_read_on(error):
            return
        # Where the end was claimed before, the gap behind the last record read is no loss if the end turns out to be true.
        self._above_end = reader.end.under_way
        if reader.place.unlooked:
            self.report_gone()
        if not reader.place.trimmed():
            await reader.back_off(error)

    async def _may_read_on(self, error: Trimmed) -> bool:
        """Whether the source lets reading go on behind the gap; not yet if it cannot be asked now."""
        reader = self._reader
        try:
            with reader.stop.waiting() as scope:
                reason = await self._context.source.history_lost(reader.place.position, error)
        except AwsError as other:
            await reader.back_off(other)
            return False
        if scope.cancelled_caught:
            return False
        if reason is not None:
            await self._stop(reason, error)
        return reason is None

    async def _stop(self, reason: str, error: Trimmed) -> None:
        """Raise SourceUnusable, once all that was read is done; return when stopped before."""
        reader = self._reader
        log.error("reading cannot go on", mapping=self._context.mapping.name, shard=reader.shard_id, reason=reason)
        # What was read before is nowhere else any more: the next start cannot read it again.
        while reader.held and not reader.stop.requested:
            self._context.reports.doing(reader.shard_id, State.BACKING_OFF, reason)
            await reader.stop.sleep(HELD_SECONDS)
        if not reader.stop.requested:
            raise SourceUnusable(reason) from error

    async def missing(self, error: AwsError) -> None:
        """The service does not know the shard. Unless the stream has gone as well, its retention has run out."""
        reader, source = self._reader, self._context.source
        reader.drop_iterator()
        try:
            with reader.stop.waiting():
                await self._context.stream.confirm()
                listed = any(shard.shard_id == reader.shard_id for shard in await source.shards())
                self._not_found = 0 if listed else self._not_found + 1
        except NotFound as gone:
            raise SourceUnusable(f"the stream {source.arn} does not exist any more: {gone}") from gone
        except AwsError as other:
            error = other
        if self._not_found < TRIES_TO_FIND:
            await reader.back_off(error, FIND_SECONDS)
            return
        reader.place.gap_after, self._above_end = reader.place.upto or BEGINNING, reader.end.under_way
        reader.ended(None)

    def at_end(self) -> None:
        """The shard has ended: a gap that no record follows is known now."""
        if self._reader.place.gap_after is not None and not self._above_end:
            self.report("no record is left in the shard")

    def report_gone(self) -> None:
        """The record at the checkpoint, which was to be looked at once more, is gone."""
        log.warning(
            "the record in which another consumer stopped has left the stream: what was not done of it is lost",
            mapping=self._context.mapping.name,
            shard=self._reader.shard_id,
            record=self._reader.place.last,
        )

    def report(self, upto: str) -> None:
        """Records above the checkpoint have left the retention unread. They were never received, so no book lacks them."""
        place = self._reader.place
        gap, place.gap_after = place.gap_after, None
        log.error(
            "records were trimmed away before they were read",
            mapping=self._context.mapping.name,
            shard=self._reader.shard_id,
            after=gap,
            upto=upto,
        )
        self._context.surroundings.facts.emit(Discarded(self._reader.shard_id, (), DiscardCondition.TRIMMED))
