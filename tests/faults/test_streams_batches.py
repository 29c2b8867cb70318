"""Batches of streams: size, window, payload, lanes, and how much is read ahead."""

from __future__ import annotations

import base64
from typing import Any, Literal

import anyio
import orjson
import pytest

from config.models import Filter, FilterCriteria
from handlers.function import PAYLOAD_LIMIT_BYTES, Payload, Result
from pollers.sources.streams.poller import READ_AHEAD_BYTES, READ_AHEAD_RECORDS
from pollers.telemetry.facts import Checkpointed, DiscardCondition, Discarded, Filtered, State
from tests.worlds import virtual_time
from tests.worlds.stream_rig import Rig, eventually, failing_on, slow_on

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


@virtual_time.test
async def test_a_batch_of_ten_thousand_is_gathered_over_several_reads() -> None:
    """DynamoDB gives a thousand records in a reply at most."""
    rig = Rig("dynamodb", batch_size=10_000, maximum_batching_window_in_seconds=60)
    rig.put(*map(str, range(12_000)))
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 12_000)
        assert [len(batch) for batch in rig.invoked] == [10_000, 2_000]
        assert rig.stream.calls["records"] >= 12


@virtual_time.test
async def test_a_window_gathers_what_comes_in_it() -> None:
    """It begins as soon as the previous invocation completed."""
    rig = Rig(batch_size=100, maximum_batching_window_in_seconds=20)
    async with rig.running():
        for value in range(12):
            rig.put(str(value))
            await anyio.sleep(5)
        await eventually(lambda: len(rig.accepted) == 12)
        assert 3 <= len(rig.invoked) <= 4
        gaps = [later - earlier for earlier, later in zip(rig.function.began, rig.function.began[1:], strict=False)]
        assert all(19.9 <= gap <= 20.1 for gap in gaps)


@virtual_time.test
async def test_without_a_window_records_are_sent_as_soon_as_they_are_read() -> None:
    """Also a single one."""
    rig = Rig(batch_size=100)
    async with rig.running():
        for value in range(3):
            rig.put(str(value))
            await anyio.sleep(5)
    assert rig.invoked == [["0"], ["1"], ["2"]]


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_one_batch_is_of_one_shard(kind: Kind) -> None:
    """However many shards have records."""
    rig = Rig(kind, shards=4, batch_size=100, maximum_batching_window_in_seconds=5)
    for value in range(40):
        rig.put(str(value), key=f"k{value}")
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 40)
    assert len(rig.invoked) == 4
    if kind == "kinesis":
        for event in rig.function.events:
            assert len({record["eventID"].partition(":")[0] for record in event["Records"]}) == 1


@virtual_time.test
async def test_the_payload_is_filled_and_never_exceeded() -> None:
    """6 MiB of the event as the function gets it."""
    rig = Rig(batch_size=100)
    rig.put(*[f"{value}:" + "x" * 900_000 for value in range(12)])
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 12)
    assert max(rig.function.sizes) <= PAYLOAD_LIMIT_BYTES
    assert len(rig.invoked) >= 3
    assert max(map(len, rig.invoked)) == 5


@pytest.mark.parametrize("size", [0, 4_717_000, 7_500_000])
@virtual_time.test
async def test_a_record_of_any_size_is_delivered_or_goes_to_the_destination_alone(size: int) -> None:
    """Records may have 10 MiB, events 6 (4.8); its neighbours are delivered."""
    rig = Rig(batch_size=100, destination=True)
    rig.put("before", "y" * size, "after")
    async with rig.running():
        await eventually(lambda: "after" in rig.accepted)
    assert rig.destination is not None
    if size < 4_718_000:
        assert rig.accepted == ["before", "y" * size, "after"]
        assert rig.destination.failures == []
        return
    assert rig.accepted == ["before", "after"]
    (failure,) = rig.destination.failures
    assert (failure.condition, failure.batch_size, failure.start_sequence_number) == (
        DiscardCondition.OVERSIZED,
        1,
        "3",
    )
    (discarded,) = rig.of(Discarded)
    assert (discarded.condition, discarded.ids, discarded.destination) == (
        DiscardCondition.OVERSIZED,
        ["3"],
        rig.destination.arn,
    )
    (record,) = orjson.loads(rig.destination.events[0])["Records"]
    assert base64.b64decode(record["kinesis"]["data"]) == b"y" * size


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_lanes_work_at_the_same_time_each_in_order(kind: Kind) -> None:
    """Up to the factor, and per key."""
    rig = Rig(kind, batch_size=5, parallelization_factor=4)
    for value in range(200):
        rig.put(f"{value % 20}:{value // 20}", key=f"k{value % 20}")
    most = 0

    async def handler(event: dict[str, Any]) -> Result:
        nonlocal most
        most = max(most, rig.function.busy)
        await anyio.sleep(0.5)
        return Payload(b"null")

    rig.function.handler = handler
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 200)
    assert most == 4
    for key in range(20):
        assert [value for value in rig.accepted if value.startswith(f"{key}:")] == [
            f"{key}:{index}" for index in range(10)
        ]


@virtual_time.test
async def test_the_checkpoint_waits_for_the_slowest_lane() -> None:
    """What other lanes did above it is delivered again after a crash, never left out."""
    rig = Rig(batch_size=10, parallelization_factor=4)
    for value in range(100):
        rig.put(f"{value % 20}:{value // 20}", key=f"k{value % 20}")
    rig.function.handler = failing_on("3:0")
    async with rig.crashing():
        await eventually(lambda: len(rig.accepted) >= 70)
        await anyio.sleep(30)
    kept = (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number
    assert kept is not None
    # Sequence number 2 is the first record, so that 3:0, the fourth, has 5.
    assert int(kept) < 5
    first = set(rig.accepted)
    rig.function.handler = slow_on(seconds=0)
    async with rig.running():
        await eventually(lambda: len(set(rig.accepted)) == 100)
    assert len(first) < 100


@virtual_time.test
async def test_filtered_records_move_the_checkpoint_without_an_invocation() -> None:
    """An all-filtered poll must not invoke the function (6.4)."""
    criteria = FilterCriteria(filters=[Filter(pattern='{"dynamodb":{"NewImage":{"value":{"S":["yes"]}}}}')])
    rig = Rig("dynamodb", filter_criteria=criteria)
    rig.put("no", "no", "no")
    async with rig.running():
        await eventually(lambda: sum(fact.count for fact in rig.of(Checkpointed)) == 3)
        assert rig.invoked == []
        rig.put("no", "yes", "no")
        await eventually(lambda: sum(fact.count for fact in rig.of(Checkpointed)) == 6)
    assert rig.invoked == [["yes"]]
    assert sum(len(fact.ids) for fact in rig.of(Filtered)) == 5


@virtual_time.test
async def test_a_slow_function_does_not_grow_memory() -> None:
    """A backlog of 100,000 records: what is held is bounded, and read on as it is done."""
    rig = Rig(batch_size=100, concurrency=1)
    rig.put(*map(str, range(100_000)))
    rig.function.handler = slow_on(seconds=0)
    rig.function.handler = lambda _event: _slowly()
    async with rig.running() as poller:
        most = 0
        for _ in range(60):
            await anyio.sleep(1)
            most = max(most, poller.held())
        assert READ_AHEAD_RECORDS // 2 <= most <= READ_AHEAD_RECORDS
        waiting = rig.doing("shardId-000000000000")
        assert waiting is not None
        assert waiting.state in (State.POLLING, State.WAITING_FOR_ROOM)


async def _slowly() -> Result:
    await anyio.sleep(0.5)
    return Payload(b"null")


@virtual_time.test
async def test_large_records_are_bounded_by_their_bytes() -> None:
    """Fewer of them are read ahead."""
    rig = Rig(batch_size=10, concurrency=1)
    rig.put(*[f"{value}" + "x" * 100_000 for value in range(1_000)])
    rig.function.handler = lambda _event: _slowly()
    async with rig.running() as poller:
        await anyio.sleep(30)
        assert poller.held() * 100_000 <= READ_AHEAD_BYTES * 2
        assert poller.held() >= 100


@virtual_time.test
async def test_a_stuck_shard_does_not_keep_others_from_reading() -> None:
    """However large its backlog is."""
    rig = Rig(shards=2, batch_size=100)
    low, high = rig.stream.open_shards()
    for value in range(40_000):
        rig.stream.put_into(low, "k", f"stuck {value}")
    rig.function.handler = failing_on("stuck 0")
    async with rig.running():
        await anyio.sleep(60)
        for value in range(5_000):
            rig.stream.put_into(high, "j", str(value))
        await eventually(lambda: len(rig.accepted) == 5_000, within=60)


@virtual_time.test
async def test_a_batch_is_sent_early_when_nothing_more_can_be_read() -> None:
    """The read-ahead is full before the batch is: waiting for the window would help nobody."""
    rig = Rig(batch_size=10_000, maximum_batching_window_in_seconds=300)
    rig.put(*[f"{value}" + "x" * 10_000 for value in range(5_000)])
    async with rig.running():
        await eventually(lambda: len(rig.accepted) >= 400, within=60)
    assert all(len(batch) > 300 for batch in rig.invoked)


# -- tumbling windows ---------------------------------------------------------------------------------------------------
