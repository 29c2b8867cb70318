"""How a reader waits for room."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from pollers.engine.stop import Stop
from pollers.sources.streams.pacing import Holding, ReadAhead
from pollers.sources.streams.room import REPORT_AFTER_SECONDS, Room
from pollers.sources.streams.task_reports import TaskReports
from pollers.telemetry.facts import Doing, Fact, State
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time


@dataclass
class Filling:
    """A shard that may be too far above its checkpoint."""

    holding: Holding
    stop: Stop = field(default_factory=Stop)
    shard_id: str = "shard"
    full: bool = False
    asked: int = 0

    def room_wanted(self) -> None:
        """Count how often lanes were asked to make room."""
        self.asked += 1


def rooms() -> tuple[Filling, Room, list[Fact]]:
    """A shard, its room, and what is reported."""
    told: list[Fact] = []
    read_ahead = ReadAhead(100, 1_000_000)
    shard = Filling(read_ahead.join(lambda: None))
    return shard, Room(shard, read_ahead, TaskReports(Facts("m", [lambda _, fact: told.append(fact)]))), told


@virtual_time.test
async def test_a_full_shard_waits_until_it_is_told_to_look_again() -> None:
    """Lanes are asked to make room, and a long wait is reported with its end."""
    shard, room, told = rooms()
    shard.full = True
    got: list[tuple[int, int] | None] = []

    async def reader() -> None:
        got.append(await room.wait())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await anyio.sleep(REPORT_AFTER_SECONDS * 2)
        assert (room.wanted, shard.asked, got) == (True, 1, [])
        shard.full = False
        room.look_again()
    assert got[0] is not None
    assert not room.wanted
    assert [fact.state for fact in told if isinstance(fact, Doing)] == [State.WAITING_FOR_ROOM, State.POLLING]


@virtual_time.test
async def test_a_stop_ends_the_wait_without_room() -> None:
    """Nothing is read any more."""
    shard, room, _ = rooms()
    shard.full = True
    async with anyio.create_task_group() as tasks:

        async def stop_soon() -> None:
            await anyio.sleep(0.1)
            shard.stop.request()

        tasks.start_soon(stop_soon)
        assert await room.wait() is None
