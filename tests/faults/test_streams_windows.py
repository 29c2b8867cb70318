"""Tumbling windows of a whole engine: their state, their closing, and crashes."""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Literal

import anyio
import orjson
import pytest

from handlers.function import Payload, Result
from pollers.telemetry.facts import DiscardCondition, Discarded, Polled, ShardEnded
from tests.unit.leases.replicas import store_on
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable
from tests.worlds.stream_records import values
from tests.worlds.stream_rig import RAISED, Rig, eventually, slow_on

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


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
    assert (failure.condition, failure.invoke_count, failure.function_error) == (
        DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED,
        2,
        None,
    )


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


@virtual_time.test
async def test_a_state_that_the_store_does_not_take_closes_its_window_early_and_loses_nothing() -> None:
    """An item of a lease table has 400 KB: the function gets what it has gathered before it is too much."""
    table = MemoryLeaseTable()
    store = store_on(table.handle("a"))
    rig = Rig(batch_size=1, tumbling_window_in_seconds=900, store=store)
    finals: list[dict[str, Any]] = []

    async def handler(event: dict[str, Any]) -> Result:
        if event["isFinalInvokeForWindow"]:
            finals.append(event)
            return Payload(b'{"state":{}}')
        count = event["state"].get("n", 0) + len(event["Records"])
        return Payload(orjson.dumps({"state": {"n": count, "text": "x" * (100_000 * count)}}))

    rig.function.handler = handler
    await anyio.sleep(900 - rig.clock.time() % 900)
    async with store, rig.running() as poller:
        rig.put(*[str(number) for number in range(7)])
        await eventually(lambda: len(finals) == 2)
        await eventually(lambda: not poller.running())
    assert [final["state"]["n"] for final in finals] == [3, 3]
    assert all(final["isWindowTerminatedEarly"] for final in finals)
    [lease] = table.items.values()
    assert orjson.loads(b64decode(lease["headrace"]["M"]["window"]["M"]["state"]["B"]))["n"] == 1
