"""The shards of one mapping that are being read: started when their lineage allows it, brought to their ends, handed back."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.checkpoints.errors import LeaseLost, StoreUnwritable
from pollers.checkpoints.store import ShardCheckpoint
from pollers.sources.streams.shard import Shard
from pollers.sources.streams.starting import later_checkpoints
from pollers.telemetry.facts import OPENING_TASK, EndRevoked, ShardEnded, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anyio.abc import TaskGroup

    from pollers.checkpoints.store import Lease, MappingCheckpoints
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.discovery import Discovery

log = structlog.stdlib.get_logger(__name__)


class Shards:
    """Runs every shard that may be read, each in a task of its own.

    ``tips`` are iterators for the first reading of shards (see opening). ``fail`` is told of what ends the whole poller,
    ``stopped`` when no shard runs any more.
    """

    def __init__(
        self,
        context: StreamContext,
        checkpoints: MappingCheckpoints,
        discovery: Discovery,
        tasks: TaskGroup,
        tips: dict[str, str],
        fail: Callable[[Exception], None],
    ) -> None:
        self._context = context
        self._checkpoints = checkpoints
        self._discovery = discovery
        self._lineage = discovery.lineage
        self._tasks = tasks
        self._tips = tips
        self._fail = fail
        self._shards: dict[str, Shard] = {}
        self._revoked: set[str] = set()
        self._running = 0
        self._stopping = False
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
    def at_tips(self) -> bool:
        """Whether every shard that has not ended is read, up to its tip, and nothing is held or awaited of it."""
        reading = {shard_id for shard_id, shard in self._shards.items() if shard.at_rest}
        return reading.issuperset(self._lineage.unfinished()) and not self._lineage.suspects()

    # -- starting --------------------------------------------------------------------------------------------------------

    async def start_readable(self) -> None:
        """Start every shard that may be read and is not, and say what the others wait for."""
        async with self._starting:
            try:
                if not self._stopping:
                    await self._reopen()
                if not self._stopping and not self._shards.keys() >= set(self._lineage.unfinished()):
                    await self._start()
            except StoreUnwritable as error:
                self._context.doing(OPENING_TASK, State.BACKING_OFF, str(error))
                self._discovery.expect()
            self._say_waiting()

    async def _start(self) -> None:
        kept = await self._checkpoints.load()
        for shard_id in self._lineage.unfinished():
            if shard_id in kept and kept[shard_id].ended:  # by another owner
                self._lineage.ended(shard_id)
        readable = self._lineage.readable()
        parents = self._lineage.parents
        new = {shard_id: ShardCheckpoint(parents=parents(shard_id)) for shard_id in readable if shard_id not in kept}
        if new:
            await self._checkpoints.pin(new)
            kept = await self._checkpoints.load()
        leases = await self._checkpoints.take(readable) if readable else {}
        if self._stopping:
            await self._checkpoints.release(leases.values())
            return
        for shard_id, lease in leases.items():
            self._launch(shard_id, lease, kept[shard_id])

    async def _reopen(self) -> None:
        """Take back ends that the stream's own listings contradict; those shards are read again from their last records."""
        found = self._lineage.contradicted(anyio.current_time())
        if not found:
            return
        kept = await self._checkpoints.load()
        for shard_id in found:
            self._say_revoked(shard_id, kept.get(shard_id))
        leases = await self._checkpoints.take([shard_id for shard_id in found if shard_id in kept])
        for shard_id in found:
            if shard_id in leases:
                with contextlib.suppress(LeaseLost):  # whoever took it sees what is listed as well
                    await self._checkpoints.save(leases[shard_id], replace(kept[shard_id], ended=False))
            self._lineage.reopened(shard_id)
        await self._checkpoints.release(leases.values())

    def _say_revoked(self, shard_id: str, kept: ShardCheckpoint | None) -> None:
        if shard_id in self._revoked:  # the store refused what was to be written
            return
        self._revoked.add(shard_id)
        log.error(
            "a checkpoint says that a shard has ended, but the stream lists it as open: it is read again",
            mapping=self._context.mapping.name,
            shard=shard_id,
            after=None if kept is None else kept.sequence_number,
        )
        self._context.surroundings.facts.emit(EndRevoked(shard_id))

    def _launch(self, shard_id: str, lease: Lease, kept: ShardCheckpoint) -> None:
        shard = Shard(shard_id, lease, kept, self._context)
        shard.reader.first_iterator = self._tips.pop(shard_id, None)
        self._shards[shard_id] = shard
        self._lineage.started(shard_id)
        self._running += 1
        self._tasks.start_soon(self._run, shard)

    def _say_waiting(self) -> None:
        for shard_id in self._lineage.unfinished():
            if shard_id not in self._shards and (parents := self._lineage.waiting_for(shard_id)):
                self._context.doing(shard_id, State.WAITING_FOR_PARENT, f"parent {' and '.join(parents)}")

    # -- running ---------------------------------------------------------------------------------------------------------

    async def _run(self, shard: Shard) -> None:
        try:
            await shard.run()
            if shard.lost:
                self._lost(shard)
            elif shard.finished:
                await self._ended(shard)
        except Exception as failure:
            self._fail(failure)
        finally:
            self._running -= 1
            self._note_stopped()

    def _lost(self, shard: Shard) -> None:
        """Another owner has the shard: its records are the other's now."""
        self._remove(shard, "another owner took the shard")
        self._lineage.stopped(shard.shard_id)

    async def _ended(self, shard: Shard) -> None:
        """Write the shard's end and its children down together, then start the children."""
        children = shard.children or ()
        if not await self._context.writer.end(shard, later_checkpoints(children)):
            if shard.lost:
                self._lost(shard)
            return
        self._lineage.ended(shard.shard_id)
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
        """Read no more and invoke no more; ``stopped`` is set when running invocations have finished."""
        self._stopping = True
        for shard in self._shards.values():
            shard.stop()
        self._note_stopped()

    def hurry(self) -> None:
        """Abandon running invocations too."""
        self.stop()
        for shard in self._shards.values():
            shard.hurry()

    def _note_stopped(self) -> None:
        if self._stopping and not self._running:
            self.stopped.set()

    async def hand_back(self) -> None:
        """After ``stopped``: write the last checkpoints, give everything else back. Raises StoreUnwritable."""
        left: Iterable[Shard] = list(self._shards.values())
        try:
            await self._context.writer.last()
            await self._checkpoints.release([shard.lease for shard in left])
        finally:
            for shard in left:
                self._remove(shard, "stopped")
            for task in list(self._context.said):
                self._context.doing(task, State.ENDED)
