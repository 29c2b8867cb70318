"""The shards of one mapping that are being read: started when their lineage allows it, brought to their ends, handed back."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.store import ShardCheckpoint
from pollers.sources.streams.shard import Shard
from pollers.sources.streams.shard_states import ShardState
from pollers.sources.streams.starting import later_checkpoints
from pollers.storage.errors import StoreUnwritable
from pollers.telemetry.facts import OPENING_TASK, EndRevoked, ShardEnded, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskGroup

    from pollers.checkpoints.store import Lease
    from pollers.engine.stop import Stop
    from pollers.sources.streams.checkpointing import CheckpointWriter
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.discovery import Discovery
    from pollers.sources.streams.opening import OpenStream

log = structlog.stdlib.get_logger(__name__)


class ShardSupervisor:
    """Runs every shard that may be read, each in a task of its own, and takes it from state to state.

    The states are drawn in :mod:`pollers.sources.streams.shard_states`. ``tips`` are iterators for the first reading of shards
    (see opening). ``fail`` is told of what ends the whole poller; ``stopped`` is set when no shard runs any more, and each has been
    saved and released.
    """

    def __init__(
        self,
        context: StreamContext,
        writer: CheckpointWriter,
        discovery: Discovery,
        opened: OpenStream,
        tasks: TaskGroup,
        stop: Stop,
        fail: Callable[[Exception], None],
    ) -> None:
        self._context = context
        self._writer = writer
        self._discovery = discovery
        self._lineage = discovery.lineage
        self._checkpoints = opened.checkpoints
        self._tips = opened.tips
        self._tasks = tasks
        self._stop = stop
        self._fail = fail
        self._shards: dict[str, Shard] = {}
        self._reopened: set[str] = set()
        self._running = 0
        self._starting = anyio.Lock()
        self.stopped = anyio.Event()

    @property
    def held(self) -> int:
        """Records received and not yet accounted for."""
        return sum(shard.held for shard in self._shards.values())

    @property
    def invoking(self) -> int:
        """Batches that are with the function."""
        return sum(lane.invoking for shard in self._shards.values() for lane in shard.lanes)

    @property
    def caught_up(self) -> bool:
        """Whether every shard that has not ended is read, up to its tip, and nothing is held or awaited of it.

        Shards that other replicas read are theirs to finish, and so are those that come after them.
        """
        done = {shard_id for shard_id, shard in self._shards.items() if shard.caught_up}
        unfinished = self._lineage.unfinished()
        elsewhere = self._checkpoints.elsewhere(unfinished)
        if elsewhere:
            done |= self._lineage.with_those_after(elsewhere)
        return done.issuperset(unfinished) and not self._lineage.suspects()

    # -- starting --------------------------------------------------------------------------------------------------------

    async def start_readable(self) -> None:
        """Start every shard that may be read and is not, and report what the others wait for.

        Asked when the listing has changed or a shard has ended. A shard that the store does not give now is not asked for again
        before that, or before :meth:`others_changed`.
        """
        await self._look(others=False)

    async def others_changed(self) -> None:
        """The same, when other owners have done something: they may have written down shards that no listing has shown here."""
        await self._look(others=True)

    async def _look(self, *, others: bool) -> None:
        async with self._starting:
            try:
                if not self._stop.requested:
                    await self._reopen()
                if not self._stop.requested and (others or not self._shards.keys() >= set(self._lineage.unfinished())):
                    await self._start(others=others)
            except StoreUnwritable as error:
                self._context.reports.doing(OPENING_TASK, State.BACKING_OFF, str(error))
                self._discovery.expect()
            if not self._stop.requested:
                self._report_waiting()

    async def _start(self, *, others: bool) -> None:
        kept = await self._checkpoints.load()
        self._discovery.learn(kept)
        if others:
            self._discovery.unlearn(kept)
        readable = self._lineage.readable()
        unkept = [shard_id for shard_id in readable if shard_id not in kept]
        if unkept:
            await self._pin(unkept, kept)
            kept = await self._checkpoints.load()
            self._discovery.learn(kept)
            readable = self._lineage.readable()
        leases = await self._checkpoints.take_leases(readable) if readable else {}
        if not leases:
            return
        launched = False
        try:
            # Once more: whoever had a shard before may have written its checkpoint after we looked and before it was ours.
            kept = await self._checkpoints.load()
            launched = not self._stop.requested
        finally:
            if not launched:
                await self._checkpoints.release(leases.values())
        if launched:
            await self._launch_all(leases, kept)

    async def _pin(self, shard_ids: list[str], kept: Mapping[str, ShardCheckpoint]) -> None:
        """Pin shards that have no checkpoint, and with them those between them and others that have one: where the store's
        checkpoints outlive those of parents, it knows by a shard that has begun that all before it are done."""
        parents = self._lineage.parents
        chain = [shard_id for shard_id in self._lineage.with_those_after(shard_ids) if shard_id not in kept]
        await self._checkpoints.pin(
            {shard_id: ShardCheckpoint(parents=parents(shard_id)) for shard_id in sorted(chain)}
        )

    async def _launch_all(self, leases: Mapping[str, Lease], kept: Mapping[str, ShardCheckpoint]) -> None:
        done = [lease for shard_id, lease in leases.items() if shard_id not in kept or kept[shard_id].ended]
        for shard_id, lease in leases.items():
            if lease not in done:
                self._launch(shard_id, lease, kept[shard_id])
        if done:
            self._discovery.learn(kept)
            await self._checkpoints.release(done)

    async def _reopen(self) -> None:
        """Take back ends that the stream's own listings contradict; those shards are read again from their last records."""
        found = self._lineage.contradicted(anyio.current_time())
        if not found:
            return
        kept = await self._checkpoints.load()
        for shard_id in found:
            self._report_reopened(shard_id, kept.get(shard_id))
        leases = await self._checkpoints.take_leases([shard_id for shard_id in found if shard_id in kept])
        for shard_id in found:
            if shard_id in leases:
                with contextlib.suppress(LeaseLost):  # whoever took it sees what is listed as well
                    await self._checkpoints.save(leases[shard_id], replace(kept[shard_id], ended=False))
            self._lineage.reopened(shard_id)
        await self._checkpoints.release(leases.values())

    def _report_reopened(self, shard_id: str, kept: ShardCheckpoint | None) -> None:
        if shard_id in self._reopened:  # the store refused what was to be written
            return
        self._reopened.add(shard_id)
        log.error(
            "a checkpoint says that a shard has ended, but the stream lists it as open: it is read again",
            mapping=self._context.mapping.name,
            shard=shard_id,
            after=None if kept is None else kept.sequence_number,
        )
        self._context.surroundings.facts.emit(EndRevoked(shard_id))

    def _launch(self, shard_id: str, lease: Lease, kept: ShardCheckpoint) -> None:
        life = self._lineage.life(shard_id)
        shard = Shard(life, lease, kept, self._context, self._writer, self._stop.child(), self._discovery.sight)
        tip = self._tips.pop(shard_id, None)
        # Once something is done, here or elsewhere, reading goes on behind that.
        shard.reader.begin_with(tip if kept.sequence_number is None else None)
        self._shards[shard_id] = shard
        life.to(ShardState.READING)
        self._running += 1
        self._tasks.start_soon(self._run, shard)

    def _report_waiting(self) -> None:
        waiting = [shard_id for shard_id in self._lineage.unfinished() if shard_id not in self._shards]
        elsewhere, doing = self._checkpoints.elsewhere(waiting), self._context.reports.doing
        for shard_id in waiting:
            if parents := self._lineage.waiting_for(shard_id):
                doing(shard_id, State.WAITING_FOR_PARENT, f"parent {' and '.join(parents)}")
            else:
                doing(shard_id, State.READ_ELSEWHERE if shard_id in elsewhere else State.ENDED)

    # -- running ---------------------------------------------------------------------------------------------------------

    async def _run(self, shard: Shard) -> None:
        try:
            async with anyio.create_task_group() as watch:
                watch.start_soon(shard.watch_lease)
                await self._guarded(lambda: self._read(shard))
                await self._guarded(lambda: self._leave(shard))
                watch.cancel_scope.cancel()
        finally:
            self._running -= 1
            self._note_stopped()

    async def _guarded(self, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except Exception as failure:
            self._fail(failure)

    async def _read(self, shard: Shard) -> None:
        await shard.run(self._fail)
        if shard.life.state is ShardState.DRAINING and shard.all_done:
            await self._end(shard)

    async def _leave(self, shard: Shard) -> None:
        """After its tasks have ended: what is done of a shard that has not ended is written, the rest goes back.

        Each shard does so as soon as its own batches have ended: another replica need not wait for those of the others.
        Raises StoreUnwritable.
        """
        if self._shards.get(shard.shard_id) is not shard:
            return
        try:
            await self._writer.last(shard)
            if shard.life.ours:
                # Before the release: from then on the lease may be another's, and that is no loss of ours.
                shard.life.to(ShardState.LET_GO)
                await self._writer.release(shard.lease)
        finally:
            self._let_go(shard)

    def _let_go(self, shard: Shard) -> None:
        if shard.life.ours:  # the store refused to the end
            shard.life.to(ShardState.LET_GO)
        if shard.life.lost:
            self._remove(shard, "another owner took the shard")
        elif self._stop.requested:
            self._remove(shard, "stopped")
        else:
            self._remove(shard, "another replica took the shard over")
        if shard.life.lost or not self._stop.requested:
            shard.life.to(ShardState.WAITING)
            self._context.reports.doing(shard.shard_id, State.READ_ELSEWHERE)

    async def _end(self, shard: Shard) -> None:
        """Write the shard's end and its children down together, then start the children."""
        shard.life.to(ShardState.ENDING)
        children = shard.children
        if not await self._writer.end(shard, later_checkpoints(children)):
            return
        # Only now: a child that was read before this is on the disk could come before its parent's last records, after a crash.
        shard.life.to(ShardState.ENDED)
        self._remove(shard, "the shard has ended")
        self._context.surroundings.facts.emit(ShardEnded(shard.shard_id))
        self._discovery.announce(children)
        if not children:
            self._discovery.expect()
        await self.start_readable()

    def _remove(self, shard: Shard, reason: str) -> None:
        del self._shards[shard.shard_id]
        shard.let_go(reason)

    # -- stopping --------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Read no more and invoke no more; ``stopped`` is set when running invocations have finished and shards are released."""
        self._stop.request()
        self._checkpoints.leave()
        for shard in self._shards.values():
            shard.wake_up()
        self._note_stopped()

    def _note_stopped(self) -> None:
        if self._stop.requested and not self._running:
            self.stopped.set()

    async def finish(self) -> None:
        """Wait until everything has stopped and is released."""
        await self.stopped.wait()
        # Leases that are being taken meanwhile are released by whoever takes them: cancelled, they would be held until they expire.
        async with self._starting:
            self._context.reports.end_all()
