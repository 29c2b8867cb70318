"""One seeded run of a change stream's mapping: everything goes wrong at once, and nothing may be lost or out of order.

Servers of each kind; collections that are dropped and renamed under their readers; failovers; calls that fail, are late or lose
their replies; cursors that are forgotten; a log that leaves behind what has been read; functions that fail, name failures and take
long; pollers that crash, stop or are hurried at any step.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import IteratorExpired, Throttled, Unavailable
from tests.faults.change_trial import ChangeTrial
from tests.worlds import virtual_time
from tests.worlds.memory_cluster import COLLECTION, DOCUMENTDB, MONGODB, OLD_DOCUMENTDB

if TYPE_CHECKING:
    from tests.pollers.function import Answer, Call

PATIENCE_SECONDS = 6 * 3_600.0
"""Virtual time after which, all faults over, everything must be done."""
STEP_LIMIT = 400_000


class Disturbed:
    """Faults around every call of the cluster, until it is calm."""

    def __init__(self, trial: ChangeTrial, chance: random.Random, rate: float) -> None:
        self.calm = False
        self._trial = trial
        self._chance = chance
        self._rate = rate

    async def before(self, operation: str) -> None:
        """Late, and perhaps refused."""
        await anyio.sleep(self._chance.choice((0.001, 0.02, 0.2)))
        self._perhaps(operation)

    async def after(self, operation: str) -> None:
        """Perhaps the reply is lost, when the server has done what it was asked for."""
        self._perhaps(operation)

    def _perhaps(self, operation: str) -> None:
        if self.calm or self._chance.random() >= self._rate:
            return
        if self._chance.random() < 0.3:
            self._trial.cluster.fail_over()
        if operation == "next" and self._chance.random() < 0.2:
            raise IteratorExpired("43", "cursor not found")
        raise self._chance.choice(
            (Unavailable("189", "stepped down"), Unavailable("ConnectionClosed"), Throttled("462"))
        )


class ChangeSimulation:
    """One run; everything random in it comes from ``seed``."""

    def __init__(self, seed: int) -> None:
        self.random = chance = random.Random(seed)
        self.trouble = chance.choice((0.0, 0.1, 0.3))
        self.trial = trial = ChangeTrial(
            chance.choice((MONGODB, DOCUMENTDB, OLD_DOCUMENTDB)),
            self._answer,
            database=chance.random() < 0.3,
            concurrency=chance.choice((1, 3)),
            timeout_seconds=60.0,
            batch_size=chance.choice((1, 3, 10, 100)),
            maximum_batching_window_in_seconds=chance.choice((0, 0, 2)),
            maximum_retry_attempts=chance.choice((-1, -1, 0, 2)),
            function_response_types=chance.choice(([], ["ReportBatchItemFailures"])),
        )
        self.faults = Disturbed(trial, chance, chance.choice((0.0, 0.05, 0.2)))
        self.written = anyio.Event()

    async def _answer(self, call: Call) -> Answer:
        chance = self.random
        await anyio.sleep(chance.choice((0.001, 0.01, 0.1, 2.0)))
        if self.faults.calm or chance.random() >= self.trouble:
            return call.accepted()
        if self.trial.mapping.function_response_types and chance.random() < 0.6:
            return call.named(chance.sample(call.values, chance.randint(1, len(call.values))))
        return call.failed()

    async def run(self) -> None:
        """The beginning is pinned; some lives end in crashes and stops; one, while it is calm, goes on until all is done."""
        trial, chance = self.trial, self.random
        await trial.begin()
        trial.world.faults = self.faults
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write)
            for _ in range(chance.choice((0, 1, 2, 4))):
                await self._short_life()
                await anyio.sleep(chance.choice((0.0, 1.0)))
            async with trial.running():
                await self.written.wait()
                self.faults.calm = True
                await virtual_time.eventually(self._all_done, within=PATIENCE_SECONDS)
        trial.check()
        assert all(reader.closed for reader in trial.world.readers)

    def _all_done(self) -> bool:
        return self.trial.witness.done >= self.trial.everything and not self.trial.world.left()

    async def _short_life(self) -> None:
        step = self.random.choice((5, 30, 100, 300)) + self.random.randrange(100)
        how = self.random.choice(("crash", "crash", "stop", "hurry"))
        if how == "crash":
            await self.trial.crash_at(step)
            return
        poller = await self.trial.make_poller()
        loop, stop = virtual_time.current_loop(), self.trial.stop
        loop.at_step(loop.steps + step, stop.request)
        if how == "hurry":
            loop.at_step(loop.steps + step + self.random.randrange(40), stop.hurry)
        await poller.run()
        self.trial.check_stopped()

    async def _write(self) -> None:
        trial, chance, count = self.trial, self.random, 0
        for _ in range(chance.choice((5, 30, 80))):
            for _ in range(chance.choice((1, 1, 4))):
                count += 1
                trial.put(f"event {count}", key=chance.choice("abc"))
            luck = chance.random()
            if luck < 0.06:
                trial.do(trial.cluster.drop)
            elif luck < 0.09:
                trial.do(partial(trial.cluster.rename, COLLECTION, f"old {count}"))
            elif luck < 0.11:
                trial.do(trial.cluster.drop_database)
            elif luck < 0.2:
                trial.cluster.insert({"_id": count}, "elsewhere", "other")
            elif luck < 0.25:
                trial.cluster.trim_to(trial.world.safe)
            await anyio.sleep(chance.choice((0.0, 0.0, 0.1, 1.0, 40.0)))
        self.written.set()


def simulate(seed: int) -> None:
    """Run one seed to its end."""

    async def main() -> None:
        await ChangeSimulation(seed).run()

    with structlog.testing.capture_logs():
        virtual_time.run(main, step_limit=STEP_LIMIT)
