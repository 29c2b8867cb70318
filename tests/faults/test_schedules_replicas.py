"""Replicas that share schedules under virtual time: seeded runs in which they are killed, stopped, cut off and badly served."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from structlog.testing import capture_logs

from tests.unit.schedules.fakes import config, due, schedule
from tests.unit.schedules.replicas import FAILOVER, Replicas
from tests.worlds import virtual_time
from tests.worlds.lease_handle import Rates
from tests.worlds.seeds import in_slices, replayable

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import TaskGroup

    from config.models import Config
    from tests.unit.schedules.fakes import Process

SECONDS = 300
MINUTE = 60
TO_MINUTE = 40
SKEWS = (0.0, 4.0, -4.0)
BAD = Rates(throttled=0.03, failed=0.03, never_sent=0.01, reply_lost=0.02, stale_seconds=0.4)
SERVED_BADLY_EVERY = 3
"""So often, counted in seeds, the table is a bad one."""


@dataclass
class Life:
    """What happens to replicas. ``harsh`` are the times from and to which one was killed or cut off."""

    there: Replicas
    asked: Config
    chance: random.Random
    running: dict[str, Process] = field(default_factory=dict)
    harsh: list[tuple[float, float]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    async def start(self, group: TaskGroup, name: str) -> None:
        """A process of a replica, whose state is that of the one before."""
        self.running[name] = await self.there.worlds[name].started(group)

    async def happen(self, group: TaskGroup) -> None:
        """One thing, to one replica; all are well when this returns."""
        name = self.chance.choice(sorted(self.running))
        what = self.chance.choice(["kill", "stop", "cut off"])
        pause = self.chance.uniform(0.5, 2 * FAILOVER)
        began = anyio.current_time()
        self.events.append(f"{began - virtual_time.START:.1f} {what} {name} for {pause:.1f} s")
        if what == "cut off":
            self.there.table.cut_off.add(name)
            await anyio.sleep(pause)
            self.there.table.cut_off.discard(name)
        else:
            process = self.running.pop(name)
            await (process.kill() if what == "kill" else process.end())
            if what == "stop":
                books = process.schedules.books()
                assert books is None or books.balanced
            await anyio.sleep(pause)
            await self.start(group, name)
        if what != "stop":
            self.harsh.append((began, anyio.current_time()))

    def may_be_repeated(self, at: float) -> bool:
        """Whether a run that was due at this time of the loop may run twice: something harsh was going on."""
        return any(began - 10 <= at <= ended + 3 * FAILOVER for began, ended in self.harsh)


def simulate(seed: int, folder: Path) -> Life:
    """One run. Raises AssertionError for a due time that did not run, or ran twice without a cause."""
    return virtual_time.run(lambda: _simulate(seed, folder))


async def _simulate(seed: int, folder: Path) -> Life:
    chance = random.Random(seed)
    there = Replicas(folder)
    schedules = [
        schedule("cron(* * * * ? *)", f"s{number}", input=f'"s{number} <aws.scheduler.scheduled-time>"')
        for number in range(2)
    ]
    life = Life(there, config(*schedules), chance)
    rates = BAD if seed % SERVED_BADLY_EVERY == 0 else None
    for name, skew in zip("abc", SKEWS, strict=True):
        there.replica(name, life.asked, skew=skew, rates=rates)
    with capture_logs():
        async with anyio.create_task_group() as group:
            for name in there.worlds:
                await life.start(group, name)
            while anyio.current_time() < virtual_time.START + SECONDS:
                await anyio.sleep(chance.uniform(1, 25))
                await life.happen(group)
            # What was due at the last moment, and is still to be taken over.
            await anyio.sleep(3 * FAILOVER)
            for process in list(life.running.values()):
                await process.end()
        await _judge(life)
    return life


async def _judge(life: Life) -> None:
    accepted = await life.there.accepted()
    for minute in range((SECONDS - TO_MINUTE) // MINUTE):
        second = TO_MINUTE + minute * MINUTE
        [text] = due(second)
        for number in range(2):
            event = f'"s{number} {text[1:]}'
            most = 2 if life.may_be_repeated(virtual_time.START + second) else 1
            assert 1 <= accepted[event] <= most, f"{event} ran {accepted[event]} times: {life.events}"


@in_slices(4, of=2)
def test_each_due_time_runs_once_and_at_least_once_whatever_happens(tmp_path: Path, seeds: range) -> None:
    """Twice only where a replica was killed or cut off around that time."""
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        with replayable(seed):
            simulate(seed, folder)
