"""What a replica leaves behind that stops in order, and how long it keeps others waiting, on a table in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.store import ShardCheckpoint
from pollers.clocks.clock import loop_time
from pollers.leases.items import ASKED, GIVEN
from pollers.leases.keeper import DEPART_SECONDS
from pollers.leases.looking import GIVEN_SECONDS
from tests.unit.leases.replicas import FAILOVER, IDENTITY, replica, store_on
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from pollers.leases.table import Item

GONE = "headrace/gone/1/0"
LOOKS_SECONDS = 1.5


def owned_in(table: MemoryLeaseTable) -> set[str]:
    """The shards whose leases have an owner."""
    return {key for key, item in table.items.items() if "leaseOwner" in item}


def asked_in(table: MemoryLeaseTable) -> set[str]:
    """The shards whose leases somebody asks for."""
    return {key for key, item in table.items.items() if ASKED in item}


def given_to(item: Item, owner: str, *, counter: int) -> Item:
    """The item as a replica leaves it that gave it to ``owner``, by a write that moved the counter to ``counter``."""
    return item | {"leaseOwner": {"S": owner}, GIVEN: {"N": str(counter)}}


@virtual_time.test
async def test_it_takes_back_what_it_has_asked_for() -> None:
    """Or it would be given what nobody reads then."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        a.obliging = False
        async with replica(table, "b") as b:
            await eventually(lambda: len(asked_in(table)) == 2, within=3)
            await b.stop()
            assert asked_in(table) == set()
        await anyio.sleep(FAILOVER)
        assert len(a.in_time) == 4


@virtual_time.test
async def test_what_it_asked_for_and_was_given_while_it_left_goes_back_at_once() -> None:
    """The ask that it would take back shows it."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        a.obliging = False
        async with replica(table, "b") as b:
            await eventually(lambda: len(asked_in(table)) == 2, within=3)
            b.checkpoints.leave()
            shard_id = sorted(asked_in(table))[0]
            lease = a.held.pop(shard_id)
            await a.checkpoints.release([lease])
            await b.checkpoints.depart()
        await eventually(lambda: len(a.held) == 4, within=LOOKS_SECONDS)


@virtual_time.test
async def test_all_that_stop_at_once_leave_every_lease_free() -> None:
    """They hand nothing round among themselves: whoever starts next need not wait."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=6) as a, replica(table, "b") as b, replica(table, "c") as c:
        await eventually(lambda: len(a.held) == len(b.held) == len(c.held) == 2, within=3 * FAILOVER)
        async with anyio.create_task_group() as stopping:
            for one in (a, b, c):
                stopping.start_soon(one.stop)
        assert owned_in(table) == set()
    async with replica(table, "d") as d:
        await eventually(lambda: len(d.held) == 6, within=LOOKS_SECONDS)


@virtual_time.test
async def test_its_end_does_not_wait_for_a_table_that_does_not_answer() -> None:
    """A second at most; the others manage without it."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        table.cut_off.add("a")
        began = loop_time()
        a.checkpoints.leave()
        await a.checkpoints.depart()
        assert loop_time() - began <= DEPART_SECONDS


@virtual_time.test
async def test_what_was_given_to_one_that_is_gone_is_taken_by_another_soon() -> None:
    """Nobody can have started anything under it, so nobody has to wait for a failover."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("first")) as store:
        await (await store.open("clicks", IDENTITY)).checkpoints.pin({"shard-0": ShardCheckpoint("7")})
    table.put_by_hand(given_to(table.items["shard-0"], GONE, counter=0))
    async with replica(table, "a") as a:
        began = loop_time()
        await eventually(lambda: len(a.held) == 1, within=FAILOVER)
        assert GIVEN_SECONDS <= loop_time() - began <= GIVEN_SECONDS + LOOKS_SECONDS
        assert GIVEN not in table.items["shard-0"]


@pytest.mark.parametrize("owner", [GONE, "ip-10-0-0-1:5e8e"])
@virtual_time.test
async def test_whoever_has_taken_what_it_was_given_has_it_for_a_failover(owner: str) -> None:
    """Also a consumer that leaves the attributes of ours as they are: its counter has moved on."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("first")) as store:
        await (await store.open("clicks", IDENTITY)).checkpoints.pin({"shard-0": ShardCheckpoint("7")})
    table.put_by_hand(given_to(table.items["shard-0"], owner, counter=0) | {"leaseCounter": {"N": "1"}})
    async with replica(table, "a") as a:
        began = loop_time()
        await eventually(lambda: len(a.held) == 1, within=2 * FAILOVER)
        assert loop_time() - began >= FAILOVER


@virtual_time.test
async def test_what_is_given_while_it_is_being_taken_is_taken_by_a_write() -> None:
    """Its owner's id alone is no lease: others might have taken it."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=1) as a:
        await eventually(lambda: len(a.in_time) == 1, within=1)
        mine, lease = table.items["shard-0"], a.held["shard-0"]
        a.obliging = False
        back = given_to(mine, mine["leaseOwner"]["S"], counter=9) | {"leaseCounter": {"N": "9"}}
        table.put_by_hand(back)
        with pytest.raises(LeaseLost):
            await a.checkpoints.save(lease, ShardCheckpoint("5"))
        await eventually(lambda: a.lost == ["shard-0"] and len(a.in_time) == 1, within=LOOKS_SECONDS)
        item = table.items["shard-0"]
        assert (item["leaseCounter"], item["checkpoint"], GIVEN in item) == ({"N": "10"}, {"S": "TRIM_HORIZON"}, False)
