"""What every checkpoint store promises, held to by each of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import anyio
import pytest

from pollers.aws.api import StartAt
from pollers.checkpoints import (
    CheckpointStore,
    LeaseLost,
    MemoryStore,
    OpenWindow,
    ShardCheckpoint,
    SqliteStore,
    StoreBusy,
)
from pollers.leases.store import DynamoStore
from pollers.storage.errors import StoreError
from tests.worlds.lease_table import MemoryLeaseTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from pollers.leases import LeaseTable

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks@1700000000"
OTHER = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks@1800000000"
LATEST = StartAt("LATEST")

Enter: TypeAlias = "Callable[[], AbstractAsyncContextManager[CheckpointStore]]"


STORES = ["memory", "sqlite", "shared"]
of_one_process = pytest.mark.parametrize("enter", ["memory", "sqlite"], indirect=True)
"""What a lease table cannot promise: it has nothing but leases, of one stream, and it has several owners."""


@pytest.fixture(params=STORES)
def enter(request: pytest.FixtureRequest, tmp_path: Path) -> Enter:
    """Enters a store; every time the same one, as a process that starts again would."""
    memory = MemoryStore()
    tables: dict[str, MemoryLeaseTable] = {}

    async def table_of(mapping: str) -> LeaseTable:
        return tables.setdefault(mapping, MemoryLeaseTable(mapping)).handle("replica")

    def store() -> CheckpointStore:
        match request.param:
            case "memory":
                return memory
            case "sqlite":
                return SqliteStore(tmp_path / "room" / "checkpoints.db")
            case _:
                return DynamoStore(table_of)

    @asynccontextmanager
    async def entered() -> AsyncIterator[CheckpointStore]:
        async with store() as opened:
            yield opened

    return entered


async def test_what_was_written_is_read_back_after_a_restart(enter: Enter) -> None:
    """Every part of a checkpoint survives leaving the store."""
    written = {
        "shard-0": ShardCheckpoint(
            sequence_number="00049590338271490256608559692538361571095921575989136588898",
            start=StartAt("AT_TIMESTAMP", timestamp=1_700_000_000.25),
            window=OpenWindow(1_700_000_000.0, 1_700_000_060.0, b'{"sum":1}'),
            parents=("shard-a", "shard-b"),
        ),
        "shard-1": ShardCheckpoint(start=StartAt("AT_SEQUENCE_NUMBER", sequence_number="007"), ended=True),
        "shard-2": ShardCheckpoint(),
    }
    async with enter() as store:
        await (await store.open("clicks", STREAM)).checkpoints.pin(written)
    async with enter() as store:
        opened = await store.open("clicks", STREAM)
        assert not opened.fresh
        assert await opened.checkpoints.load() == written


POSITIONS = [
    "0163eeb6e7000000090100000009000041e1",
    "8265" + "0123456789abcdef" * 20,
    "1" * 60,
    '{"_data": {"$binary": {"base64": "' + "A" * 4_000 + '", "subType": "00"}}, "é": "\\u0000 \' "}"}',
    "0163eeb6e70000@1676588775.9",
]
"""Positions of sources that give out tokens: hex (which may look like a number), or JSON of some KB."""


@pytest.mark.parametrize("position", POSITIONS, ids=["short", "long", "digits", "json", "with a time"])
async def test_tokens_are_kept_as_they_are(enter: Enter, position: str) -> None:
    """As what is done, and as where the first start begins while nothing is done."""
    start = StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=position)
    other = StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=position + "0")
    async with enter() as store:
        checkpoints = (await store.open("changes", STREAM)).checkpoints
        assert await checkpoints.pin({"shard-0": ShardCheckpoint(start=start)}) == {"shard-0"}
    async with enter() as store:
        opened = await store.open("changes", STREAM)
        assert (opened.fresh, opened.adopted) == (False, frozenset())
        checkpoints = opened.checkpoints
        assert await checkpoints.pin({"shard-0": ShardCheckpoint(start=other)}) == frozenset()
        assert await checkpoints.load() == {"shard-0": ShardCheckpoint(start=start)}

        lease = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        await checkpoints.release([lease])
        assert await checkpoints.load() == {"shard-0": ShardCheckpoint(start=start)}

        lease = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        await checkpoints.save(lease, ShardCheckpoint(position, start=start))
    async with enter() as store:
        checkpoints = (await store.open("changes", STREAM)).checkpoints
        assert await checkpoints.load() == {"shard-0": ShardCheckpoint(position, start=start)}
        await checkpoints.take_leases(["shard-0"])
        assert await checkpoints.load() == {"shard-0": ShardCheckpoint(position, start=start)}


@of_one_process
async def test_a_mapping_is_fresh_until_its_first_shards_are_pinned(enter: Enter) -> None:
    """A crash between opening and pinning leaves the starting position to be pinned."""
    async with enter() as store:
        assert (await store.open("clicks", STREAM)).fresh
        assert (await store.open("clicks", STREAM)).fresh
        await (await store.open("clicks", STREAM)).checkpoints.pin({})
        assert not (await store.open("clicks", STREAM)).fresh


async def test_mappings_on_one_stream_keep_their_own_checkpoints(enter: Enter) -> None:
    """Two mappings of one stream do not see each other's progress."""
    async with enter() as store:
        clicks = (await store.open("clicks", STREAM)).checkpoints
        await clicks.pin({"shard-0": ShardCheckpoint(sequence_number="5")})
        audit = await store.open("audit", STREAM)
        assert audit.fresh
        assert await audit.checkpoints.load() == {}


async def test_a_stream_created_again_finds_no_checkpoints_and_names_the_earlier_one(enter: Enter) -> None:
    """The same name with another identity is another stream."""
    async with enter() as store:
        await (await store.open("clicks", STREAM)).checkpoints.pin({"shard-0": ShardCheckpoint("5")})
        again = await store.open("clicks", OTHER)
        assert (again.fresh, again.previous_identity) == (True, STREAM)
        assert await again.checkpoints.load() == {}


@of_one_process
async def test_pointing_a_mapping_at_another_stream_and_back_loses_nothing(enter: Enter) -> None:
    """A mistake in the configuration does not cost the checkpoints."""
    async with enter() as store:
        await (await store.open("clicks", STREAM)).checkpoints.pin({"shard-0": ShardCheckpoint("5")})
        await (await store.open("clicks", OTHER)).checkpoints.pin({"shard-9": ShardCheckpoint("9")})
        back = await store.open("clicks", STREAM)
        assert not back.fresh
        assert await back.checkpoints.load() == {"shard-0": ShardCheckpoint("5")}


async def test_pinning_again_leaves_existing_checkpoints_alone(enter: Enter) -> None:
    """Discovery may pin what it sees without moving what is done."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("5")})
        await checkpoints.pin({"shard-0": ShardCheckpoint(start=LATEST), "shard-1": ShardCheckpoint(start=LATEST)})
        assert await checkpoints.load() == {
            "shard-0": ShardCheckpoint("5"),
            "shard-1": ShardCheckpoint(start=LATEST),
        }


async def test_a_saved_checkpoint_is_what_the_next_owner_finds(enter: Enter) -> None:
    """Saves replace the whole checkpoint, a finished window included."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint(start=LATEST)})
        lease = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        await checkpoints.save(lease, ShardCheckpoint("5", start=LATEST, window=OpenWindow(0, 60, b"{}")))
        await checkpoints.save(lease, ShardCheckpoint("6", start=LATEST))
    async with enter() as store:
        opened = await store.open("clicks", STREAM)
        assert await opened.checkpoints.load() == {"shard-0": ShardCheckpoint("6", start=LATEST)}


async def test_a_shard_ends_and_its_children_are_pinned_in_one_step(enter: Enter) -> None:
    """Children are at TRIM_HORIZON, and one that is known already keeps its checkpoint."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"parent": ShardCheckpoint(), "known": ShardCheckpoint("3")})
        lease = (await checkpoints.take_leases(["parent"]))["parent"]
        children = {
            "child": ShardCheckpoint(parents=("parent",)),
            "known": ShardCheckpoint(parents=("parent",)),
        }
        await checkpoints.end(lease, ShardCheckpoint("9"), children)
        assert await checkpoints.load() == {
            "parent": ShardCheckpoint("9", ended=True),
            "child": ShardCheckpoint(parents=("parent",)),
            "known": ShardCheckpoint("3"),
        }


async def test_only_pinned_shards_can_be_taken(enter: Enter) -> None:
    """A lease is on something."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint()})
        assert set(await checkpoints.take_leases(["shard-0", "nobody"])) == {"shard-0"}


async def test_an_owner_that_lost_its_lease_cannot_write(enter: Enter) -> None:
    """A poller that was replaced learns that its lease is lost, and its late writes change nothing."""
    async with enter() as store:
        old = (await store.open("clicks", STREAM)).checkpoints
        await old.pin({"shard-0": ShardCheckpoint("5")})
        lease = (await old.take_leases(["shard-0"]))["shard-0"]
        new = (await store.open("clicks", STREAM)).checkpoints
        assert lease.lost.is_set()
        with pytest.raises(LeaseLost):
            await old.save(lease, ShardCheckpoint("99"))
        with pytest.raises(LeaseLost):
            await old.end(lease, ShardCheckpoint("99"), {"child": ShardCheckpoint()})
        assert await new.load() == {"shard-0": ShardCheckpoint("5")}


async def test_a_lease_taken_twice_belongs_to_the_second(enter: Enter) -> None:
    """Also from the same owner: a shard has one reader."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("5")})
        first = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        second = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        assert first.lost.is_set()
        with pytest.raises(LeaseLost):
            await checkpoints.save(first, ShardCheckpoint("6"))
        await checkpoints.save(second, ShardCheckpoint("7"))
        assert (await checkpoints.load())["shard-0"].sequence_number == "7"


async def test_opening_one_mapping_does_not_fence_another(enter: Enter) -> None:
    """A mapping that restarts leaves the others alone."""
    async with enter() as store:
        clicks = (await store.open("clicks", STREAM)).checkpoints
        await clicks.pin({"shard-0": ShardCheckpoint()})
        lease = (await clicks.take_leases(["shard-0"]))["shard-0"]
        await store.open("audit", STREAM)
        await clicks.save(lease, ShardCheckpoint("6"))
        assert not lease.lost.is_set()


async def test_a_released_lease_no_longer_writes(enter: Enter) -> None:
    """What was given up is given up; releasing it twice is harmless."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("5")})
        lease = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        await checkpoints.release([lease])
        await checkpoints.release([lease])
        with pytest.raises(LeaseLost):
            await checkpoints.save(lease, ShardCheckpoint("6"))


async def test_releasing_a_lost_lease_leaves_its_new_owner_alone(enter: Enter) -> None:
    """A late release is not the new owner's."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("5")})
        old = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        new = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        await checkpoints.release([old])
        await checkpoints.save(new, ShardCheckpoint("6"))
        assert (await checkpoints.load())["shard-0"].sequence_number == "6"


async def test_a_forgotten_shard_is_gone_with_its_lease(enter: Enter) -> None:
    """What the stream no longer has leaves no trace and takes no write."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("5"), "shard-1": ShardCheckpoint()})
        lease = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        await checkpoints.forget(["shard-0", "nobody"])
        with pytest.raises(LeaseLost):
            await checkpoints.save(lease, ShardCheckpoint("6"))
        assert set(await checkpoints.load()) == {"shard-1"}
        assert not (await store.open("clicks", STREAM)).fresh


async def test_leases_end_with_the_store(enter: Enter) -> None:
    """A task that outlives the store cannot claim a write."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("5")})
        lease = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
    with pytest.raises(StoreError):
        await checkpoints.save(lease, ShardCheckpoint("6"))
    async with enter() as store:
        assert (await (await store.open("clicks", STREAM)).checkpoints.load())["shard-0"].sequence_number == "5"


@of_one_process
async def test_a_store_is_entered_by_one_owner(enter: Enter) -> None:
    """The second is refused while the first is there, and let in when it has left."""
    async with enter():
        with pytest.raises(StoreBusy):
            async with enter():
                pass
    async with enter():
        pass


async def test_many_shards_are_written_at_the_same_time(enter: Enter) -> None:
    """Concurrent writers of different shards all succeed, each with its last write."""
    shard_ids = [f"shard-{number}" for number in range(8)]
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin(dict.fromkeys(shard_ids, ShardCheckpoint()))
        leases = await checkpoints.take_leases(shard_ids)

        async def write(shard_id: str) -> None:
            for number in range(1, 6):
                await checkpoints.save(leases[shard_id], ShardCheckpoint(str(number)))

        async with anyio.create_task_group() as group:
            for shard_id in shard_ids:
                group.start_soon(write, shard_id)
        assert {checkpoint.sequence_number for checkpoint in (await checkpoints.load()).values()} == {"5"}


async def test_a_lost_lease_among_other_writes_fails_alone(enter: Enter) -> None:
    """Writes that share a transaction do not share their verdicts."""
    async with enter() as store:
        checkpoints = (await store.open("clicks", STREAM)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("1"), "shard-1": ShardCheckpoint("1")})
        lost = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
        await checkpoints.take_leases(["shard-0"])
        good = (await checkpoints.take_leases(["shard-1"]))["shard-1"]
        verdicts: list[str] = []

        async def write(name: str) -> None:
            try:
                await checkpoints.save(lost if name == "lost" else good, ShardCheckpoint("2"))
                verdicts.append(f"{name} written")
            except LeaseLost:
                verdicts.append(f"{name} refused")

        async with anyio.create_task_group() as group:
            for name in ("good", "lost", "good"):
                group.start_soon(write, name)
        assert sorted(verdicts) == ["good written", "good written", "lost refused"]
        assert (await checkpoints.load())["shard-0"].sequence_number == "1"
