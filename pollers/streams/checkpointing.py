"""Writes checkpoints: at once when quiet, together and at most twice a second when busy, always before a shard or poller ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.backoff import Backoff
from pollers.checkpoints.errors import LeaseLost, StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from pollers.checkpoints.store import MappingCheckpoints, ShardCheckpoint
    from pollers.streams.shard import Shard
    from pollers.streams.stopping import Stopping

log = structlog.stdlib.get_logger(__name__)

INTERVAL_SECONDS = 0.5
"""Least time between two rounds of writing. What a crash delivers again is bounded by it."""
LAST_TRIES = 5
"""Rounds of writing at the end of a poller, when the store refuses."""


class CheckpointWriter:
    """The one writer of a mapping's checkpoints.

    ``report`` is told what is wrong with the store and in how many seconds it is tried again, and ``None`` when it works again.
    """

    def __init__(
        self,
        checkpoints: MappingCheckpoints,
        stopping: Stopping,
        random: Random,
        report: Callable[[str | None, float | None], None],
    ) -> None:
        self._checkpoints = checkpoints
        self._stopping = stopping
        self._backoff = Backoff(random, initial=0.5, maximum=10.0)
        self._report = report
        self._dirty: dict[Shard, None] = {}
        self._news = anyio.Event()
        self._flushing = anyio.Lock()

    def moved(self, shard: Shard) -> None:
        """The shard's checkpoint may be moved."""
        if shard not in self._dirty:
            self._dirty[shard] = None
            self._news.set()

    async def run(self) -> None:
        """Write until stopped."""
        while not self._stopping.stopped:
            with self._stopping.waiting():
                await self._news.wait()
            self._news = anyio.Event()
            problem = await self.flush()
            if self._dirty:
                self._news.set()
            wait = INTERVAL_SECONDS if problem is None else self._backoff.next()
            self._say(problem, wait)
            await self._stopping.sleep(wait)

    def _say(self, problem: StoreUnwritable | None, wait: float) -> None:
        if problem is None:
            self._worked()
        else:
            self._report(str(problem), wait)

    def _worked(self) -> None:
        if self._backoff.failures:
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

    async def _save_or_keep(self, shard: Shard, refused: list[StoreUnwritable]) -> None:
        try:
            await self.save(shard)
        except StoreUnwritable as problem:
            refused.append(problem)
            self._dirty[shard] = None

    async def last(self) -> None:
        """Write what is left when the poller ends. Raises StoreUnwritable when the store refuses to the end."""
        for left in reversed(range(LAST_TRIES)):
            problem = await self.flush()
            if problem is None:
                return
            if not left:
                raise problem
            await anyio.sleep(self._backoff.next())

    async def save(self, shard: Shard) -> None:
        """Move one shard's checkpoint as far as it can be moved. Raises StoreUnwritable."""
        async with shard.saving:
            moved = shard.checkpoint()
            if moved is None or shard.lost:
                return
            step, checkpoint = moved
            try:
                await self._checkpoints.save(shard.lease, checkpoint)
            except LeaseLost as lost:
                self._give_up(shard, lost)
                return
            shard.saved(step, checkpoint)

    async def end(self, shard: Shard, children: Mapping[str, ShardCheckpoint]) -> bool:
        """Mark a shard ended and pin its children; tried again until it works or the poller stops. Whether it was done."""
        while True:
            try:
                return await self._end(shard, children)
            except StoreUnwritable as problem:
                wait = self._backoff.next()
                self._report(str(problem), wait)
                if self._stopping.stopped:
                    return False
                await self._stopping.sleep(wait)

    async def _end(self, shard: Shard, children: Mapping[str, ShardCheckpoint]) -> bool:
        async with shard.saving:
            if shard.lost:
                return False
            step, checkpoint = shard.checkpoint() or (None, shard.kept)
            try:
                await self._checkpoints.end(shard.lease, checkpoint, children)
            except LeaseLost as lost:
                self._give_up(shard, lost)
                return False
            self._worked()
            self._dirty.pop(shard, None)
            if step is not None:
                shard.saved(step, checkpoint)
            return True

    def _give_up(self, shard: Shard, lost: LeaseLost) -> None:
        log.warning("another owner took the shard", shard=shard.shard_id, error=str(lost))
        shard.lose()
