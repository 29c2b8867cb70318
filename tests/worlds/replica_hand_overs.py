"""Replicas that come, leave in order and die while everything else works as it should: how long is a shard read by nobody?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from config.models import KinesisMapping
from tests.worlds.replica_faults import CALM
from tests.worlds.replica_simulation import ReplicaSimulation

if TYPE_CHECKING:
    from config.models import ShardedStreamMapping
    from tests.worlds.replica import Replica
    from tests.worlds.replica_watch import Gap

CALL_SECONDS = 0.02
"""How long calls of the stream and of the table take."""
ORDERLY_SECONDS = 1.0
"""Less than that between two replicas of which the first was there to hand over."""


class Latency:
    """Calls of the stream that take their time and do not fail."""

    async def before(self, _operation: str) -> None:
        """On the way there."""
        await anyio.sleep(CALL_SECONDS / 2)

    async def after(self, _operation: str) -> None:
        """On the way back."""
        await anyio.sleep(CALL_SECONDS / 2)


class HandOvers(ReplicaSimulation):
    """One lane a shard, records all the time, a function that takes a while, and deploys, scaling and deaths."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.failover = 10.0
        self.table.indexed = True  # without an index, a large table is looked at as a whole, and more rarely
        self.stream.faults = Latency()
        self.watch.trouble = 0.0
        self.watch.durations = self.random.choice(((0.0, 0.01), (0.05, 0.3), (0.3, 2.0)))
        self.set_rates(CALM)
        self._most_shards = len(self.stream.open_shards())

    def _mapping(self, kind: str) -> ShardedStreamMapping:
        mapping = super()._mapping(kind)
        plain = {
            "parallelization_factor": 1,
            "tumbling_window_in_seconds": 0,
            "maximum_batching_window_in_seconds": 0,
            "starting_position": "TRIM_HORIZON",
        }
        if isinstance(mapping, KinesisMapping):
            plain["event_source_arn"] = self.stream.stream_arn
        return mapping.model_copy(update=plain)

    async def run(self) -> None:
        """Deploys, scaling and deaths, one after the other."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for _ in range(self.random.choice((2, 3, 4))):
                self.start()
            await anyio.sleep(6 * self.failover)
            writing = anyio.CancelScope()
            tasks.start_soon(self._keep_writing, writing)
            for _ in range(3):
                await self.random.choice((self._deploy, self._scale_up, self._scale_down, self._die))()
                await anyio.sleep(2.5 * self.failover)
            writing.cancel()
            await self._be_calm()
            await self._until_done()
            for replica in self.replicas:
                if replica.at_work:
                    replica.leave()
        self._check()
        self._check_gaps()

    async def _keep_writing(self, scope: anyio.CancelScope) -> None:
        keys = [f"k{number}" for number in range(24)]
        with scope:
            while True:
                self.watch.put(self.random.choice(keys), poison=False)
                await anyio.sleep(0.1)

    def _at_work(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.at_work]

    async def _deploy(self) -> None:
        """A rolling restart: the new one first, ready before the old one leaves, or the old one first."""
        surge = self.random.random() < 0.5
        for replica in self._at_work():
            if surge:
                self.start()
                await anyio.sleep(self.random.choice((2.0, 5.0)))
            replica.leave()
            await replica.ended.wait()
            if not surge:
                self.start()
            await anyio.sleep(self.random.choice((1.0, 5.0)))

    async def _scale_up(self) -> None:
        self.start()

    async def _scale_down(self) -> None:
        if len(self._at_work()) > 1:
            self.random.choice(self._at_work()).leave()

    async def _die(self) -> None:
        if len(self._at_work()) > 1:
            self.kill(self.random.choice(self._at_work()))

    def _check_gaps(self) -> None:
        for gap in self.watch.gaps:
            self.watch.require(
                gap.seconds < self.longest(gap), f"nobody read {gap.shard} for {gap.seconds:.3f} s: {gap}"
            )

    def longest(self, gap: Gap) -> float:
        """How long a gap may be: two failovers after a death, less than a second after an orderly release."""
        return 2 * self.failover if gap.before in self.watch.dead else ORDERLY_SECONDS
