"""First checkpoints in a lease table: of several replicas at once, of a start that was cut off, and of what others have deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.aws.api import StartAt
from pollers.checkpoints.store import ShardCheckpoint
from tests.unit.leases.replicas import IDENTITY, store_on
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable

if TYPE_CHECKING:
    from pollers.checkpoints import MappingCheckpoints

SECOND = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks@1800000000"


@virtual_time.test
async def test_of_two_first_starts_the_pin_of_the_first_counts() -> None:
    """Each found another end of the stream; whoever reads begins where the first one said, and both know it."""
    table = MemoryLeaseTable()
    early, late = (
        {"feed": ShardCheckpoint(start=StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=token))}
        for token in ("0163aa", "0163bb")
    )
    async with store_on(table.handle("a")) as one, store_on(table.handle("b")) as two:
        first, second = await one.open("m", IDENTITY), await two.open("m", IDENTITY)
        assert first.fresh
        assert second.fresh
        pinned: list[frozenset[str]] = []

        async def pin(checkpoints: MappingCheckpoints, shards: dict[str, ShardCheckpoint]) -> None:
            pinned.append(await checkpoints.pin(shards))

        async with anyio.create_task_group() as group:
            group.start_soon(pin, first.checkpoints, early)
            group.start_soon(pin, second.checkpoints, late)
        assert sorted(map(len, pinned)) == [0, 1]
        kept = await first.checkpoints.load()
        assert await second.checkpoints.load() == kept
        assert kept in (early, late)


@virtual_time.test
async def test_replicas_that_start_at_once_read_from_one_position() -> None:
    """Whoever pins the first shard decides for all: a record between two starts would be lost else."""
    table = MemoryLeaseTable(exists=False, creation_seconds=0.5)
    kept: list[dict[str, ShardCheckpoint]] = []
    fresh: list[bool] = []
    all_open = anyio.Event()

    async def start(name: str, when: float) -> None:
        at = StartAt("AT_TIMESTAMP", timestamp=when)
        # The last shard ended between the first start and the second.
        pins = {f"shard-{number}": ShardCheckpoint(start=at, ended=number == 4 and when > 1) for number in range(5)}
        async with store_on(table.handle(name), name=name) as store:
            opened = await store.open("clicks", IDENTITY)
            fresh.append(opened.fresh)
            if len(fresh) == 4:
                all_open.set()
            await all_open.wait()
            await opened.checkpoints.pin(pins)
            kept.append(await opened.checkpoints.load())

    async with anyio.create_task_group() as group:
        for number, name in enumerate("abcd", 1):
            group.start_soon(start, name, float(number))
    assert table.made == 1
    assert all(fresh)
    starts = {checkpoint.start.timestamp for one in kept for checkpoint in one.values()}
    assert len(starts) == 1
    assert starts != {1.0} or not any(one["shard-4"].ended for one in kept)


@virtual_time.test
async def test_whoever_comes_second_to_a_first_start_has_put_nothing_as_it_was_given() -> None:
    """Also what the first was cut off from, and though both have the same whole second: its iterators are of a later moment."""
    table = MemoryLeaseTable()
    pins = {f"shard-{number}": ShardCheckpoint(start=StartAt("AT_TIMESTAMP", timestamp=1.0)) for number in range(3)}
    async with store_on(table.handle("a")) as first, store_on(table.handle("b")) as second:
        a, b = await first.open("clicks", IDENTITY), await second.open("clicks", IDENTITY)
        cut_off = {"shard-0": pins["shard-0"], "shard-1": pins["shard-1"]}
        assert await a.checkpoints.pin(cut_off) == cut_off.keys()
        assert await b.checkpoints.pin(pins) == frozenset()
        assert await b.checkpoints.load() == pins


@virtual_time.test
async def test_a_pin_that_was_cut_off_is_completed_from_the_same_position() -> None:
    """A shard without a lease and without known parents belongs to the first start."""
    table = MemoryLeaseTable()
    at = StartAt("AT_TIMESTAMP", timestamp=1.0)
    async with store_on(table.handle("a")) as store:
        await (await store.open("clicks", IDENTITY)).checkpoints.pin({"shard-0": ShardCheckpoint(start=at)})
    async with store_on(table.handle("b")) as store:
        opened = await store.open("clicks", IDENTITY)
        assert not opened.fresh
        later = {"shard-1": ShardCheckpoint(), "shard-2": ShardCheckpoint(parents=("shard-0",))}
        await opened.checkpoints.pin(later)
        assert await opened.checkpoints.load() == {
            "shard-0": ShardCheckpoint(start=at),
            "shard-1": ShardCheckpoint(start=at),
            "shard-2": ShardCheckpoint(parents=("shard-0",)),
        }


@virtual_time.test
async def test_an_ended_parent_whose_lease_was_deleted_is_not_read_again() -> None:
    """Scenario 13: the listing shows it still, but its child has begun."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("a")) as store:
        opened = await store.open("clicks", IDENTITY)
        begun, waiting = ShardCheckpoint("7", parents=("shard-0",)), ShardCheckpoint(parents=("shard-1",))
        await opened.checkpoints.pin({"shard-2": begun, "shard-3": waiting})
        await opened.checkpoints.pin({"shard-0": ShardCheckpoint(), "shard-1": ShardCheckpoint()})
        kept = await opened.checkpoints.load()
        assert (kept["shard-0"].ended, kept["shard-1"].ended) == (True, False)
        assert set(await opened.checkpoints.take_leases(["shard-0", "shard-1"])) == {"shard-1"}


@virtual_time.test
async def test_an_ended_grandparent_whose_lease_was_deleted_is_not_read_again() -> None:
    """Nor any before it: the listing shows them all for as long as the stream keeps records."""
    table = MemoryLeaseTable()
    async with store_on(table.handle("a")) as store:
        opened = await store.open("clicks", IDENTITY)
        await opened.checkpoints.pin({"shard-3": ShardCheckpoint("7", parents=("shard-2",))})
        chain = {f"shard-{number}": ShardCheckpoint(parents=(f"shard-{number - 1}",)) for number in (0, 1, 2)}
        await opened.checkpoints.pin({**chain, "shard-9": ShardCheckpoint()})
        kept = await opened.checkpoints.load()
        assert [kept[f"shard-{number}"].ended for number in (0, 1, 2, 9)] == [True, True, True, False]
