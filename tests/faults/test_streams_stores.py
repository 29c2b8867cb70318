"""Checkpoint stores that are slow, refuse, or have given a shard to another owner."""

from __future__ import annotations

from typing import Any, Literal

import anyio
import pytest

from handlers.function import Payload, Result
from pollers.checkpoints import StoreUnwritable
from pollers.checkpoints.store import counter_of
from pollers.telemetry.facts import Checkpointed, Doing, Returned, ShardEnded, State, WriteRefused
from tests.worlds import virtual_time
from tests.worlds.counting_store import CountingStore
from tests.worlds.stream_rig import Rig, eventually, slow_on

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


@virtual_time.test
async def test_a_slow_store_lets_one_batch_run_ahead_and_is_written_to_without_a_pause() -> None:
    """Batches wait for writes that take long, each of which covers what was done meanwhile."""
    rig = Rig(batch_size=1, store=(store := CountingStore()))
    store.seconds = 1.0
    rig.put(*map(str, range(10)))
    began = rig.clock.time()
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 2)
        await anyio.sleep(0.5)
        assert len(rig.accepted) == 2
        await eventually(lambda: len(rig.accepted) == 10)
    assert 8 <= rig.clock.time() - began <= 11
    assert store.saves <= 11


@virtual_time.test
async def test_a_store_whose_writes_cost_money_is_written_to_at_its_interval() -> None:
    """What is done meanwhile shares a write, and batches go on."""
    rig = Rig(batch_size=1, store=(store := CountingStore()))
    store.least_interval_seconds = 1.0
    rig.put(*map(str, range(500)))
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 500)
    assert store.saves <= 10
    assert sum(fact.count for fact in rig.of(Checkpointed)) == 500


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="one lane"),
        pytest.param({"parallelization_factor": 3}, id="lanes"),
        pytest.param({"tumbling_window_in_seconds": 30}, id="windows"),
        pytest.param({"stream": {"consumer": "fast"}}, id="fan-out"),
    ],
)
@virtual_time.test
async def test_a_store_that_cannot_be_written_stops_its_shards(how: dict[str, Any]) -> None:
    """Two batches of a shard at most (one more a further lane); they go on by themselves when it can be written again."""
    rig = Rig(shards=2, batch_size=10, store=(store := CountingStore()), **how)
    for shard in rig.stream.open_shards():
        for value in range(300):
            rig.stream.put_into(shard, f"k{value}", f"{shard.shard_id}:{value}")

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(0.01)
        return Payload(b'{"state":{}}')

    rig.function.handler = handler
    async with rig.running():
        await eventually(lambda: len(rig.accepted) >= 100)
        store.problem = StoreUnwritable("the disk is full")
        before = len(rig.accepted)
        await anyio.sleep(600)
        assert len(rig.accepted) - before <= 2 * 10 * (1 + rig.mapping.parallelization_factor)
        assert len(rig.accepted) < 500
        assert {(said.state, said.detail) for said in lanes_of(rig) if said.state is not State.ENDED} == {
            (State.WAITING_FOR_WRITE, "the disk is full")
        }
        assert rig.of(WriteRefused)[-1].error == "the disk is full"
        store.problem = None
        await eventually(lambda: len(rig.accepted) == 600, within=60)
        assert {said.state for said in lanes_of(rig)} == {State.ENDED}
        assert rig.of(WriteRefused)[-1].error == ""
    assert len(set(rig.accepted)) == 600


def lanes_of(rig: Rig) -> list[Doing]:
    """What every lane of every shard was last said to do."""
    tasks = {fact.task for fact in rig.of(Doing) if "/" in fact.task}
    return [said for task in tasks if (said := rig.doing(task)) is not None]


@virtual_time.test
async def test_a_stop_is_quick_while_a_store_cannot_be_written() -> None:
    """Neither lanes that wait for a write nor the last tries hold it up."""
    rig = Rig(batch_size=1, store=(store := CountingStore()))
    rig.put(*map(str, range(20)))
    store.problem = StoreUnwritable("the disk is full")

    async def stop() -> None:
        await anyio.sleep(120)
        rig.stop.request()

    began = rig.clock.time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        # The stop of the rig belongs to its poller, which run_to_failure makes first.
        assert isinstance(await rig.run_to_failure(), StoreUnwritable)
    assert rig.clock.time() - began < 123
    assert len(rig.accepted) == 2


@virtual_time.test
async def test_a_store_that_refuses_is_tried_again_and_that_is_said() -> None:
    """The disk is full: records are still delivered, the checkpoint follows when there is room."""
    rig = Rig(store=(store := CountingStore()))
    rig.put("1")
    async with rig.running() as poller:
        store.problem = StoreUnwritable("the disk is full")
        await eventually(lambda: rig.accepted == ["1"])
        await anyio.sleep(60)
        said = rig.doing("checkpoints")
        assert said is not None
        assert (said.state, said.detail) == (State.BACKING_OFF, "the disk is full")
        assert poller.held() == 1
        store.problem = None
        await eventually(lambda: poller.held() == 0)
        assert rig.state("checkpoints") is State.ENDED


@virtual_time.test
async def test_a_store_that_refuses_to_the_end_fails_the_poller_and_the_records_go_back() -> None:
    """They are delivered again."""
    rig = Rig(store=(store := CountingStore()))
    rig.put("1")

    async def handler(event: dict[str, Any]) -> Result:
        store.problem = StoreUnwritable("the disk is full")
        rig.stop.request()
        return Payload(b"null")

    rig.function.handler = handler
    failure = await rig.run_to_failure()
    assert isinstance(failure, StoreUnwritable)
    store.problem = None
    rig.function.handler = slow_on(seconds=0)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "1"])


@virtual_time.test
async def test_an_end_of_a_shard_that_cannot_be_written_keeps_its_children_waiting() -> None:
    """Otherwise a crash would read the parent again, after its children."""
    rig = Rig("dynamodb", store=(store := CountingStore()))
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        store.problem = StoreUnwritable("the disk is full")
        rig.stream.roll(rig.only_shard)
        rig.put("child")
        await anyio.sleep(60)
        assert rig.accepted == ["1"]
        store.problem = None
        await eventually(lambda: rig.accepted == ["1", "child"])


@virtual_time.test
async def test_an_owner_that_lost_its_lease_stops_and_writes_nothing() -> None:
    """Its invocation is abandoned: the other owner delivers the records."""
    rig = Rig()
    rig.put("1")
    rig.function.handler = slow_on("1", seconds=30)
    poller = rig.poller()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poller.run)
        await eventually(lambda: rig.function.busy == 1)
        opened = await rig.store.open("rig", rig.stream.identity)
        taken = await opened.checkpoints.take_leases([rig.only_shard.shard_id])
        await eventually(lambda: rig.function.busy == 0, within=1)
        assert [list(fact.ids) for fact in rig.of(Returned)] == [["2"]]
        assert counter_of(taken[rig.only_shard.shard_id]) == 2
        tasks.cancel_scope.cancel()
    assert rig.accepted == []


@virtual_time.test
async def test_a_lease_found_lost_while_writing_ends_the_shard_only() -> None:
    """Other shards go on."""
    rig = Rig(shards=2, store=(store := CountingStore()))
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "1")
    store.lost = low.shard_id
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        await anyio.sleep(5)
        rig.stream.put_into(high, "j", "2")
        await eventually(lambda: "2" in rig.accepted)
    assert [fact.source for fact in rig.of(Checkpointed)] == [high.shard_id]


@virtual_time.test
async def test_a_child_is_read_when_another_owner_has_ended_its_parent() -> None:
    """The end of a shard counts whoever wrote it down."""
    rig = Rig("dynamodb", store=(store := CountingStore()))
    parent = rig.only_shard
    rig.put("the other's")
    rig.stream.roll(parent)
    rig.put("ours")
    store.withheld.add(parent.shard_id)
    async with rig.running():
        await anyio.sleep(60)
        assert rig.accepted == []
        (lease,) = (await store.checkpoints.take_leases([parent.shard_id])).values()
        kept = (await store.checkpoints.load())[parent.shard_id]
        await store.checkpoints.end(lease, kept, {})
        await eventually(lambda: rig.accepted == ["ours"], within=40)


@virtual_time.test
async def test_an_end_of_ours_that_is_on_the_disk_already_is_not_taken_for_another_owners() -> None:
    """One shard's children are started while the other's end is written and not yet known to be: each goes its own way."""
    store = CountingStore()
    store.end_seconds = 5.0
    rig = Rig(shards=2, store=store)
    first, second = rig.stream.open_shards()
    rig.stream.put_into(first, "k", "1")
    rig.stream.put_into(second, "j", "2")
    async with rig.running():
        await eventually(lambda: sorted(rig.accepted) == ["1", "2"])
        rig.stream.split(first)
        await anyio.sleep(3)
        rig.stream.split(second)
        for index, shard in enumerate(rig.stream.open_shards()):
            rig.stream.put_into(shard, "k", f"child {index}")
        await eventually(lambda: len(rig.accepted) == 6)
    assert {fact.source for fact in rig.of(ShardEnded)} == {first.shard_id, second.shard_id}
    assert len(rig.accepted) == len(set(rig.accepted))


@virtual_time.test
async def test_a_shard_that_is_lost_at_its_end_is_taken_again_when_it_is_free() -> None:
    """Its children wait meanwhile: nobody has written the end down."""
    rig = Rig(store=(store := CountingStore()))
    parent = rig.only_shard
    rig.put("parent")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["parent"])
        await anyio.sleep(5)
        store.lost = parent.shard_id
        rig.stream.split(parent)
        for shard in rig.stream.open_shards():
            rig.stream.put_into(shard, "k", shard.shard_id)
        await anyio.sleep(20)
        assert rig.accepted == ["parent"]
        store.lost = None
        await eventually(lambda: len(rig.accepted) == 3, within=60)


@virtual_time.test
async def test_a_stop_gives_the_leases_back() -> None:
    """Other owners need not wait until they run out."""
    rig = Rig(shards=2, store=(store := CountingStore()))
    async with rig.running():
        await anyio.sleep(5)
        assert store.released == []
    assert sorted(store.released) == sorted(shard.shard_id for shard in rig.stream.open_shards())
