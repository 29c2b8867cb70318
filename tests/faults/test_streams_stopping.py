"""Stopping, failing and checkpointing: what is finished, what is handed back, and what a crash may repeat."""

from __future__ import annotations

import random
from functools import partial
from typing import Any, Literal

import anyio
import orjson
import pytest

from handlers.function import Payload, Result
from pollers.telemetry.facts import Invoked, Outcome, Returned, State
from tests.worlds import virtual_time
from tests.worlds.counting_store import CountingStore
from tests.worlds.stream_records import lane_of, values
from tests.worlds.stream_rig import Rig, eventually, failing_on, slow_on

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_stop_lets_running_invocations_finish_and_hands_the_rest_back(kind: Kind) -> None:
    """Nothing new is invoked; what finished is checkpointed before the poller ends."""
    rig = Rig(kind, batch_size=2)
    rig.put(*"123456")
    rig.function.handler = slow_on("1", seconds=30)
    async with rig.running():
        await eventually(lambda: rig.function.busy == 1)
        rig.stop.request()
        await anyio.sleep(20)
        assert rig.function.busy == 1
    assert rig.accepted == ["1", "2"]
    assert rig.invoked == [["1", "2"]]
    assert [list(fact.ids) for fact in rig.of(Returned)] == [["4", "5", "6", "7"]]
    assert (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number == "3"
    assert rig.clock.time() - virtual_time.EPOCH < 35


@virtual_time.test
async def test_a_hurried_stop_abandons_running_invocations() -> None:
    """Their records go back, and the permits too."""
    rig = Rig(shards=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "1")
    rig.stream.put_into(high, "j", "2")
    rig.function.handler = slow_on("1", "2", seconds=10_000)
    async with rig.running():
        await eventually(lambda: rig.function.busy == 2)
        rig.stop.request()
        await anyio.sleep(5)
        rig.stop.hurry()
    assert rig.accepted == []
    assert {fact.outcome for fact in rig.of(Invoked)} == {Outcome.ABANDONED}
    assert len(rig.of(Returned)) == 2
    assert rig.clock.time() - virtual_time.EPOCH < 10


@virtual_time.test
async def test_a_stop_does_not_wait_for_back_offs_permits_or_polls() -> None:
    """Retries, waits for permits and reads are cut short."""
    rig = Rig(shards=3, concurrency=1)
    low, middle, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "bad")
    rig.stream.put_into(middle, "j", "good")
    rig.function.handler = failing_on("bad")
    other = rig.permits.claim()
    async with rig.running():
        await anyio.sleep(300)
        await other.acquire()
        rig.stream.put_into(high, "l", "waits")
        await eventually(lambda: rig.state(f"{high.shard_id}/0") is State.WAITING_FOR_PERMIT)
        before = rig.clock.time()
        rig.stop.request()
        await eventually(lambda: len(rig.of(Returned)) == 2, within=1)
        other.release()
    assert rig.clock.time() - before < 1
    assert sorted(fact.source for fact in rig.of(Returned)) == [low.shard_id, high.shard_id]


@virtual_time.test
async def test_a_crash_repeats_what_was_in_flight_and_at_most_one_batch_more() -> None:
    """Three crashes under load: never more than two batches of ten each."""
    rig = Rig(batch_size=10, store=CountingStore())
    rig.put(*map(str, range(500)))
    for enough in (50, 100, 150):
        async with rig.crashing():
            await eventually(partial(lambda count: len(set(rig.accepted)) >= count, enough))
        assert len(set(rig.accepted)) < 500
    async with rig.running():
        await eventually(lambda: len(set(rig.accepted)) == 500)
    again = sum(map(len, rig.invoked)) - 500
    assert again <= 3 * 2 * 10


@virtual_time.test
async def test_a_kill_while_a_stop_waits_repeats_no_more_than_any_other() -> None:
    """What finishes during the grace period is written at once, not when the last invocation has ended."""
    rig = Rig(shards=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "quick")
    rig.stream.put_into(high, "j", "slow")

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(10_000 if values(event)[0][1] == "slow" else 20)
        return Payload(b"null")

    rig.function.handler = handler
    async with rig.crashing():
        await eventually(lambda: rig.function.busy == 2)
        rig.stop.request()
        await eventually(lambda: rig.accepted == ["quick"])
        await anyio.sleep(1)
    assert (await rig.checkpoints())[low.shard_id].sequence_number is not None


@virtual_time.test
async def test_a_fault_of_ours_ends_the_poller_in_order() -> None:
    """Loudly, with everything acknowledged that is done."""
    rig = Rig(shards=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "1")

    async def broken(event: dict[str, Any]) -> Result:
        if rig.accepted:
            raise RuntimeError("a bug")
        return Payload(b"null")

    rig.function.handler = broken

    async def write() -> None:
        await eventually(lambda: rig.accepted == ["1"])
        await anyio.sleep(2)
        rig.stream.put_into(high, "j", "2")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        failure = await rig.run_to_failure()
    assert str(failure) == "a bug"
    kept = await rig.checkpoints()
    assert kept[low.shard_id].sequence_number == "3"
    assert kept[high.shard_id].sequence_number is None


@pytest.mark.parametrize("factors", [(3,), (4, 2, 1, 3)], ids=["one factor", "another at each start"])
@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_stops_in_order_repeat_nothing_with_lanes(kind: Kind, factors: tuple[int, ...]) -> None:
    """What lanes have done above the slowest one is passed over at the next start, and is in the books once."""
    rig = Rig(kind, batch_size=5, parallelization_factor=3)
    for value in range(2_000):
        rig.put(str(value), key=f"k{value % 97}")
    chance = random.Random(3)

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(chance.choice((0.001, 0.02, 0.3)))
        return Payload(b"null")

    rig.function.handler = handler
    booked = 0
    for run in range(12):
        factor = factors[run % len(factors)]
        rig.mapping = rig.mapping.model_copy(update={"parallelization_factor": factor})
        async with rig.running():
            await anyio.sleep(1.5)
        booked += rig.ledger.checkpointed
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 2_000)
    assert len(set(rig.accepted)) == sum(map(len, rig.invoked)) == 2_000
    assert booked + rig.ledger.checkpointed == 2_000


@virtual_time.test
async def test_a_crash_with_lanes_repeats_at_most_a_batch_a_lane_and_one() -> None:
    """However far the slowest lane is behind the others."""
    rig = Rig(batch_size=5, parallelization_factor=3, store=CountingStore())
    for value in range(600):
        rig.put(str(value), key=f"k{value % 97}")
    rig.function.handler = slow_on("0", seconds=10_000)
    async with rig.crashing():
        await eventually(lambda: len(rig.accepted) > 350)
        await anyio.sleep(100)
    done = set(rig.accepted)
    rig.function.handler = slow_on(seconds=0)
    async with rig.running():
        await eventually(lambda: len(set(rig.accepted)) == 600)
    again = [value for batch in rig.invoked for value in batch]
    assert len(again) - len(set(again)) <= 4 * 5
    assert len(done) > 350


@virtual_time.test
async def test_a_shard_ends_with_what_its_lanes_had_done_in_an_earlier_run() -> None:
    """Nothing is kept of it, and its child begins."""
    rig = Rig("dynamodb", batch_size=1, parallelization_factor=2)
    parent = rig.only_shard
    slow, quick = "a", next(key for key in "bcdefgh" if differ("a", key))
    rig.put("slow", key=slow)
    rig.put("quick", key=quick)
    rig.function.handler = slow_on("slow", seconds=10_000)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["quick"])
        rig.stop.request()
        await anyio.sleep(1)
        rig.stop.hurry()
    assert (await rig.checkpoints())[parent.shard_id].ahead
    rig.stream.roll(parent)
    rig.put("child", key=slow)
    rig.function.handler = slow_on(seconds=0)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["quick", "slow", "child"])
    ended = (await rig.checkpoints())[parent.shard_id]
    assert ended.ended
    assert not ended.ahead


def differ(one: str, other: str) -> bool:
    """Whether items with these keys have different lanes of two."""
    lanes = {lane_of(orjson.dumps({"id": {"S": key}}), 2) for key in (one, other)}
    return len(lanes) == 2
