"""Schedules, and a queue that keeps what it accepts in the state, together with the due time."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio

from config.models import Config, Schedule
from pollers.destinations import Post, Ways
from pollers.engine.stop import Stop
from pollers.invocations import QueueFull
from pollers.schedules import TABLES, Schedules
from pollers.schedules.events import scheduled_time
from pollers.state import Tables
from tests.unit.destinations.cloud import Cloud
from tests.worlds.inline_state import InlineState
from tests.worlds.virtual_time import EPOCH, VirtualClock

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from anyio.abc import TaskGroup, TaskStatus

    from pollers.aws.api import Aws
    from pollers.schedules.sharing import SharedSchedules
    from pollers.storage.writer import Operation

QUEUE_TABLES = Tables(
    "accepted", (("CREATE TABLE accepted (request_id TEXT PRIMARY KEY, function TEXT, event BLOB)",),)
)
DEAD = "arn:aws:sqs:eu-west-1:000000000000:schedules-dead"
NOW = int(EPOCH)
"""What clocks show at first: 2023-11-14T22:13:20Z."""


@dataclass
class RowsQueue:
    """An asynchronous queue that only accepts; it is full while ``full``, and takes its ``seconds`` for each event."""

    state: InlineState
    full: bool = False
    tries: int = 0
    seconds: float = 0.0

    async def accept(
        self, function: str, event: bytes, *, request_id: str, also: Operation[object] | None = None
    ) -> bool:
        self.tries += 1
        if self.full:
            raise QueueFull("there is no room")
        if self.seconds:
            await anyio.sleep(self.seconds)

        def keep(connection: sqlite3.Connection) -> bool:
            if also is not None:
                also(connection)
            known = "INSERT INTO accepted VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            return connection.execute(known, (request_id, function, event)).rowcount == 1

        return await self.state.call(keep)


@dataclass
class Process:
    """A running process."""

    schedules: Schedules
    queue: RowsQueue
    state: InlineState
    stop: Stop = field(default_factory=Stop)
    finished: anyio.Event = field(default_factory=anyio.Event)
    _scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def run(self) -> None:
        """Until it is stopped, or killed."""
        with self._scope:
            await self.schedules.run(self.stop)

    async def kill(self) -> None:
        """End it as kill -9 does: nothing reaches the disk any more, nor the table."""
        self.state.killed = True
        self._scope.cancel()
        await self.finished.wait()

    async def end(self) -> None:
        """Stop it in order."""
        self.stop.request()
        await self.finished.wait()


@dataclass
class World:
    """Schedules in a folder, restarted at will. The ``clock`` goes on meanwhile."""

    folder: Path
    config: Config
    clock: VirtualClock = field(default_factory=VirtualClock)
    cloud: Cloud = field(default_factory=Cloud)
    sharing: Callable[[], SharedSchedules] | None = None
    """How it shares schedules with others, made anew for each process."""

    @asynccontextmanager
    async def process(self, *, crash: bool = False) -> AsyncIterator[Process]:
        """A process that runs while this is entered; it is stopped in order, or with ``crash`` cut short."""
        async with InlineState(self.folder, (TABLES, QUEUE_TABLES)) as state, anyio.create_task_group() as group:
            process = self._made(state)
            group.start_soon(process.run)
            yield process
            if crash:
                group.cancel_scope.cancel()
            else:
                process.stop.request()

    def _made(self, state: InlineState) -> Process:
        queue = RowsQueue(state)
        post = Post(Ways(cast("Aws", self.cloud), "us-east-1", None))
        seed = random.Random(1)
        sharing = self.sharing() if self.sharing is not None else None
        schedules = Schedules(self.config, state, queue, post, clock=self.clock, seed=seed, sharing=sharing)
        return Process(schedules, queue, state)

    async def started(self, group: TaskGroup) -> Process:
        """A process in a task of ``group``, until it is ended."""
        process: Process = await group.start(self._live)
        return process

    async def _live(self, *, task_status: TaskStatus[Process]) -> None:
        async with InlineState(self.folder, (TABLES, QUEUE_TABLES)) as state:
            process = self._made(state)
            task_status.started(process)
            await process.run()
        process.finished.set()

    async def accepted(self) -> list[str]:
        """What the queue has: each event, in order."""

        def read(connection: sqlite3.Connection) -> list[str]:
            return [event.decode() for (event,) in connection.execute("SELECT event FROM accepted ORDER BY rowid")]

        async with InlineState(self.folder, (TABLES, QUEUE_TABLES)) as state:
            return await state.call(read)


def schedule(expression: str = "rate(5 minutes)", name: str = "s", **settings: Any) -> Schedule:  # noqa: ANN401 - any setting
    """A schedule of the function ``orders`` whose events are its due times."""
    settings = {"input": '"<aws.scheduler.scheduled-time>"'} | settings
    return Schedule(name=name, schedule_expression=expression, function_name="orders", **settings)


def config(*schedules: Schedule, functions: tuple[str, ...] = ("orders",)) -> Config:
    """A configuration with these schedules."""
    made = {name: {"runtime": "http", "url": "http://127.0.0.1:9"} for name in functions}
    found = Config.model_validate({"functions": made})
    return found.model_copy(update={"schedules": {one.name: one for one in schedules}})


def due(*seconds: float) -> list[str]:
    """The events of due times so many seconds after NOW."""
    return [f'"{scheduled_time(NOW + int(second))}"' for second in seconds]
