"""Tables of the Kinesis Client Library (KCL), written here as it writes them: taken over, refused, shared, and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

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
    from pollers.leases.table import Item


def lease_of_kcl(number: int, checkpoint: str, sub: int = 0, *, owner: str | None = "worker-1", **more: Any) -> Item:  # noqa: ANN401 - DynamoDB's values
    """A lease as KCL 2 has it in the middle of its life."""
    item: Item = {
        "leaseKey": {"S": f"shardId-{number:012}"},
        "leaseCounter": {"N": "41"},
        "checkpoint": {"S": checkpoint},
        "checkpointSubSequenceNumber": {"N": str(sub)},
        "ownerSwitchesSinceCheckpoint": {"N": "3"},
        "startingHashKey": {"S": str(number * 1000)},
        "endingHashKey": {"S": str(number * 1000 + 999)},
        **more,
    }
    return item if owner is None else {**item, "leaseOwner": {"S": owner}}


OTHERS: list[Item] = [
    {"leaseKey": {"S": "Leader"}, "entityType": {"S": "LEADER"}, "leaseOwner": {"S": "worker-1"}},
    {"leaseKey": {"S": "worker-1"}, "entityType": {"S": "WORKER_METRIC_STATS"}, "lut": {"N": "1700000000"}},
]
"""What KCL 3.5 keeps in the same table."""


def table_of_kcl(*leases: Item) -> MemoryLeaseTable:
    """A table without an index, as KCL 1 and 2 make it."""
    table = MemoryLeaseTable(indexed=False)
    for item in (*leases, *OTHERS):
        table.put_by_hand(item)
    return table


async def work(table: MemoryLeaseTable, key: str) -> None:
    """A worker of KCL renews a lease three times in a failover, until cancelled."""
    while True:
        await anyio.sleep(FAILOVER / 3)
        item = table.items[key]
        table.put_by_hand({**item, "leaseCounter": {"N": str(int(item["leaseCounter"]["N"]) + 1)}})


@virtual_time.test
async def test_a_stopped_application_s_table_is_adopted_exactly_where_it_was() -> None:
    """Its workers said nothing for a failover; then their leases are taken, as far as each had come."""

    def run() -> MemoryLeaseTable:
        return table_of_kcl(
            lease_of_kcl(0, "SHARD_END", childShardIds={"SS": ["shardId-000000000002"]}),
            lease_of_kcl(1, "495903382714", 2),
            lease_of_kcl(2, "TRIM_HORIZON", parentShardId={"SS": ["shardId-000000000000"]}),
        )

    table = run()
    async with replica(table, "a") as a:
        assert not a.opened.fresh
        assert await a.checkpoints.load() == {
            "shardId-000000000000": ShardCheckpoint(ended=True),
            "shardId-000000000001": ShardCheckpoint("495903382714", user_record=2),
            "shardId-000000000002": ShardCheckpoint(parents=("shardId-000000000000",)),
        }
        begun = loop_time()
        await eventually(lambda: len(a.held) == 2, within=2 * FAILOVER)
        assert loop_time() - begun >= FAILOVER - 1
        taken = table.items["shardId-000000000001"]
        assert taken["ownerSwitchesSinceCheckpoint"] == {"N": "4"}
        # Nothing has been done here yet: what the worker left is still its word.
        assert (await a.checkpoints.load())["shardId-000000000001"].user_record == 2


@virtual_time.test
async def test_a_table_whose_workers_live_is_refused_by_name() -> None:
    """Nothing is taken from them, nor beside them."""
    table = table_of_kcl(lease_of_kcl(0, "5"), lease_of_kcl(1, "6", owner=None))
    async with anyio.create_task_group() as group:
        group.start_soon(work, table, "shardId-000000000000")
        async with store_on(table.handle("a")) as store:
            checkpoints = (await store.open("clicks", IDENTITY)).checkpoints

            async def take() -> None:
                await checkpoints.take_leases([f"shardId-{number:012}" for number in range(2)])

            with pytest.raises(OwnersElsewhere, match=r"worker-1 is at work .*with_kcl: true"):
                await checkpoints.keep(take, lambda _problem: None)
        group.cancel_scope.cancel()
    assert "leaseOwner" not in table.items["shardId-000000000001"]
    assert not table.writes()


@virtual_time.test
async def test_beside_live_workers_only_what_is_free_or_expired_is_taken() -> None:
    """With with_kcl: nobody is asked, nothing is taken from the living."""
    table = table_of_kcl(lease_of_kcl(0, "5"), lease_of_kcl(1, "6", owner=None), lease_of_kcl(2, "7", owner="worker-2"))
    async with anyio.create_task_group() as group:
        group.start_soon(work, table, "shardId-000000000000")
        async with replica(table, "a", with_kcl=True) as a:
            await eventually(lambda: len(a.held) == 2, within=3 * FAILOVER)
            await anyio.sleep(5 * FAILOVER)
            assert sorted(a.held) == ["shardId-000000000001", "shardId-000000000002"]
            assert table.items["shardId-000000000000"]["leaseOwner"] == {"S": "worker-1"}
            assert "headrace_asked" not in table.items["shardId-000000000000"]
        group.cancel_scope.cancel()


@virtual_time.test
async def test_what_is_given_back_is_as_kcl_would_have_written_it() -> None:
    """Every attribute of KCL's is right, its others are untouched, and the lease is free."""
    pending = {"pendingCheckpoint": {"S": "9"}, "pendingCheckpointSubSequenceNumber": {"N": "0"}}
    table = table_of_kcl(lease_of_kcl(0, "5", throughputKBps={"N": "12.5"}) | pending)
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 1, within=2 * FAILOVER)
        kept = (await a.checkpoints.load())["shardId-000000000000"]
        assert kept == ShardCheckpoint("5", user_record=0)
        await a.checkpoints.save(a.held["shardId-000000000000"], ShardCheckpoint("77", user_record=3))
        await a.stop()
    item = table.items["shardId-000000000000"]
    counter = int(item.pop("leaseCounter")["N"])
    del item["headrace"]
    assert counter > 41
    assert item == {
        "leaseKey": {"S": "shardId-000000000000"},
        "checkpoint": {"S": "77"},
        "checkpointSubSequenceNumber": {"N": "3"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "startingHashKey": {"S": "0"},
        "endingHashKey": {"S": "999"},
        "throughputKBps": {"N": "12.5"},
    }
    assert [table.items[other["leaseKey"]["S"]] for other in OTHERS] == OTHERS


@virtual_time.test
async def test_what_kcl_did_in_between_counts() -> None:
    """Given back and adopted again: KCL's checkpoint is looked at, ours before it is past."""
    table = table_of_kcl(lease_of_kcl(0, "5", owner=None))
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 1, within=2 * FAILOVER)
        await a.save("shardId-000000000000", "77")
        await a.stop()
    item = table.items["shardId-000000000000"]
    moved = {"checkpoint": {"S": "99"}, "checkpointSubSequenceNumber": {"N": "1"}, "leaseCounter": {"N": "1000"}}
    table.put_by_hand({**item, **moved})
    async with replica(table, "b") as b:
        await eventually(lambda: len(b.held) == 1, within=2 * FAILOVER)
        assert (await b.checkpoints.load())["shardId-000000000000"] == ShardCheckpoint("99", user_record=1)


@virtual_time.test
async def test_latest_of_kcl_is_pinned_when_it_is_taken() -> None:
    """A restart later skips nothing; in KCL's own words nothing has changed."""
    table = table_of_kcl(lease_of_kcl(0, "LATEST", owner=None))
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 1, within=2 * FAILOVER)
        start = (await a.checkpoints.load())["shardId-000000000000"].start
        assert start.kind == "AT_TIMESTAMP"
        assert start.timestamp is not None
        assert table.items["shardId-000000000000"]["checkpoint"] == {"S": "LATEST"}
        await a.stop()
    async with replica(table, "b") as b:
        await eventually(lambda: len(b.held) == 1, within=2 * FAILOVER)
        assert (await b.checkpoints.load())["shardId-000000000000"].start == start


@virtual_time.test
async def test_a_time_that_only_kcl_knows_is_the_beginning() -> None:
    """The table does not have it, and reading too much loses nothing."""
    table = table_of_kcl(lease_of_kcl(0, "AT_TIMESTAMP", owner=None))
    async with replica(table, "a") as a:
        await eventually(lambda: len(a.held) == 1, within=2 * FAILOVER)
        assert (await a.checkpoints.load())["shardId-000000000000"].start == StartAt("TRIM_HORIZON")


@virtual_time.test
async def test_a_hand_over_by_kcl_3_is_obeyed() -> None:
    """Its leader names the next owner beside us: we go on writing until we let go."""
    table = table_of_kcl(lease_of_kcl(0, "5", owner=None))
    async with replica(table, "a", with_kcl=True) as a:
        await eventually(lambda: len(a.held) == 1, within=2 * FAILOVER)
        lease, item = a.held["shardId-000000000000"], table.items["shardId-000000000000"]
        table.put_by_hand({**item, "leaseOwner": {"S": "worker-9"}, "checkpointOwner": item["leaseOwner"]})
        await a.checkpoints.save(lease, ShardCheckpoint("8"))
        await eventually(lambda: not a.held, within=FAILOVER)
        given = table.items["shardId-000000000000"]
        assert given["leaseOwner"] == {"S": "worker-9"}
        assert "checkpointOwner" not in given
        assert given["checkpoint"] == {"S": "8"}
        assert a.lost == []


@virtual_time.test
async def test_a_table_of_several_streams_is_refused() -> None:
    """Its keys are no shards."""
    table = table_of_kcl(lease_of_kcl(0, "5", streamName={"S": "1:clicks:2"}, shardId={"S": "shardId-0"}))
    async with store_on(table.handle("a")) as store:
        with pytest.raises(StoreUnreadable, match="several streams"):
            await store.open("clicks", IDENTITY)
