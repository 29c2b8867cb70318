"""One shard: a reader that fills its lanes, lanes that empty into the function, and how far it is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from pollers.sources.streams.done_ahead import DoneAhead
from pollers.sources.streams.filling import Filling
from pollers.sources.streams.intake import Intake
from pollers.sources.streams.lane import Lane
from pollers.sources.streams.lease_time import LeaseTime
from pollers.sources.streams.progress import Progress, Step
from pollers.sources.streams.reading import Reader
from pollers.sources.streams.room import Room
from pollers.sources.streams.shard_states import ShardState
from pollers.sources.streams.unwritten import Unwritten, WriteGate
from pollers.sources.streams.user_records import UserRecords
from pollers.sources.streams.windows import Windows
from pollers.telemetry.facts import Checkpointed, Returned, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pollers.aws.api import ShardListing, Wire
    from pollers.checkpoints.store import Lease, ShardCheckpoint
    from pollers.engine.stop import Stop
    from pollers.sources.streams.checkpointing import CheckpointWriter
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.ending import Sight
    from pollers.sources.streams.records import Records
    from pollers.sources.streams.shard_states import ShardLife

UNSAVED_LIMIT = 100_000
"""Records read above the checkpoint at most: other lanes go on while one is stuck, but not for ever."""


class Shard:
    """Reads one shard and brings its records to the function, until it ends or is stopped.

    ``life`` is the shard's state (see :mod:`pollers.sources.streams.shard_states`). ``kept`` is the checkpoint as it was last
    written, ``progress`` what has been read and done since. ``stop`` is the shard's own. ``look`` asks what the stream's listing
    says of a shard.
    """

    def __init__(
        self,
        life: ShardLife,
        lease: Lease,
        kept: ShardCheckpoint,
        context: StreamContext,
        writer: CheckpointWriter,
        stop: Stop,
        look: Callable[[str], Awaitable[Sight]],
    ) -> None:
        self.life = life
        self.lease = lease
        self.kept = kept
        self.context = context
        self.stop = stop
        self.gone = False
        self.saving = anyio.Lock(fast_acquire=True)
        self.children: tuple[ShardListing, ...] = ()
        self.windows = self._windows()
        self.holding = context.read_ahead.join(self._room_again)
        self.room = Room(self, context.read_ahead, context.reports)
        self._writer = writer
        # A store that writes only now and then is given the time for two writes before lanes wait for it.
        self._unwritten = Unwritten(2 * writer.interval_seconds)
        self.lease_time = LeaseTime(lease, stop, context.reports)
        self.gate = WriteGate(self._unwritten, stop, context.reports, lambda: writer.problem)
        self.lanes = [Lane(self, number) for number in range(context.lanes)]
        self.reader = Reader(self, look)
        self.progress = Progress()
        self._done_ahead = DoneAhead(kept.ahead, context.source.positions)
        self._user_records = UserRecords(context.source, wanted=context.counts_user_records)
        intake = Intake(life.shard_id, context.stream, self._done_ahead, context.record_filter)
        self._filling = Filling(self, intake, self._user_records)
        self._saved_window = kept.window

    @property
    def shard_id(self) -> str:
        """The service's name for it."""
        return self.life.shard_id

    def _windows(self) -> Windows | None:
        length, source = self.context.mapping.window_length_seconds, self.context.source
        if not length:
            return None
        return Windows(length, self.shard_id, source.arn, self.kept.window, self.context.window_state_bytes)

    # -- life ------------------------------------------------------------------------------------------------------------

    async def run(self, fail: Callable[[Exception], None]) -> None:
        """Until every record is done, or stopped. ``fail`` is told when the shard cannot be read; what runs finishes."""
        async with anyio.create_task_group() as tasks:
            for lane in self.lanes:
                tasks.start_soon(lane.run)
            await self._read(fail)

    async def _read(self, fail: Callable[[Exception], None]) -> None:
        try:
            await self.reader.run()
        except Exception as failure:
            fail(failure)
        if self.life.closed:
            # It is not polled any more, however long its last records take.
            self.context.reports.doing(self.shard_id, State.ENDED)
        self.wake_up()

    async def watch_lease(self) -> None:
        """Obey the store while the shard is worked on: until cancelled, also while its last checkpoint is written."""
        async with anyio.create_task_group() as watch:
            watch.start_soon(self._watch_wanted)
            await self.lease.lost.wait()
            self.lose()
            watch.cancel_scope.cancel()

    async def _watch_wanted(self) -> None:
        await self.lease.wanted.wait()
        # In order, as a stop of the whole poller would: what runs finishes.
        self.stop.request()
        self.wake_up()

    def close(self, children: Sequence[ShardListing] | None) -> None:
        """The stream has no more of the shard, whose children are these, as far as they were named."""
        # The lease may have been lost while the end was looked into: then it is the new owner's to find.
        if not self.life.lost:
            self.life.to(ShardState.DRAINING)
            self.children = tuple(children or ())

    def lose(self) -> None:
        """Another owner has the shard: whatever is done here now counts for nothing."""
        if self.life.ours and not self.gone:
            self.life.to(ShardState.LOST)
            self.stop.hurry()
            self.wake_up()

    def wake_up(self) -> None:
        """Lanes look again at what they wait for."""
        for lane in self.lanes:
            lane.look_again()
        self.gate.look_again()

    @property
    def all_done(self) -> bool:
        """Whether every record that was read is done, and no window is open."""
        return self.lowest is None and (self.windows is None or self.windows.open is None)

    def let_go(self, reason: str) -> None:
        """After :meth:`run`: what is not done goes back to the stream, and the read-ahead is free for others."""
        self.gone = True
        left = self.progress.unsaved_sequence_numbers()
        self.progress = Progress()
        self.context.read_ahead.leave(self.holding)
        if left:
            self.context.surroundings.facts.emit(Returned(self.shard_id, left, None, reason))
        for lane in self.lanes:
            self.context.reports.doing(lane.task, State.ENDED)
        self.context.reports.doing(self.shard_id, State.ENDED)

    # -- from the reader to the lanes ------------------------------------------------------------------------------------

    async def take(self, records: list[Wire]) -> int:
        """Encode, filter and queue records that follow those taken before; returns what holding them costs, in bytes."""
        return await self._filling.take(records)

    def read_upto(self, position: str) -> None:
        """Everything up to this position has been read, though no record has it."""
        self.progress.read_upto(position)
        self.progressed()

    @property
    def full(self) -> bool:
        """Whether so much is read above the checkpoint that reading must wait for it."""
        return self.progress.read - self.progress.saved >= UNSAVED_LIMIT

    @property
    def starved(self) -> bool:
        """Whether no more records can come into the lanes before some leave them."""
        return self.life.closed or self.room.wanted

    def room_wanted(self) -> None:
        """The reader waits for room: lanes need not wait for more records."""
        self.wake_up()

    def tip_reached(self) -> None:
        """The reader found nothing: a window whose time is over may close."""
        if self.windows is not None:
            self.wake_up()

    def _room_again(self) -> None:
        self.room.look_again()

    # -- how far it is done ----------------------------------------------------------------------------------------------

    @property
    def held(self) -> int:
        """Records received and not yet accounted for."""
        return self.progress.unsaved

    @property
    def lowest(self) -> int | None:
        """The offset of the lowest unfinished record."""
        return min((lowest for lane in self.lanes if (lowest := lane.lowest) is not None), default=None)

    @property
    def at_tip(self) -> bool:
        """Whether the last poll found nothing and nothing is behind it."""
        return self.reader.at_tip

    @property
    def caught_up(self) -> bool:
        """Whether nothing is left for now: read to the tip, nothing held, no window open."""
        return self.at_tip and not self.held and (self.windows is None or self.windows.open is None)

    @property
    def last_done(self) -> str | None:
        """The position of the highest record below which everything is done; None before the first."""
        return self.progress.step(self.lowest, self.kept.sequence_number).sequence_number

    def accepted(self, records: Records) -> None:
        """The function accepted these records."""
        if len(records):
            self.progress.accept(records.offsets)
            self._done(records)

    def _done(self, records: Records) -> None:
        self._unwritten.finish(self.gate.now())
        self.context.read_ahead.release(self.holding, len(records), records.size_bytes)

    def window_closed(self) -> None:
        """The last invocation of a tumbling window is done with."""
        if self.windows is not None:
            self.windows.closed()
            self._unwritten.finish(self.gate.now())

    def discarded(self, records: Records) -> None:
        """These records are accounted for as discarded."""
        self.progress.discard(records.offsets)
        self._done(records)

    def progressed(self) -> None:
        """Records may be done: the checkpoint may move."""
        # A state changes with its window even where no record is left to move the checkpoint by: it must be written too.
        window = self.windows.open if self.windows else None
        if self._unwritten.any or self.progress.moved(self.lowest) or window != self._saved_window:
            self._writer.moved(self)

    def checkpoint(self) -> tuple[Step, ShardCheckpoint] | None:
        """The checkpoint as it can be written now, or None when that would change nothing."""
        kept = self.kept
        step = replace(self.progress.step(self.lowest, kept.sequence_number), finished=self._unwritten.finished)
        if self.reader.place.repeats_kept and not step.upto:
            # The record at the checkpoint is delivered again: whatever is written at its number says that all of it is done.
            return None
        if self.windows is not None and self.windows.unwritable:
            # It closes next, and what follows has no state. After a crash before that, the window goes on from what was written.
            return None
        moved = step.upto > self.progress.saved or step.sequence_number != kept.sequence_number
        lanes = [lane.done_upto for lane in self.lanes] if len(self.lanes) > 1 else ()
        checkpoint = replace(
            kept,
            sequence_number=step.sequence_number,
            # A state without a record that it is of would be none.
            window=self.windows.open if self.windows and step.sequence_number else None,
            ahead=self._done_ahead.above(step.sequence_number, lanes),
            user_record=self._user_records.last_of(step.sequence_number) if moved else kept.user_record,
        )
        return None if checkpoint == kept and not step.count else (step, checkpoint)

    def saved(self, step: Step, checkpoint: ShardCheckpoint) -> None:
        """That checkpoint has been written."""
        was_full = self.full
        self.kept = checkpoint
        self._saved_window = checkpoint.window
        self._user_records.written(checkpoint.sequence_number)
        self.progress.saved_step(step)
        self._written(step.finished)
        if step.count:
            # Whoever looks for a record knows those that came: a position without a record would not tell that it is done.
            upto = step.record or step.sequence_number or ""
            self.context.surroundings.facts.emit(Checkpointed(self.shard_id, step.count, upto))
        if was_full and not self.full:
            self.room.look_again()

    def nothing_to_write(self) -> None:
        """What has been finished changes no checkpoint."""
        self._written(self._unwritten.finished)

    def _written(self, finished: int) -> None:
        """What had been finished at that count needs no further write."""
        self._unwritten.write(finished, self.gate.now())
        self.gate.look_again()
