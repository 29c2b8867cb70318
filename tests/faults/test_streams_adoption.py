"""Checkpoints of the Kinesis Client Library taken over, and given back: a consumer may have stopped inside of a record."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from pollers.checkpoints.store import ShardCheckpoint
from pollers.telemetry.facts import Discarded
from tests.worlds import virtual_time
from tests.worlds.aggregates import aggregate, as_value
from tests.worlds.shared_store import Row, SharedTable
from tests.worlds.stream_rig import Rig, eventually, failing_on

THREE = as_value(aggregate("u0", "u1", "u2"))


def adopting(**settings: Any) -> tuple[SharedTable, Rig]:  # noqa: ANN401 - the mapping's own
    """A table that a consumer has left behind, and a mapping that finds it."""
    table = SharedTable(counts_user_records=True)
    table.pinned = True
    return table, Rig(store=table.replica("one"), **settings)


def stopped_in(table: SharedTable, rig: Rig, sequence_number: str, user_record: int) -> Row:
    """The consumer's last checkpoint."""
    row = Row(ShardCheckpoint(sequence_number, user_record=user_record))
    table.rows[rig.only_shard.shard_id] = row
    return row


HOW = pytest.mark.parametrize(
    "how", [pytest.param({}, id="polled"), pytest.param({"stream": {"consumer": "fast"}}, id="fan-out")]
)


@HOW
@virtual_time.test
async def test_an_aggregate_that_was_done_in_part_is_delivered_again_whole(how: dict[str, Any]) -> None:
    """Reading after its number would lose what the other consumer had not done."""
    table, rig = adopting(**how)
    number = rig.stream.put("k", THREE)
    rig.put("next")
    row = stopped_in(table, rig, number, 0)
    async with rig.running():
        await eventually(lambda: rig.accepted == [THREE, "next"])
        await eventually(lambda: row.checkpoint.sequence_number != number)
    assert row.checkpoint.user_record is None


@HOW
@virtual_time.test
async def test_a_record_that_was_done_is_dropped(how: dict[str, Any]) -> None:
    """A plain one, and an aggregate whose last user record was done."""
    for value, user_record in (("plain", 0), (THREE, 2)):
        table, rig = adopting(**how)
        row = stopped_in(table, rig, rig.stream.put("k", value), user_record)
        rig.put("next")
        async with rig.running():
            await eventually(lambda: rig.accepted == ["next"])  # noqa: B023
            await anyio.sleep(10)
        assert rig.accepted == ["next"]
        assert row.checkpoint.user_record is None


@virtual_time.test
async def test_nothing_is_written_before_the_record_at_the_checkpoint_is_done() -> None:
    """A checkpoint at its number would say that all of it is done, whatever other lanes have done above it."""
    table, rig = adopting(parallelization_factor=4, batch_size=1)
    number = rig.stream.put("k", THREE)
    for key in "abcdefgh":
        rig.stream.put(key, key)
    row = stopped_in(table, rig, number, 1)
    rig.function.handler = failing_on(THREE)
    async with rig.running():
        await anyio.sleep(30)
        assert row.checkpoint == ShardCheckpoint(number, user_record=1)
        assert len(rig.accepted) > 1
    assert row.checkpoint == ShardCheckpoint(number, user_record=1)
    rig.function.handler = failing_on()
    async with rig.running():
        await eventually(lambda: THREE in rig.accepted and set("abcdefgh") <= set(rig.accepted))


@virtual_time.test
async def test_a_crash_before_it_is_done_delivers_it_once_more() -> None:
    """The checkpoint stays as the other consumer left it."""
    table, rig = adopting()
    row = stopped_in(table, rig, rig.stream.put("k", THREE), 0)
    rig.function.handler = failing_on(THREE)
    async with rig.crashing():
        await eventually(lambda: len(rig.invoked) == 2)
    row.owner = None
    rig.function.handler = failing_on()
    async with rig.running():
        await eventually(lambda: rig.accepted == [THREE])
        await eventually(lambda: row.checkpoint.user_record == 2)


@HOW
@virtual_time.test
async def test_a_record_that_has_gone_is_passed_over(how: dict[str, Any]) -> None:
    """It has left the retention: that is logged, what follows is delivered, and nothing counts as trimmed."""
    table, rig = adopting(**how)
    number = rig.stream.put("k", THREE)
    await anyio.sleep(100)
    rig.put("next")
    rig.stream.trim(rig.service_clock.time() - 50)
    stopped_in(table, rig, number, 0)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["next"], within=60)
    assert any("has left the stream" in entry["event"] for entry in rig.log)
    assert rig.of(Discarded) == []


@virtual_time.test
async def test_empty_replies_before_the_record_change_nothing() -> None:
    """It is looked at when it comes."""
    table, rig = adopting(stream={"empty_pages": 0.7, "seed": 3})
    stopped_in(table, rig, rig.stream.put("k", THREE), 0)
    async with rig.running():
        await eventually(lambda: rig.accepted == [THREE], within=60)


@virtual_time.test
async def test_a_shard_that_ended_with_the_record_ends_here_as_well() -> None:
    """After the rest of it was delivered."""
    table, rig = adopting()
    shard = rig.only_shard
    row = stopped_in(table, rig, rig.stream.put("k", THREE), 1)
    rig.stream.split(shard)
    async with rig.running():
        await eventually(lambda: row.checkpoint.ended, within=60)
    assert rig.accepted == [THREE]


@virtual_time.test
async def test_a_checkpoint_at_an_aggregate_names_its_last_user_record() -> None:
    """So the other consumer, given the table back, repeats nothing. Plain records have none; filters change nothing in that."""
    table = SharedTable(counts_user_records=True)
    rig = Rig(store=table.replica("one"))
    empty = ShardCheckpoint()

    def written() -> ShardCheckpoint:
        row = table.rows.get(rig.only_shard.shard_id)
        return empty if row is None else row.checkpoint

    async with rig.running():
        for value, last in ((THREE, 2), ("plain", None), (as_value(aggregate("u")), 0)):
            number = rig.stream.put("k", value)
            await eventually(lambda: written().sequence_number == number)  # noqa: B023
            assert written().user_record == last


@virtual_time.test
async def test_a_store_that_does_not_ask_is_told_of_no_user_records() -> None:
    """Nobody looks at records for it."""
    rig = Rig()
    rig.put(THREE)
    async with rig.running():
        await eventually(lambda: rig.accepted == [THREE])
    assert (await rig.checkpoints())[rig.only_shard.shard_id].user_record is None
