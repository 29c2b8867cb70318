"""An asynchronous queue on the real state file under virtual time, with functions and targets that do as they are told."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from config.models import PythonFunction
from handlers.function import PLAIN, Call, FunctionError, FunctionStatus, Invocation, Payload
from pollers.destinations.ended import EndedInvocation, Role, TargetRefuses
from pollers.functions import Functions
from pollers.invocations import TABLES, AsyncQueue
from pollers.supervisor import ServiceRunner
from tests.worlds.inline_state import InlineState
from tests.worlds.virtual_time import VirtualClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from anyio.abc import TaskGroup

    from config.models import FunctionModel
    from handlers.function import Result

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
OK = Payload(b'"done"')
FAILED = FunctionError("ValueError", "no", b'{"errorMessage":"no","errorType":"ValueError"}')
RUN_SECONDS = 0.5
"""How long the function runs."""


@dataclass
class Settings:
    """Implements ``InvokeSettings``; Lambda's defaults."""

    maximum_retry_attempts: int = 2
    maximum_event_age_seconds: int = 21_600
    on_success: str | None = None
    on_failure: str | None = None
    dead_letters: str | None = None


@dataclass(frozen=True)
class Run:
    """The function was begun on an event, at virtual time ``at`` since the start of the world."""

    function: str
    request_id: str
    event: bytes
    at: float


class ToldFunction:
    """A function that answers as ``world.answer`` says; implements ``Function``."""

    def __init__(self, name: str, model: FunctionModel, world: AsyncWorld) -> None:
        self.name = name
        self.arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        self.concurrency = model.concurrency
        self.timeout_seconds = model.timeout
        self._world = world

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """See ``Function.invoke``."""
        world = self._world
        world.runs.append(Run(self.name, request_id, event, world.now))
        world.busy[self.name] += 1
        world.most[self.name] = max(world.most[self.name], world.busy[self.name])
        world.on_begin(self.name, request_id)
        result: Result | Exception | None = None
        try:
            await anyio.sleep(world.run_seconds)
            result = world.answer(self.name, request_id)
            if isinstance(result, Exception):
                raise result
            return Invocation(request_id, result, world.run_seconds)
        finally:
            world.busy[self.name] -= 1
            world.on_end(request_id, result)

    def status(self) -> FunctionStatus:
        """See ``Function.status``."""
        return FunctionStatus(0, self._world.busy[self.name])

    async def __aenter__(self) -> ToldFunction:
        if self._world.unusable is not None:
            raise self._world.unusable
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


@dataclass(frozen=True)
class Delivered:
    """A report that a target has, since virtual time ``at``."""

    role: Role
    target: str
    ended: EndedInvocation
    at: float


@dataclass
class AsyncWorld:
    """One folder of state over many lives of its process; ``runs`` and ``delivered`` are what happened outside of it.

    ``answer`` gives what a function brings, by its name and the request id. ``down``: targets that are out of reach. ``refusing``:
    targets that never take anything. ``on_begin`` and ``on_end`` are told of each run.
    """

    folder: Path
    functions_of: dict[str, int] = field(default_factory=lambda: {"orders": 2})
    settings: dict[str, Settings] = field(default_factory=dict)
    answer: Callable[[str, str], Result | Exception] = lambda function, request_id: OK
    on_begin: Callable[[str, str], None] = lambda function, request_id: None
    on_end: Callable[[str, Result | Exception | None], None] = lambda request_id, result: None
    run_seconds: float = RUN_SECONDS
    limit_bytes: int = 1024**3
    unusable: Exception | None = None
    runs: list[Run] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)
    busy: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    down: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)
    state: InlineState = field(init=False)
    functions: Functions = field(init=False)
    queue: AsyncQueue = field(init=False)
    runner: ServiceRunner = field(init=False)
    may_break: bool = False
    crashed: bool = False
    began: float = 0.0

    @property
    def now(self) -> float:
        """Virtual seconds since the world began."""
        return anyio.current_time() - self.began

    def settings_of(self, function: str) -> Settings:
        """How a function is invoked."""
        return self.settings.setdefault(function, Settings())

    async def deliver(self, role: Role, target_arn: str, ended: EndedInvocation) -> None:
        """Implements ``Deliveries``."""
        self.tried[target_arn] += 1
        await anyio.sleep(0.1)
        if target_arn in self.refusing:
            raise TargetRefuses(f"{target_arn} never takes this")
        if target_arn in self.down:
            raise OSError(f"{target_arn} is out of reach")
        self.delivered.append(Delivered(role, target_arn, ended, self.now))

    @asynccontextmanager
    async def life(self, *, serve: bool = True) -> AsyncIterator[AsyncQueue]:
        """A process. Leaving it in order waits for what runs; with ``crashed`` set, it ends as by kill -9."""
        self.busy.clear()
        async with InlineState(self.folder, [TABLES]) as self.state, anyio.create_task_group() as group:
            self.functions = Functions(partial(_told, self))
            self.start_functions(group)
            self.queue = AsyncQueue(
                self.state,
                self.functions,
                self.settings_of,
                lambda name: f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
                self,
                clock=VirtualClock(),
                limit_bytes=self.limit_bytes,
            )
            self.runner = ServiceRunner(self.queue, seed=random.Random(0))
            if serve:
                group.start_soon(self.runner.run)
                await settle()
            self.crashed = False
            yield self.queue
            if self.crashed:
                group.cancel_scope.cancel()
                return
            self.runner.end()
            if serve:
                await self.runner.finished.wait()
                assert self.may_break or not self.runner.restarts, "the queue broke down"
                assert not [host.name for host in self.functions.values() if host.called], "a caller has not left"
            self.functions.close()

    def start_functions(self, group: TaskGroup) -> None:
        """Give every function a host."""
        self.functions.start(group, models(self.functions_of))


def _told(world: AsyncWorld, name: str, model: FunctionModel) -> ToldFunction:
    return ToldFunction(name, model, world)


def models(functions: dict[str, int]) -> dict[str, FunctionModel]:
    """Functions of these names, with so many permits each."""
    return {
        name: PythonFunction.model_validate({"code": ".", "handler": "app.handler", "concurrency": permits})
        for name, permits in functions.items()
    }


@asynccontextmanager
async def world_of(**options: object) -> AsyncIterator[AsyncWorld]:
    """A world in a folder of its own."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY, prefix="async-world-") as folder:
        yield AsyncWorld(Path(folder), began=anyio.current_time(), **options)  # type: ignore[arg-type]
