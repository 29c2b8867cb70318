"""Writes checkpoints: each at once, or as soon as the write before it is on the disk, together with what has moved meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import anyio
import structlog

from pollers.checkpoints.errors import LeaseLost
from pollers.engine.backoff import Backoff
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from random import Random

    from pollers.checkpoints.store import Lease, MappingCheckpoints, ShardCheckpoint
    from pollers.engine.stop import Stop
    from pollers.sources.streams.progress import Step
    from pollers.sources.streams.shard_states import ShardLife

log = structlog.stdlib.get_logger(__name__)

LAST_SECONDS = 2.0
"""For how long a store that refuses is asked again when the poller stops and a shard's batches have ended."""
LAST_TRY_SECONDS = 0.25


class CheckpointedShard(Protocol):
    """A shard whose checkpoint is written. ``saving`` is held from the reading of what is done until the write is booked.

    ``gone``: it has been let go of, so that nothing is written of it any more. (Its ``life`` goes on, with whoever reads it next.)
    """

    lease: Lease
    life: ShardLife
    kept: ShardCheckpoint
    gone: bool
    saving: anyio.Lock

    def checkpoint(self) -> tuple[Step, ShardCheckpoint] | None:
        """The checkpoint as it can be written now, or None when that would change nothing."""

    def saved(self, step: Step, checkpoint: ShardCheckpoint) -> None:
        """That checkpoint has been written."""

    def nothing_to_write(self) -> None:
        """What has been finished changes no checkpoint."""

    def lose(self) -> None:
        """Another owner has the shard."""


class CheckpointWriter:
    """The one writer of a mapping's checkpoints.

    ``interval_seconds`` is the least time between two rounds of writing, for stores whose writes cost money. ``report`` is told
    what is wrong with the store and in how many seconds it is tried again, and ``None`` when it works again; ``problem`` is what
    is wrong.
    """

    def __init__(
        self,
        checkpoints: MappingCheckpoints,
        stop: Stop,
        random: Random,
        report: Callable[[str | None, float | None], None],
        interval_seconds: float = 0.0,
    ) -> None:
        self._checkpoints = checkpoints
        self._stop = stop
        self._backoff = Backoff(random, initial=0.5, maximum=10.0)
        self._report = report
        self.interval_seconds = interval_seconds
        self.problem: str | None = None
        self._dirty: dict[CheckpointedShard, None] = {}
        self._moved = anyio.Event()
        self._flushing = anyio.Lock(fast_acquire=True)

    def moved(self, shard: CheckpointedShard) -> None:
        """The shard's checkpoint may be moved."""
        if shard not in self._dirty:
            self._dirty[shard] = None
            self._moved.set()

    async def run(self) -> None:
        """Write until cancelled: also while a stop waits for what runs, which a kill may cut short."""
        while True:
            await self._moved.wait()
            self._moved = anyio.Event()
            problem = await self.flush()
            if self._dirty:
                self._moved.set()
            await self._pause(problem)

    async def _pause(self, problem: StoreUnwritable | None) -> None:
        if problem is None:
            self._worked()
        else:
            wait = self._backoff.next()
            self._refused(problem, wait)
        if problem is not None or self.interval_seconds:
            await anyio.sleep(self.interval_seconds if problem is None else wait)

    def _refused(self, problem: StoreUnwritable, wait: float) -> None:
        self.problem = str(problem)
        self._report(self.problem, wait)

    def _worked(self) -> None:
        if self.problem is not None:
            self.problem = None
            self._report(None, None)
        self._backoff.reset()

    async def flush(self) -> StoreUnwritable | None:
        """Write every checkpoint that may be moved. What the store refused stays to be written; returns its refusal."""
        async with self._flushing:
            shards, self._dirty = list(self._dirty), {}
            refused: list[StoreUnwritable] = []
            if len(shards) == 1:
                await self._save_or_keep(shards[0], refused)
            elif shards:
                async with anyio.create_task_group() as writes:
                    for shard in shards:
                        writes.start_soon(self._save_or_keep, shard, refused)
        return refused[0] if refused else None

    async def _save_or_keep(self, shard: CheckpointedShard, refused: list[StoreUnwritable]) -> None:
        try:
            await self.save(shard)
        except StoreUnwritable as problem:
            refused.append(problem)
            self._dirty[shard] = None

    async def last(self, shard: CheckpointedShard) -> None:
        """Write what is left of a shard whose tasks have ended. Raises StoreUnwritable when the poller stops and the store goes on
        refusing."""
        await self._insist(lambda: self.save(shard), shard.lease)
        self._dirty.pop(shard, None)

    async def release(self, lease: Lease) -> None:
        """Give a lease up, with the same patience."""

        async def give_up() -> None:
            await self._checkpoints.release([lease])
            self._worked()

        await self._insist(give_up, lease)

    async def _insist(self, write: Callable[[], Awaitable[None]], lease: Lease) -> None:
        """Make a write until it works or the lease is lost; while the poller stops, no longer than ``LAST_SECONDS``."""
        deadline: float | None = None
        while not lease.lost.is_set():
            try:
                await write()
            except StoreUnwritable as problem:
                deadline = await self._wait_to_insist(problem, deadline)
            else:
                return

    async def _wait_to_insist(self, problem: StoreUnwritable, deadline: float | None) -> float | None:
        """Wait before a write is tried again; returns the time after which a stop waits no longer. Raises ``problem`` then."""
        if not self._stop.requested:
            wait = self._backoff.next()
            self._refused(problem, wait)
            await self._stop.sleep(wait)
            return None
        now = anyio.current_time()
        if deadline is not None and now >= deadline:
            raise problem
        await anyio.sleep(LAST_TRY_SECONDS)
        return now + LAST_SECONDS if deadline is None else deadline

    async def save(self, shard: CheckpointedShard) -> None:
        """Move one shard's checkpoint as far as it can be moved. Raises StoreUnwritable."""
        async with shard.saving:
            # Lost, or let go: what is to be written now is another's to write, perhaps under a lease that is released already.
            if shard.gone or not shard.life.ours:
                return
            moved = shard.checkpoint()
            if moved is None:
                shard.nothing_to_write()
                return
            step, checkpoint = moved
            # The fence: the store takes the write only while this very lease is the current one (docs/design, decision 4). So an
            # owner that was replaced without knowing cannot move the checkpoint back, or past what the new one has not done.
            try:
                await self._checkpoints.save(shard.lease, checkpoint)
            except LeaseLost as lost:
                self._give_up(shard, lost)
                return
            # A shard that was lost meanwhile has given its records back already: they are another's, whatever was written.
            if not shard.gone:
                shard.saved(step, checkpoint)

    async def end(self, shard: CheckpointedShard, children: Mapping[str, ShardCheckpoint]) -> bool:
        """Mark a shard ended and pin its children; tried again until it works or the poller stops. Whether it was done."""
        while True:
            try:
                return await self._end(shard, children)
            except StoreUnwritable as problem:
                wait = self._backoff.next()
                self._refused(problem, wait)
                if self._stop.requested:
                    return False
                await self._stop.sleep(wait)

    async def _end(self, shard: CheckpointedShard, children: Mapping[str, ShardCheckpoint]) -> bool:
        async with shard.saving:
            if shard.life.lost:
                return False
            step, checkpoint = shard.checkpoint() or (None, shard.kept)
            # One write for the end and the children: a crash between the two would leave children that nobody ever reads, or
            # children that are read while records of their parent are still owed.
            try:
                await self._checkpoints.end(shard.lease, replace(checkpoint, ahead=()), children)
            except LeaseLost as lost:
                self._give_up(shard, lost)
                return False
            self._worked()
            self._dirty.pop(shard, None)
            if step is not None:
                shard.saved(step, checkpoint)
            return True

    def _give_up(self, shard: CheckpointedShard, lost: LeaseLost) -> None:
        log.warning("another owner took the shard", shard=shard.life.shard_id, error=str(lost))
        shard.lose()
