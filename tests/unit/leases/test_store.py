"""The store that replicas share, on a table in memory under virtual time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from structlog.testing import capture_logs

from pollers.aws.api import StartAt
from pollers.checkpoints.store import ShardCheckpoint
from pollers.clocks.clock import loop_time
from pollers.leases.errors import OwnersElsewhere
from pollers.storage.errors import StoreUnreadable
from tests.unit.leases.replicas import FAILOVER, IDENTITY, replica, store_on
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from pollers.checkpoints.store import Lease, MappingCheckpoints
    from pollers.leases.store import DynamoStore

SECOND = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks@1800000000"


@virtual_time.test
async def test_two_replicas_share_the_shards() -> None:
    """The second asks for its half and is given it, by name, without a pause."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        async with replica(table, "b") as b:
            await eventually(lambda: len(a.held) == len(b.held) == 2, within=3 * FAILOVER)
            before = (list(a.held), list(b.held))
            await anyio.sleep(10 * FAILOVER)
            assert (list(a.held), list(b.held)) == before
            assert [*a.lost, *b.lost] == []


@virtual_time.test
async def test_a_start_tells_the_table_and_the_owner_id() -> None:
    """The id is what others, and ``headrace leases show``, know this replica by."""
    table = MemoryLeaseTable()
    with capture_logs() as logs:
        async with store_on(table.handle("a")) as store:
            await store.open("m", IDENTITY)
    [line] = [line for line in logs if line["event"] == "shards are shared"]
    assert (line["mapping"], line["leases"]) == ("m", 0)
    assert line["table"] == table.handle("a").name
    assert line["owner"].startswith("headrace/")


@virtual_time.test
async def test_a_replica_that_stops_is_followed_at_once() -> None:
    """Whoever is named looks every half second."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a, replica(table, "b") as b:
        await eventually(lambda: len(a.held) == len(b.held) == 2, within=3 * FAILOVER)
        stopped = loop_time()
        await a.stop()
        await eventually(lambda: len(b.held) == 4, within=FAILOVER)
        assert max(when for when, _ in b.taken) - stopped < 1.0


@virtual_time.test
async def test_checkpoints_of_another_consumer_are_told_apart() -> None:
    """A kind of source whose positions are no sequence numbers refuses them."""
    table = MemoryLeaseTable()
    table.put_by_hand({"leaseKey": {"S": "theirs"}, "leaseCounter": {"N": "3"}, "checkpoint": {"S": "TRIM_HORIZON"}})
    async with store_on(table.handle("a")) as store:
        assert (await store.open("m", IDENTITY)).adopted == {"theirs"}


@virtual_time.test
async def test_the_shards_of_a_dead_replica_are_taken_within_two_failovers() -> None:
    """It said nothing, so its time has to run out."""
    table = MemoryLeaseTable()
    async with replica(table, "b") as b:
        async with replica(table, "a") as a:
            await eventually(lambda: len(a.held) == len(b.held) == 2, within=3 * FAILOVER)
        died = loop_time()
        await eventually(lambda: len(b.held) == 4, within=3 * FAILOVER)
        assert loop_time() - died <= 2 * FAILOVER


@virtual_time.test
async def test_the_next_owner_finds_what_was_saved_last() -> None:
    """Also what is done by lanes above the checkpoint, or a window."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=1) as a, replica(table, "b") as b:
        await eventually(lambda: len(a.held) == 1, within=1)
        await a.save("shard-0", "17")
        await a.stop()
        await eventually(lambda: len(b.held) == 1, within=FAILOVER)
        assert (await b.checkpoints.load())["shard-0"] == ShardCheckpoint("17")


@virtual_time.test
async def test_renewals_and_saves_never_meet() -> None:
    """Scenario 7: no condition of a lone replica ever fails."""
    table = MemoryLeaseTable()
    async with replica(table, "a", failover_seconds=1.0) as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        for number in range(200):
            async with anyio.create_task_group() as group:
                for shard_id in a.held:
                    group.start_soon(a.save, shard_id, str(number))
        assert not [entry for entry in table.log if entry.outcome == "unmet"]


@virtual_time.test
async def test_a_lease_deleted_by_hand_is_lost() -> None:
    """Scenario 14: when the engine pins the shard anew, it goes on from what was known last."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=2) as a:
        await eventually(lambda: len(a.held) == 2, within=1)
        await a.save("shard-0", "17")
        table.delete_by_hand("shard-0")
        await eventually(lambda: a.lost == ["shard-0"], within=FAILOVER)
        assert "shard-0" not in table.items
        await a.checkpoints.pin({"shard-0": ShardCheckpoint()})
        await eventually(lambda: len(a.held) == 2, within=FAILOVER)
        assert (await a.checkpoints.load())["shard-0"] == ShardCheckpoint("17")


@virtual_time.test
async def test_a_released_lease_stays_released() -> None:
    """Scenario 15: the last renewal comes before the release or not at all."""
    table = MemoryLeaseTable()
    async with replica(table, "a", failover_seconds=1.0) as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        await anyio.sleep(0.29)
        await a.stop()
        counters = {key: item["leaseCounter"] for key, item in table.items.items()}
        await anyio.sleep(5)
        assert {key: item["leaseCounter"] for key, item in table.items.items()} == counters
        assert all("leaseOwner" not in item for item in table.items.values())


@virtual_time.test
async def test_an_end_is_written_after_the_children_and_seen_by_the_others() -> None:
    """Scenario 12: whoever reads the children reads them once, after the parent."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=1) as a, replica(table, "b") as b:
        await eventually(lambda: len(a.held) == 1, within=1)
        lease = a.held.pop("shard-0")
        children = {f"shard-{number}": ShardCheckpoint(parents=("shard-0",)) for number in (1, 2)}
        await a.checkpoints.end(lease, ShardCheckpoint("7"), children)
        await eventually(lambda: len(a.held) == len(b.held) == 1, within=3 * FAILOVER)
        writes = [entry for entry in table.writes() if entry.operation == "add" or "childShardIds" in entry.put]
        assert [entry.key for entry in writes][:1] == ["shard-0"]
        assert sorted(entry.key for entry in writes[1:3]) == ["shard-1", "shard-2"]
        parent = table.items["shard-0"]
        assert parent["checkpoint"] == {"S": "SHARD_END"}
        assert parent["childShardIds"] == {"SS": ["shard-1", "shard-2"]}
        assert "leaseOwner" not in parent
        assert table.items["shard-1"]["parentShardId"] == {"SS": ["shard-0"]}


@virtual_time.test
async def test_another_mapping_s_table_is_refused() -> None:
    """Scenario 20: its checkpoints would be moved by both."""
    table = MemoryLeaseTable("leases")
    async with replica(table, "a"), store_on(table.handle("b")) as store:
        with pytest.raises(StoreUnreadable, match="that of the mapping clicks: give other a table of its own"):
            await store.open("other", IDENTITY)


@virtual_time.test
async def test_another_stream_s_table_is_refused() -> None:
    """Scenario 20: two environments with one table."""
    table = MemoryLeaseTable()
    async with replica(table, "a"), store_on(table.handle("b")) as store:
        with pytest.raises(StoreUnreadable, match="that of another stream"):
            await store.open("clicks", IDENTITY.replace("us-east-1", "eu-west-1"))


@virtual_time.test
async def test_a_stream_made_again_starts_afresh() -> None:
    """Scenario 21: the same shard ids, with nothing done; shards of before are gone from the table."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        await a.save("shard-0", "5")
        await a.stop()
    async with replica(table, "b", shards=2, identity=SECOND) as b:
        assert (b.opened.fresh, b.opened.previous_identity) == (True, IDENTITY)
        assert await b.checkpoints.load() == {"shard-0": ShardCheckpoint(), "shard-1": ShardCheckpoint()}
        assert sorted(table.items) == ["shard-0", "shard-1"]


@virtual_time.test
async def test_a_stream_made_again_waits_for_the_replicas_of_the_first_one() -> None:
    """They are told nothing, but they cannot be read over."""
    table = MemoryLeaseTable()
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 4, within=1)
        async with store_on(table.handle("b")) as store:
            with pytest.raises(OwnersElsewhere, match="headrace/"):
                await store.open("clicks", SECOND)
    async with store_on(table.handle("b")) as store:
        assert (await store.open("clicks", SECOND)).fresh


@virtual_time.test
async def test_a_large_table_is_looked_at_by_its_index() -> None:
    """A whole look every five seconds; leases that are given away are found every half second."""
    table = MemoryLeaseTable(page_items=50)
    async with replica(table, "a", shards=120) as a, replica(table, "b") as b:
        await eventually(lambda: len(a.held) + len(b.held) == 120 and len(b.held) > 50, within=10 * FAILOVER)
        before, begun = b.handle.spent.calls["scan"], loop_time()
        await anyio.sleep(2 * FAILOVER)
        assert b.handle.spent.calls["scan"] - before < 3 * (loop_time() - begun) / 3
        stopped = loop_time()
        await a.stop()
        await eventually(lambda: len(b.held) == 120, within=FAILOVER)
        assert max(when for when, _ in b.taken) - stopped < 2.0


@virtual_time.test
async def test_forgetting_a_mapping_deletes_its_leases_only_when_nobody_else_has_one() -> None:
    """Others may go on reading what was deleted here alone."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=2) as a:
        await eventually(lambda: len(a.held) == 2, within=1)
        async with store_on(table.handle("b")) as store:
            await store.forget("clicks")
            assert len(table.items) == 2
            await a.stop()
            await store.forget("clicks")
            assert table.items == {}


@virtual_time.test
async def test_opening_again_frees_what_was_held_before() -> None:
    """A mapping that restarts here need not wait for its own leases to expire."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("a")) as store:
        first = (await store.open("clicks", IDENTITY)).checkpoints
        await first.pin({"shard-0": ShardCheckpoint()})
        lease = (await first.take_leases(["shard-0"]))["shard-0"]
        second = (await store.open("clicks", IDENTITY)).checkpoints
        assert lease.lost.is_set()
        assert set(await second.take_leases(["shard-0"])) == {"shard-0"}


@virtual_time.test
async def test_the_dead_are_followed_where_the_table_is_large_and_leases_are_short() -> None:
    """However seldom a large table is looked at as a whole, it is often enough to see that a counter stands still."""
    table = MemoryLeaseTable()
    async with replica(table, "b", shards=120, failover_seconds=3.0) as b:
        async with replica(table, "a", failover_seconds=3.0) as a:
            await eventually(lambda: len(a.held) == len(b.held) == 60, within=30)
        await eventually(lambda: len(b.held) == 120, within=9)


@virtual_time.test
async def test_an_ended_shard_is_forgotten_when_all_have_seen_its_end() -> None:
    """One that has not would put the lease back, as if somebody had deleted it."""
    table = MemoryLeaseTable()
    async with replica(table, "a", shards=2) as a:
        await eventually(lambda: len(a.held) == 2, within=1)
        await a.checkpoints.end(a.held.pop("shard-0"), ShardCheckpoint("5"), {})
        await a.checkpoints.forget(["shard-0"])
        assert sorted(table.items) == ["shard-0", "shard-1"]
        await anyio.sleep(FAILOVER + 1)
        await a.checkpoints.forget(["shard-0"])
        assert sorted(table.items) == ["shard-1"]


async def held_and_saved(store: DynamoStore) -> tuple[MappingCheckpoints, Lease]:
    """A mapping whose one shard is done up to 7, and is held."""
    opened = await store.open("clicks", IDENTITY)
    assert opened.fresh
    first = ShardCheckpoint(start=StartAt("AT_TIMESTAMP", timestamp=1_700_000_000.0))
    await opened.checkpoints.pin({"shard-0": first})
    [lease] = (await opened.checkpoints.take_leases(["shard-0"])).values()
    await opened.checkpoints.save(lease, replace(first, sequence_number="7"))
    return opened.checkpoints, lease


@virtual_time.test
async def test_a_table_that_is_emptied_or_deleted_is_no_first_start_to_whoever_read_by_it() -> None:
    """Begun again at LATEST, what was written since the last checkpoint would be skipped. Each lease is put back as it was."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("a")) as store:
        await held_and_saved(store)
        table.delete_by_hand("shard-0")
        again = await store.open("clicks", IDENTITY)
        assert not again.fresh
        await again.checkpoints.pin({"shard-0": ShardCheckpoint()})
        [kept] = (await again.checkpoints.load()).values()
        assert kept.sequence_number == "7"
        assert await again.checkpoints.take_leases(["shard-0"])


@virtual_time.test
async def test_a_table_that_is_deleted_while_nobody_reads_is_a_first_start() -> None:
    """Whoever stopped a mapping and deleted its table means to start over."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("a")) as store:
        checkpoints, lease = await held_and_saved(store)
        await checkpoints.release([lease])
        table.delete_by_hand("shard-0")
        assert (await store.open("clicks", IDENTITY)).fresh
