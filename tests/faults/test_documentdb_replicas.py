"""Replicas that share a change stream through a lease table: one reads it, and another goes on where it was."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from pollers.leases.store import DynamoStore
from pollers.telemetry.facts import Returned
from tests.faults.change_trial import EACH_SERVER, ChangeTrial, runs
from tests.pollers.function import takes
from tests.pollers.store import WitnessedStore
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable
from tests.worlds.memory_cluster import MONGODB, Server
from tests.worlds.replica_watch import owner_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.engine.poller import Poller
    from pollers.leases.table import LeaseTable

FAILOVER_SECONDS = 10.0


class ReplicaTrial(ChangeTrial):
    """One of two replicas of a mapping, on one cluster, with one function and one witness of both."""

    def __init__(
        self,
        name: str,
        table: MemoryLeaseTable,
        first: ReplicaTrial | None,
        server: Server,
        **settings: Any,  # noqa: ANN401 - the mapping's own
    ) -> None:
        super().__init__(server, **settings)
        self.name = name
        self.table = table
        if first is not None:
            self.world, self.mapping, self.function, self.witness = (
                first.world,
                first.mapping,
                first.function,
                first.witness,
            )
        handle = table.handle(name)

        async def table_of(_mapping: str) -> LeaseTable:
            return handle

        self.store = DynamoStore(
            table_of,
            failover_seconds=FAILOVER_SECONDS,
            interval_seconds=0.0,
            clock=lambda: asyncio.get_running_loop().time(),
            rng=random.Random(name),
            owner=lambda: owner_id(name, 1),
        )

    async def make_poller(self) -> Poller:
        """With the store of this replica."""
        self.world.store = WitnessedStore(self.store, self.world.written)
        poller = await super().make_poller()
        self.witness.balances = lambda: True  # each has books of its own
        return poller

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[anyio.CancelScope]:
        """This replica runs until it is stopped at the end, or the scope that it gives is cancelled: it has died then."""
        async with self.store:
            # Its owner leaves the table when the store is left; one that has died does not reach it.
            poller = await self.make_poller()
            life = anyio.CancelScope()
            async with anyio.create_task_group() as group:

                async def live() -> None:
                    with life:
                        await poller.run()

                group.start_soon(live)
                yield life
                self.stop.request()

    def die(self, life: anyio.CancelScope) -> None:
        """As after kill -9: nothing of it reaches the table any more, not even that it leaves."""
        self.table.cut_off.add(self.name)
        life.cancel()


def two(server: Server = MONGODB, **settings: Any) -> tuple[ReplicaTrial, ReplicaTrial]:  # noqa: ANN401 - the mapping's own
    """Two replicas of one mapping."""
    table = MemoryLeaseTable()
    one = ReplicaTrial("one", table, None, server, **settings)
    return one, ReplicaTrial("other", table, one, server, **settings)


def reading(trial: ReplicaTrial) -> int:
    """How many change streams are open at the server."""
    return sum(reader.cursors for reader in trial.world.readers if not reader.closed)


@EACH_SERVER
@runs
async def test_one_of_two_reads_and_the_other_goes_on_when_it_dies(server: Server) -> None:
    """From the checkpoint, in order, also past a collection that was dropped meanwhile."""
    one, other = two(server, behaviour=takes(0.2), batch_size=2)
    async with one.at_work() as life:
        await one.until_caught_up()
        async with other.at_work():
            await anyio.sleep(5)
            assert reading(one) == 1
            for number in range(6):
                one.put(f"event {number}")
            ending = one.do(one.cluster.drop)
            one.put("behind")
            await one.until_invoked(2)
            one.die(life)
            await one.finish()
            assert reading(one) == 1
            one.put("last")
            await one.finish()
    expected = [*(f"event {number}" for number in range(6)), *ending, "behind", "last"]
    assert list(dict.fromkeys(one.accepted)) == expected
    assert len(one.accepted) <= len(expected) + 4


@runs
async def test_an_orderly_stop_hands_the_stream_over_and_repeats_nothing() -> None:
    """What runs finishes and is written; what was read ahead goes back."""
    one, other = two(behaviour=takes(1), batch_size=2)
    async with other.at_work() as life:
        await other.until_caught_up()
        async with one.at_work():
            await anyio.sleep(5)
            other.put(*(f"event {number}" for number in range(20)))
            await other.until_invoked(3)
            other.stop.request()
            await other.finish()
        assert not life.cancel_called
    assert one.accepted == [f"event {number}" for number in range(20)]
    assert [fact.reason for fact in one.of(Returned)]


@pytest.mark.parametrize("apart_seconds", [0.0, 0.05, 1.0])
@EACH_SERVER
@runs
async def test_the_beginning_is_pinned_once_for_both(server: Server, apart_seconds: float) -> None:
    """LATEST is where the first of them asked for it: what came after that is read, whoever reads it."""
    one, other = two(server)
    one.cluster.insert({"_id": "before"})
    async with one.at_work() as life:
        await anyio.sleep(apart_seconds)
        async with other.at_work():
            await virtual_time.eventually(lambda: len(one.table.writes()) > 2)
            await anyio.sleep(0.5)
            one.put("first")
            await one.finish()
            one.die(life)
            one.put("second")
            await one.finish()
    assert list(dict.fromkeys(one.accepted)) == ["first", "second"]
