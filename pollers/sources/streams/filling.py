"""Brings the pages that were read into a shard's lanes, and into its books."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pollers.sources.streams.records import share_out
from pollers.telemetry.facts import Filtered, Received

if TYPE_CHECKING:
    from pollers.aws.api import Wire
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.intake import Intake
    from pollers.sources.streams.lane import Lane
    from pollers.sources.streams.pacing import Holding
    from pollers.sources.streams.progress import Progress
    from pollers.sources.streams.records import Records
    from pollers.sources.streams.user_records import UserRecords


class FilledShard(Protocol):
    """The shard that records are read into. ``holding`` is its part of the read-ahead."""

    context: StreamContext
    holding: Holding
    lanes: list[Lane]
    progress: Progress

    @property
    def shard_id(self) -> str:
        """The service's name for it."""

    def read_upto(self, position: str) -> None:
        """Everything up to this position has been read, though no record has it."""

    def progressed(self) -> None:
        """Records may be done: the checkpoint may move."""


class Filling:
    """Fills the lanes of one shard."""

    def __init__(self, shard: FilledShard, intake: Intake, user_records: UserRecords) -> None:
        self._shard = shard
        self._intake = intake
        self._user_records = user_records

    async def take(self, records: list[Wire]) -> int:
        """Encode, filter and queue records that follow those taken before; returns what holding them costs, in bytes."""
        shard, context = self._shard, self._shard.context
        last = context.source.sequence_numbers(records[-1:])[0]
        await self._user_records.look(records)
        page = await self._intake.take(records)
        if page is None:
            shard.read_upto(last)
            return 0
        # From here to the end nothing waits: records are queued whole pages at a time, or not at all.
        held = page.records(shard.progress.take(page.sequence_numbers, page.rejected))
        size_bytes = held.size_bytes
        facts = context.surroundings.facts
        facts.emit(Received(shard.shard_id, page.sequence_numbers, held.events_bytes))
        if filtered := page.filtered:
            facts.emit(Filtered(shard.shard_id, filtered))
        context.read_ahead.hold(shard.holding, len(held), size_bytes)
        self._queue(held, page.wire)
        if last != page.sequence_numbers[-1]:
            shard.read_upto(last)
        elif filtered:
            shard.progressed()
        return size_bytes

    def _queue(self, held: Records, wire: list[Wire]) -> None:
        lanes = self._shard.lanes
        if not len(held):
            return
        if len(lanes) == 1:
            lanes[0].add(held)
            return
        for lane, share in zip(lanes, share_out(held, self._shard.context.source.keys(wire), len(lanes)), strict=True):
            if len(share):
                lane.add(share)
