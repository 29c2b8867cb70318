"""Functions in worker processes: a pool of workers behind the ``Function`` interface, whatever runtime they execute."""

from __future__ import annotations

import random as random_module
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

import anyio
import structlog
from anyio import CancelScope, to_thread

from handlers.copies import Scratch
from handlers.environment import World
from handlers.errors import FunctionUnusable
from handlers.function import PLAIN, FunctionStatus
from handlers.workers.deliveries import Deliveries
from handlers.workers.environment import memory_size_mib
from handlers.workers.fault_places import found_at
from handlers.workers.output import LogRules
from handlers.workers.pool import Pool
from handlers.workers.population import StartGate
from handlers.workers.process import Launch
from handlers.workers.runtime import Program, Site
from handlers.workers.setup import Limits, Setup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from config.models import ProcessFunction
    from handlers.copies import Copies
    from handlers.function import Call, Invocation
    from handlers.workers.runtime import Prepare

_Model = TypeVar("_Model", bound="ProcessFunction")


class WorkerFunction:
    """A function that runs in worker processes over Lambda's Runtime API (``runtime: python`` and ``runtime: provided``)."""

    def __init__(
        self,
        name: str,
        model: _Model,
        prepare: Prepare[_Model],
        *,
        world: World | None = None,
        wall_clock: Callable[[], float] | None = None,
        random: random_module.Random | None = None,
        metric_line: Callable[[str], None] | None = None,
    ) -> None:
        """``prepare`` is the kind of runtime (:mod:`handlers.workers.runtime`).

        ``world`` has Headrace's own environment (default: this process's), of which workers get what their model says.
        ``metric_line`` takes metrics in the embedded metric format out of the log, line by line; it must not block.
        """
        self._name = name
        self._model: ProcessFunction = model
        self._prepare = partial(prepare, model)
        self._world = world or World()
        self._arn = self._world.arn(name)
        self._random = random or random_module.Random()  # noqa: S311 - ids and jitter, no secrets
        self._wall_clock = wall_clock or time.time
        self._log = structlog.get_logger(__name__).bind(function=name)
        self._log_rules = LogRules(name, model.logging_config, self._wall_clock, metric_line)
        self._pool: Pool | None = None
        self._copies: Copies | None = None

    @property
    def name(self) -> str:
        """Its key under ``functions`` in the configuration."""
        return self._name

    @property
    def arn(self) -> str:
        """Its unqualified ARN."""
        return self._arn

    @property
    def concurrency(self) -> int:
        """How many workers there may be."""
        return self._model.concurrency

    @property
    def timeout_seconds(self) -> float:
        """After how long an invocation's worker is killed."""
        return self._model.timeout

    def run_copies(self, copies: Copies) -> None:
        """Run copies of the code and the layers (``Copied.run_copies``)."""
        self._copies = copies

    def status(self) -> FunctionStatus:
        """What is running now. ``problem`` is why workers cannot be started, if they cannot."""
        pool, counts = self._pool, self._log_rules.counts
        if pool is None:
            return FunctionStatus(0, 0)
        return FunctionStatus(pool.living, pool.busy, pool.started_total, pool.problem, counts.dropped, counts.metrics)

    async def __aenter__(self) -> Self:
        self._scratch = await to_thread.run_sync(Scratch, self._name)
        try:
            site = Site(self._name, self._scratch.path, self._world, self._copies)
            program = self._program = await self._prepare(site)
        except BaseException:
            await self._remove_scratch()
            raise
        self._tasks = await anyio.create_task_group().__aenter__()
        gate, concurrency = StartGate(self._random), self._model.concurrency
        self._pool = Pool(self._setup(site, program), concurrency, gate, site.scratch, self._tasks)
        self._tasks.start_soon(self._pool.stop_idle, self._model.idle_timeout)
        if self._model.memory_size is not None:
            self._tasks.start_soon(self._pool.watch_memory)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with CancelScope(shield=True):
            await self._entered_pool().stop()
        self._tasks.cancel_scope.cancel()
        try:
            # Not told of the body's exception, which it would wrap into a group.
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._remove_scratch()

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """Run the function once, on an idle worker or on one that becomes free or is started (``Function.invoke``)."""
        return await self._entered_pool().invoke(event, request_id, call)

    async def prove(self) -> None:
        """Start one worker (``Provable.prove``)."""
        failure = await self._entered_pool().prove()
        if failure is not None:
            raise FunctionUnusable(found_at(failure, self._program.copies))

    def _entered_pool(self) -> Pool:
        assert self._pool is not None  # noqa: S101 - a function is entered before it is used
        return self._pool

    def _setup(self, site: Site, program: Program) -> Setup:
        stamp = time.strftime("%Y/%m/%d", time.gmtime(self._wall_clock()))
        return Setup(
            function_name=self._name,
            limits=Limits(self._model.timeout, self._model.memory_size, memory_size_mib(self._model)),
            deliveries=Deliveries(self._arn, self._model.timeout, self._wall_clock, self._random),
            launch=partial(self._launch, site, program, stamp),
            log=self._log,
            log_rules=self._log_rules,
            turn=anyio.Lock(),
        )

    def _launch(self, site: Site, program: Program, stamp: str, runtime_api: str, scratch: Path) -> Launch:
        log_stream = f"{stamp}/[$LATEST]{uuid.UUID(int=self._random.getrandbits(128)).hex}"
        environment = site.environment(
            self._model, program, log_stream=log_stream, runtime_api=runtime_api, scratch=scratch
        )
        return Launch(program.command, program.code, environment, site.scratch, program.framed)

    async def _remove_scratch(self) -> None:
        with CancelScope(shield=True):
            await to_thread.run_sync(self._scratch.remove)
