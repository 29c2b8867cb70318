"""Who may write a shard's checkpoint, when, and what a store that refuses costs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from pollers.checkpoints import MemoryStore, StoreUnwritable
from pollers.checkpoints.store import ShardCheckpoint
from pollers.engine.stop import Stop
from pollers.sources.streams.checkpointing import CheckpointWriter
from pollers.sources.streams.progress import Step
from pollers.sources.streams.shard_states import ShardLife, ShardState
from tests.worlds import virtual_time
from tests.worlds.passing_checkpoints import PassingCheckpoints

if TYPE_CHECKING:
    from pollers.checkpoints.store import Lease, MappingCheckpoints


@dataclass(eq=False)
class Moving:
    """A shard that is done up to ``done``."""

    lease: Lease
    life: ShardLife = field(default_factory=lambda: ShardLife("shard", ShardState.READING))
    kept: ShardCheckpoint = field(default_factory=ShardCheckpoint)
    saving: anyio.Lock = field(default_factory=anyio.Lock)
    done: str | None = None
    gone: bool = False

    def checkpoint(self) -> tuple[Step, ShardCheckpoint] | None:
        """As far as it is done."""
        moved = replace(self.kept, sequence_number=self.done)
        return None if moved == self.kept else (Step(self.done, 1, 1), moved)

    def saved(self, step: Step, checkpoint: ShardCheckpoint) -> None:
        """Keep what is written."""
        self.kept = checkpoint

    def nothing_to_write(self) -> None:
        """It has not moved."""

    def lose(self) -> None:
        """Another owner has it."""
        self.life.to(ShardState.LOST)


class Refusing(PassingCheckpoints):
    """Checkpoints whose store refuses so many saves."""

    def __init__(self, checkpoints: MappingCheckpoints, times: int) -> None:
        super().__init__(checkpoints)
        self._times = times

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """See ``MappingCheckpoints.save``."""
        if self._times:
            self._times -= 1
            raise StoreUnwritable("the disk is full")
        await self.inner.save(lease, checkpoint)


async def opened() -> MappingCheckpoints:
    """The checkpoints of one pinned shard."""
    checkpoints = (await MemoryStore().open("m", "stream")).checkpoints
    await checkpoints.pin({"shard": ShardCheckpoint()})
    return checkpoints


async def leased(checkpoints: MappingCheckpoints) -> Moving:
    """The shard, with its lease."""
    return Moving((await checkpoints.take_leases(["shard"]))["shard"])


def writer_of(
    checkpoints: MappingCheckpoints, reported: list[str | None] | None = None, stop: Stop | None = None
) -> CheckpointWriter:
    """A writer that keeps what it reports."""
    heard = [] if reported is None else reported
    return CheckpointWriter(checkpoints, stop or Stop(), random.Random(1), lambda problem, _: heard.append(problem))


@virtual_time.test
async def test_a_moved_shard_is_written_with_its_lease() -> None:
    """And nothing is written for one that has not moved."""
    checkpoints = await opened()
    shard, writer = await leased(checkpoints), writer_of(checkpoints)
    shard.done = "10"
    writer.moved(shard)
    assert await writer.flush() is None
    assert (await checkpoints.load())["shard"].sequence_number == "10"


@virtual_time.test
async def test_an_owner_that_was_replaced_cannot_move_the_checkpoint() -> None:
    """The fence: its write is refused, and it learns that the shard is lost."""
    checkpoints = await opened()
    old = await leased(checkpoints)
    await checkpoints.release([old.lease])
    new = await leased(checkpoints)
    writer = writer_of(checkpoints)
    new.done, old.done = "20", "10"
    await writer.save(new)
    await writer.save(old)
    assert old.life.lost
    assert not new.life.lost
    assert (await checkpoints.load())["shard"].sequence_number == "20"


@virtual_time.test
async def test_an_end_is_written_with_its_children() -> None:
    """All in one: no crash can come between them."""
    checkpoints = await opened()
    shard, writer = await leased(checkpoints), writer_of(checkpoints)
    shard.done = "10"
    assert await writer.end(shard, {"child": ShardCheckpoint(parents=("shard",))})
    kept = await checkpoints.load()
    assert kept["shard"].ended
    assert kept["shard"].sequence_number == "10"
    assert kept["child"].parents == ("shard",)


@virtual_time.test
async def test_the_end_of_a_lost_shard_is_the_new_owners_to_write() -> None:
    """Neither the end nor the children are written."""
    checkpoints = await opened()
    shard, writer = await leased(checkpoints), writer_of(checkpoints)
    await checkpoints.release([shard.lease])
    await checkpoints.take_leases(["shard"])
    assert not await writer.end(shard, {"child": ShardCheckpoint()})
    assert shard.life.lost
    kept = await checkpoints.load()
    assert not kept["shard"].ended
    assert "child" not in kept


@virtual_time.test
async def test_a_store_that_refuses_is_asked_again_and_that_is_reported() -> None:
    """The shard stays to be written, and the end of the trouble is reported as well."""
    reported: list[str | None] = []
    checkpoints = await opened()
    shard = await leased(checkpoints)
    writer = writer_of(Refusing(checkpoints, times=2), reported)
    shard.done = "10"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        writer.moved(shard)
        await anyio.sleep(30)
        tasks.cancel_scope.cancel()
    assert reported == ["the disk is full", "the disk is full", None]
    assert (await checkpoints.load())["shard"].sequence_number == "10"


@virtual_time.test
async def test_the_last_writes_do_not_wait_for_ever() -> None:
    """A store that goes on refusing when the poller ends is an error of its own."""
    checkpoints = await opened()
    shard = await leased(checkpoints)
    stop = Stop()
    writer = writer_of(Refusing(checkpoints, times=1_000), stop=stop)
    stop.request()
    shard.done = "10"
    writer.moved(shard)
    began, refused = anyio.current_time(), False
    try:
        await writer.last(shard)
    except StoreUnwritable:
        refused = True
    assert refused
    assert anyio.current_time() - began < 5
