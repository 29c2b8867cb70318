"""Looking at a lease table, and resetting it, from outside of its replicas."""

from __future__ import annotations

import pytest

from pollers.aws.api import StartAt
from pollers.checkpoints.store import ShardCheckpoint
from pollers.clocks.clock import loop_time
from pollers.leases.errors import OwnersElsewhere
from pollers.leases.inspection import leases_of, observe, reset_table
from pollers.storage.errors import StoreUnreadable
from tests.unit.leases.replicas import FAILOVER, IDENTITY, replica, store_on
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable
from tests.worlds.virtual_time import eventually

TO = StartAt("AT_TIMESTAMP", timestamp=1_700_000_000.0)


@virtual_time.test
async def test_a_mapping_that_never_ran_has_no_leases() -> None:
    """And looking makes no table."""
    table = MemoryLeaseTable(exists=False)
    assert await leases_of(table.handle("eye")) == []
    assert await reset_table(table.handle("eye"), "clicks", TO, failover_seconds=FAILOVER, clock=loop_time) == 0
    assert table.made == 0


@virtual_time.test
async def test_an_empty_table_that_is_no_lease_table_is_said_to_be_none() -> None:
    """Nothing of its items would show that."""
    table = MemoryLeaseTable()
    table.key = "id"
    with pytest.raises(StoreUnreadable, match=r"found the key id \(S, HASH\), expected leaseKey"):
        await leases_of(table.handle("eye"))


@virtual_time.test
async def test_owners_that_live_give_signs_and_others_do_not() -> None:
    """A replica that was killed has its name on its leases still."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        alive = await observe(table.handle("eye"), 0.4 * FAILOVER, loop_time)
        assert [one.sign_seconds is not None for one in alive] == [True] * 4
        assert all((one.sign_seconds or 0) <= 0.4 * FAILOVER for one in alive)
    begun = loop_time()
    dead = await observe(table.handle("eye"), 0.4 * FAILOVER, loop_time)
    assert [(one.item.owner is not None, one.sign_seconds) for one in dead] == [(True, None)] * 4
    assert loop_time() - begun < 0.5 * FAILOVER


@virtual_time.test
async def test_a_table_in_use_is_not_reset() -> None:
    """Its owners would write over it; they are named."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        with pytest.raises(OwnersElsewhere, match=r"in use by headrace/.*: stop every replica first"):
            await reset_table(table.handle("eye"), "clicks", TO, failover_seconds=FAILOVER, clock=loop_time)
        assert a.lost == []


@virtual_time.test
async def test_another_mappings_table_is_not_reset() -> None:
    """A wrong name in a configuration would lose that mapping's checkpoints."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
    before = dict(table.items)
    with pytest.raises(StoreUnreadable, match="is that of the mapping clicks, not of orders: nothing was reset"):
        await reset_table(table.handle("eye"), "orders", TO, failover_seconds=FAILOVER, clock=loop_time)
    assert table.items == before


@virtual_time.test
async def test_a_reset_table_begins_where_the_reset_says() -> None:
    """Also after a kill: its owners have been silent for a failover."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        await a.save("shard-0", "5")
    assert await reset_table(table.handle("eye"), "clicks", TO, failover_seconds=FAILOVER, clock=loop_time) == 4
    assert {item["checkpoint"]["S"] for item in table.items.values()} == {"AT_TIMESTAMP"}
    async with store_on(table.handle("b")) as store:
        opened = await store.open("clicks", IDENTITY)
        assert (opened.fresh, opened.start, opened.previous_identity) == (True, TO, None)
        assert await opened.checkpoints.load() == {}
        await opened.checkpoints.pin({"shard-0": ShardCheckpoint(start=TO), "shard-9": ShardCheckpoint(start=TO)})
        assert sorted(table.items) == ["shard-0", "shard-9"]
        assert set(await opened.checkpoints.take_leases(["shard-0", "shard-9"])) == {"shard-0", "shard-9"}
        again = await store.open("clicks", IDENTITY)
        assert not again.fresh


@virtual_time.test
async def test_after_a_reset_another_stream_may_have_the_table() -> None:
    """That is how a table is given another stream on purpose."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        await a.stop()
    await reset_table(table.handle("eye"), "clicks", None, failover_seconds=FAILOVER, clock=loop_time)
    async with store_on(table.handle("b")) as store:
        opened = await store.open("clicks", IDENTITY.replace("stream/clicks", "stream/orders"))
        assert (opened.fresh, opened.start) == (True, None)
