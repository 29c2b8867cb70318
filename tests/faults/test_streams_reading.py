"""Reading shards in the order of their lineage: to their ends, after restarts, at their pace."""

from __future__ import annotations

from typing import Literal

import anyio
import pytest

from pollers.telemetry.facts import Polled, ShardEnded, ShardSeen, State
from tests.worlds import virtual_time
from tests.worlds.stream_rig import Rig, eventually, slow_on

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_stream_is_read_to_its_tip_and_followed(kind: Kind) -> None:
    """From the trim horizon on, and what is written later too."""
    rig = Rig(kind)
    rig.put("1", "2")
    async with rig.running() as poller:
        await eventually(lambda: rig.accepted == ["1", "2"])
        rig.put("3")
        await eventually(lambda: rig.accepted == ["1", "2", "3"])
        while not await poller.caught_up():
            await anyio.sleep(0.1)
    assert (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number == "4"


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_restart_reads_on_after_the_last_record_done(kind: Kind) -> None:
    """Nothing is delivered twice after an orderly stop, nothing is left out."""
    rig = Rig(kind)
    rig.put("1", "2")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])
    rig.put("3")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2", "3"])


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_children_are_read_after_their_parent_from_their_beginning(kind: Kind) -> None:
    """Split under load: order per key is kept."""
    rig = Rig(kind, batch_size=3)
    rig.put(*"12345")
    async with rig.running():
        await eventually(lambda: len(rig.accepted) >= 1)
        rig.stream.split(rig.only_shard)
        rig.put(*"6789")
        await eventually(lambda: len(rig.accepted) >= 9)
        assert rig.accepted == list("123456789")
        assert [fact.source for fact in rig.of(ShardEnded)] == ["shardId-000000000000"]
        assert rig.of(ShardSeen)[-1].parents == ("shardId-000000000000",)


@virtual_time.test
async def test_children_that_the_parent_names_are_read_at_once() -> None:
    """Without waiting for the next listing."""
    rig = Rig()
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
        listings = rig.stream.calls["shards"]
        rig.stream.split(rig.only_shard)
        rig.put("child")
        await eventually(lambda: rig.accepted == ["child"], within=5)
        assert rig.stream.calls["shards"] == listings


@virtual_time.test
async def test_children_that_the_parent_does_not_name_are_found_soon() -> None:
    """DynamoDB names none, nor does an emulator: the shards are listed again without waiting for the usual time."""
    rig = Rig("dynamodb")
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
        rig.stream.roll(rig.only_shard)
        rig.put("child")
        await eventually(lambda: rig.accepted == ["child"], within=5)


@virtual_time.test
async def test_children_that_the_listing_shows_late_are_found_without_waiting_long() -> None:
    """Listings lag behind."""
    rig = Rig("dynamodb", stream={"lag_seconds": 6.0})
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
        rig.stream.roll(rig.only_shard)
        rig.put("child")
        await eventually(lambda: rig.accepted == ["child"], within=15)


@virtual_time.test
async def test_a_merged_shard_waits_for_both_parents() -> None:
    """Though one of them takes long."""
    rig = Rig(shards=2, concurrency=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "slow")
    rig.stream.put_into(high, "j", "quick")
    rig.stream.merge(low, high)
    rig.stream.put_into(rig.only_shard, "k", "merged")
    rig.function.handler = slow_on("slow", seconds=120)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["quick"])
        await anyio.sleep(60)
        assert rig.accepted == ["quick"]
        waiting = rig.doing("shardId-000000000002")
        assert waiting is not None
        assert (waiting.state, waiting.detail) == (State.WAITING_FOR_PARENT, "parent shardId-000000000000")
        await eventually(lambda: rig.accepted == ["quick", "slow", "merged"])


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_shard_that_closed_while_the_mapping_was_down_is_read_to_its_end(kind: Kind) -> None:
    """Closed shards were skipped at the start elsewhere: a loss."""
    rig = Rig(kind)
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    rig.put("2")
    rig.stream.split(rig.only_shard)
    rig.put("3")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2", "3"])


@virtual_time.test
async def test_an_ended_shard_is_never_read_again_and_forgotten_when_it_is_gone() -> None:
    """Closed shards were opened again for ever elsewhere; checkpoints must not pile up either."""
    rig = Rig("dynamodb")
    rig.put("1")
    first = rig.only_shard
    rig.stream.roll(first)
    async with rig.running():
        await eventually(lambda: rig.of(ShardEnded) != [])
        calls = rig.stream.calls["iterator"]
        await anyio.sleep(300)
        assert rig.stream.calls["iterator"] == calls
    assert (await rig.checkpoints())[first.shard_id].ended
    async with rig.running():
        rig.stream.trim(rig.clock.time())
        await anyio.sleep(600)
    assert first.shard_id not in await rig.checkpoints()
    assert rig.accepted == ["1"]


@pytest.mark.parametrize("digits", [0, 21, 56, 129])
@virtual_time.test
async def test_sequence_numbers_of_any_length_are_sent_back_as_they_came(digits: int) -> None:
    """With leading zeros or without; compared as numbers."""
    rig = Rig(stream={"number": lambda number: str(number).zfill(digits)}, batch_size=1)
    rig.put(*map(str, range(12)))
    async with rig.crashing():
        await eventually(lambda: len(rig.accepted) >= 11)
        await anyio.sleep(2)
    rig.put("last")
    async with rig.running():
        await eventually(lambda: rig.accepted[-1] == "last")
    assert rig.accepted == [*map(str, range(12)), "last"]


@virtual_time.test
async def test_empty_and_short_pages_before_the_tip_are_not_the_tip() -> None:
    """A reader that takes them for it would seem caught up."""
    rig = Rig(stream={"empty_pages": 0.7})
    rig.put(*map(str, range(50)))
    async with rig.running() as poller:
        while not await poller.caught_up():
            await anyio.sleep(0.1)
        assert rig.accepted == list(map(str, range(50)))


@virtual_time.test
async def test_polls_are_as_frequent_as_documented() -> None:
    """Once a second for a Kinesis shard, four times for DynamoDB's, when caught up."""
    for kind, polls in (("kinesis", 60), ("dynamodb", 240)):
        rig = Rig(kind)  # type: ignore[arg-type]
        async with rig.running():
            await anyio.sleep(60)
            assert polls * 0.9 <= len(rig.of(Polled)) <= polls * 1.05
