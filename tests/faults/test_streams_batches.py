"""Batches of streams: size, window, payload, lanes, tumbling windows, and how much is read ahead."""

from __future__ import annotations

import base64
from typing import Any, Literal

import anyio
import orjson
import pytest

from config.models import Filter, FilterCriteria
from handlers.function import PAYLOAD_LIMIT_BYTES, Payload, Result
from pollers.streams.poller import READ_AHEAD_BYTES, READ_AHEAD_RECORDS
from pollers.telemetry.facts import Checkpointed, Discarded, Filtered, Polled, ShardEnded, State
from tests import virtual_time
from tests.faults.memory_streams import values
from tests.faults.stream_rig import RAISED, Rig, eventually, failing_on, slow_on

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
    assert (failure.condition, failure.batch_size, failure.start_sequence_number) == ("Oversized", 1, "3")
    (discarded,) = rig.of(Discarded)
    assert (discarded.condition, discarded.ids, discarded.destination) == ("Oversized", ["3"], rig.destination.arn)
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


def counting(rig: Rig, finals: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - a handler
    """A handler that counts records in the window's state."""

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(0.01)
        if event["isFinalInvokeForWindow"]:
            finals.append(event)
            return Payload(b'{"state":{}}')
        total = event["state"].get("n", 0) + len(event["Records"])
        return Payload(orjson.dumps({"state": {"n": total}}))

    return handler


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_window_collects_its_state_over_invocations_and_closes_with_one_of_its_own(kind: Kind) -> None:
    """Boundaries by arrival time; the next window starts with an empty state."""
    rig = Rig(kind, batch_size=2, tumbling_window_in_seconds=60)
    finals: list[dict[str, Any]] = []
    rig.function.handler = counting(rig, finals)
    await anyio.sleep(60 - rig.clock.time() % 60)
    async with rig.running():
        for _ in range(3):
            rig.put(*"12345")
            await anyio.sleep(60)
        await eventually(lambda: len(finals) == 3)
    assert [final["state"] for final in finals] == [{"n": 5}] * 3
    assert [final["Records"] for final in finals] == [[]] * 3
    assert len({final["window"]["start"] for final in finals}) == 3
    assert not any(final["isWindowTerminatedEarly"] for final in finals)


@virtual_time.test
async def test_a_window_without_new_records_closes_two_minutes_after_its_end() -> None:
    """Not earlier: records may still come."""
    rig = Rig(tumbling_window_in_seconds=60)
    finals: list[dict[str, Any]] = []
    rig.function.handler = counting(rig, finals)
    await anyio.sleep(60 - rig.clock.time() % 60)
    async with rig.running() as poller:
        rig.put("1")
        await anyio.sleep(178)
        assert finals == []
        assert not await poller.caught_up()
        await anyio.sleep(5)
        assert len(finals) == 1
        assert await poller.caught_up()


@virtual_time.test
async def test_the_state_survives_a_crash_and_no_record_is_counted_twice() -> None:
    """It is kept with the checkpoint, and belongs to exactly that."""
    rig = Rig(batch_size=1, tumbling_window_in_seconds=300)
    finals: list[dict[str, Any]] = []
    rig.function.handler = counting(rig, finals)
    await anyio.sleep(300 - rig.clock.time() % 300)
    for crash in range(5):
        rig.put(*[f"{crash}:{value}" for value in range(20)])
        async with rig.crashing():
            await anyio.sleep(0.3 + crash / 7)
    async with rig.running():
        await eventually(lambda: len(finals) == 1)
    assert finals[0]["state"] == {"n": 100}
    assert len(rig.accepted) >= 100


@virtual_time.test
async def test_the_end_of_a_shard_closes_its_window_before_its_children_begin() -> None:
    """Children start fresh."""
    rig = Rig("dynamodb", tumbling_window_in_seconds=300)
    finals: list[dict[str, Any]] = []
    rig.function.handler = counting(rig, finals)
    await anyio.sleep(300 - rig.clock.time() % 300)
    rig.put("1", "2")
    rig.stream.roll(rig.only_shard)
    rig.put("3")
    async with rig.running():
        await eventually(lambda: len(rig.invoked) >= 3, within=60)
        assert rig.invoked == [["1", "2"], [], ["3"]]
        assert finals[0]["state"] == {"n": 2}
        assert rig.function.events[2]["state"] == {}
        assert len(rig.of(ShardEnded)) == 1


@virtual_time.test
async def test_a_state_over_its_limit_ends_the_window_early() -> None:
    """The records after it begin again."""
    rig = Rig(batch_size=1, tumbling_window_in_seconds=600)
    seen: list[tuple[bool, bool, int]] = []

    async def handler(event: dict[str, Any]) -> Result:
        seen.append(
            (event["isFinalInvokeForWindow"], event["isWindowTerminatedEarly"], len(event["state"].get("x", "")))
        )
        return Payload(orjson.dumps({"state": {"x": event["state"].get("x", "") + "x" * 600_000}}))

    rig.function.handler = handler
    await anyio.sleep(600 - rig.clock.time() % 600)
    rig.put("1", "2", "3")
    async with rig.running():
        await eventually(lambda: len(seen) >= 4, within=60)
    assert seen[:4] == [(False, False, 0), (False, False, 600_000), (True, True, 1_200_000), (False, False, 0)]


@virtual_time.test
async def test_a_response_without_a_state_is_a_failed_invocation() -> None:
    """Retried, and given up on as any other; the failure record knows of no error of the function."""
    rig = Rig(tumbling_window_in_seconds=60, maximum_retry_attempts=1, destination=True)
    rig.put("1")
    rig.function.handler = slow_on(seconds=0)
    async with rig.running():
        await eventually(lambda: rig.of(Discarded) != [])
    assert rig.destination is not None
    (failure,) = rig.destination.failures
    assert (failure.condition, failure.invoke_count, failure.function_error) == ("RetryAttemptsExhausted", 2, None)


@virtual_time.test
async def test_a_window_whose_last_invocation_fails_for_good_is_given_up_on_with_a_record() -> None:
    """Until then the shard stands still; the failure record names the window's last record."""
    rig = Rig(tumbling_window_in_seconds=60, maximum_retry_attempts=2, destination=True)

    async def handler(event: dict[str, Any]) -> Result:
        return RAISED if event["isFinalInvokeForWindow"] else Payload(b'{"state":{"n":1}}')

    rig.function.handler = handler
    await anyio.sleep(60 - rig.clock.time() % 60)
    rig.put("1")
    async with rig.running():
        await anyio.sleep(61)
        rig.put("2")
        await eventually(lambda: rig.accepted == ["1", "2"])
    assert rig.destination is not None
    (failure,) = rig.destination.failures
    assert (failure.batch_size, failure.start_sequence_number, failure.invoke_count) == (0, "2", 3)


@virtual_time.test
async def test_a_partial_response_keeps_the_state_of_what_was_accepted() -> None:
    """The remainder is retried with it."""
    rig = Rig(tumbling_window_in_seconds=600, function_response_types=["ReportBatchItemFailures"])
    states: list[dict[str, Any]] = []

    async def handler(event: dict[str, Any]) -> Result:
        states.append(event["state"])
        found = values(event)
        if found and found[-1][1] == "bad" and len(states) == 1:
            number = event["Records"][-1]["kinesis"]["sequenceNumber"]
            return Payload(
                orjson.dumps({"state": {"n": len(found) - 1}, "batchItemFailures": [{"itemIdentifier": number}]})
            )
        return Payload(orjson.dumps({"state": {"n": event["state"].get("n", 0) + len(found)}}))

    rig.function.handler = handler
    await anyio.sleep(600 - rig.clock.time() % 600)
    rig.put("1", "2", "bad")
    async with rig.running():
        await eventually(lambda: len(states) == 2, within=60)
        await anyio.sleep(1)
    window = (await rig.checkpoints())[rig.only_shard.shard_id].window
    assert states == [{}, {"n": 2}]
    assert window is not None
    assert orjson.loads(window.state) == {"n": 3}


@virtual_time.test
async def test_a_shard_with_windows_has_one_lane_whatever_the_factor() -> None:
    """The state is the shard's."""
    rig = Rig(tumbling_window_in_seconds=600, parallelization_factor=10, batch_size=10)
    finals: list[dict[str, Any]] = []
    rig.function.handler = counting(rig, finals)
    for value in range(100):
        rig.put(str(value), key=f"k{value}")
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 100)
    assert rig.accepted == list(map(str, range(100)))
    assert len(rig.of(Polled)) > 0
