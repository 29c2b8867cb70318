"""Replicas on a lease table in memory, without an engine: what each holds, takes and gives, under virtual time."""

from __future__ import annotations

import contextlib
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from pollers.checkpoints.store import ShardCheckpoint
from pollers.clocks.clock import loop_time
from pollers.leases.store import DynamoStore
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

    from pollers.checkpoints.store import Lease, MappingCheckpoints, Opened
    from pollers.leases import LeaseTable
    from tests.worlds.lease_handle import Rates, TableHandle
    from tests.worlds.lease_table import MemoryLeaseTable

IDENTITY = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks@1700000000"
FAILOVER = 10.0


def store_on(
    handle: LeaseTable, *, name: str = "replica", failover_seconds: float = FAILOVER, with_kcl: bool = False
) -> DynamoStore:
    """A store whose mappings all have the table of this handle."""

    async def table_of(_mapping: str) -> LeaseTable:
        return handle

    return DynamoStore(
        table_of, clock=loop_time, rng=random.Random(name), failover_seconds=failover_seconds, with_kcl=with_kcl
    )


@dataclass
class FakeEngine:
    """What the stream engine does with leases: takes what it is given, gives back what is wanted, stops what is lost."""

    name: str
    checkpoints: MappingCheckpoints
    opened: Opened
    handle: TableHandle
    held: dict[str, Lease] = field(default_factory=dict)
    taken: list[tuple[float, str]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    troubles: list[str | None] = field(default_factory=list)
    obliging: bool = True
    """Whether it gives what it is asked for."""
    _taking: anyio.Lock = field(default_factory=anyio.Lock)
    _tasks: TaskGroup | None = None

    async def run(self) -> None:
        """Keep leases until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self.checkpoints.keep, self.take, self.troubles.append)
            await self.take()

    async def take(self) -> None:
        """Take what may be read; again later, as the engine does, where the table does not answer."""
        with contextlib.suppress(StoreUnwritable):
            await self._take()

    async def _take(self) -> None:
        async with self._taking:
            kept = await self.checkpoints.load()
            ended = {shard_id for shard_id, checkpoint in kept.items() if checkpoint.ended}
            readable = [
                shard_id
                for shard_id, checkpoint in kept.items()
                if shard_id not in self.held
                and shard_id not in ended
                and not set(checkpoint.parents) & kept.keys() - ended
            ]
            for shard_id, lease in (await self.checkpoints.take_leases(readable)).items():
                self.held[shard_id] = lease
                self.taken.append((loop_time(), shard_id))
                assert self._tasks is not None
                self._tasks.start_soon(self._watch, lease)

    async def _watch(self, lease: Lease) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._until_lost, lease)
            await lease.wanted.wait()
            while not self.obliging:
                await anyio.sleep(0.1)
            group.cancel_scope.cancel()
        if self.held.get(lease.shard_id) is lease:
            del self.held[lease.shard_id]
            await self.checkpoints.release([lease])

    async def _until_lost(self, lease: Lease) -> None:
        await lease.lost.wait()
        if self.held.get(lease.shard_id) is lease:
            del self.held[lease.shard_id]
            self.lost.append(lease.shard_id)

    async def save(self, shard_id: str, number: str) -> None:
        """Move a checkpoint."""
        await self.checkpoints.save(self.held[shard_id], ShardCheckpoint(number))

    async def stop(self) -> None:
        """Leave in order."""
        self.checkpoints.leave()
        leases = list(self.held.values())
        self.held.clear()
        await self.checkpoints.release(leases)
        await self.checkpoints.depart()

    @property
    def in_time(self) -> set[str]:
        """The shards under whose leases something may be started now."""
        return {shard_id for shard_id, lease in self.held.items() if lease.in_time}


@asynccontextmanager
async def replica(
    table: MemoryLeaseTable,
    name: str = "a",
    *,
    shards: int | dict[str, ShardCheckpoint] = 4,
    rates: Rates | None = None,
    failover_seconds: float = FAILOVER,
    with_kcl: bool = False,
    identity: str = IDENTITY,
    mapping: str = "clicks",
) -> AsyncIterator[FakeEngine]:
    """A replica that runs until the end of the block, and then just ends, as a crash would. The first one pins ``shards``."""
    handle = table.handle(name, rates)
    async with store_on(handle, name=name, failover_seconds=failover_seconds, with_kcl=with_kcl) as store:
        opened = await store.open(mapping, identity)
        if opened.fresh:
            await opened.checkpoints.pin(
                {f"shard-{number}": ShardCheckpoint() for number in range(shards)}
                if isinstance(shards, int)
                else shards
            )
        engine = FakeEngine(name, opened.checkpoints, opened, handle)
        async with anyio.create_task_group() as group:
            group.start_soon(engine.run)
            try:
                yield engine
            finally:
                engine.held.clear()
                group.cancel_scope.cancel()
