"""Functions in worker processes: a pool of :class:`handlers.workers.worker.Worker` behind the ``Function`` interface.

What is run, and how, is the subclass's: :mod:`handlers.workers.python` and :mod:`handlers.workers.provided`.
"""

from __future__ import annotations

import abc
import asyncio
import itertools
import random as random_module
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

import anyio
import structlog
from anyio import CancelScope, to_thread

from handlers.environment.world import World
from handlers.function import FunctionError, FunctionStatus, InfrastructureError, Invocation
from handlers.system.process_tree import Families
from handlers.workers.code_folder import folder_of
from handlers.workers.environment import Identity, Place, memory_size_mib, worker_environment
from handlers.workers.output import LogRules
from handlers.workers.population import Population, StartGate, starts
from handlers.workers.process import KILL_SECONDS, Launch
from handlers.workers.scratch import Scratch
from handlers.workers.worker import Setup, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from config.models import ProcessFunction

_REAP_SECONDS = 1.0
_MEMORY_WATCH_SECONDS = 0.1
_IDLE_LOOKS = 10  # one in so many looks is at all workers

_Waited: TypeAlias = "Worker | FunctionError | InfrastructureError"


@dataclass(eq=False, slots=True)
class _Waiter:
    """An invocation that waits for a worker."""

    request_id: str
    result: asyncio.Future[_Waited]
    log: tuple[str, ...] = ()


class WorkerFunction(abc.ABC):
    """A function that runs in worker processes over Lambda's Runtime API.

    Workers are started as invocations need them, up to ``concurrency``, are used again, and are stopped after
    ``idle_timeout``. A worker that cannot be started holds back further starts (:class:`handlers.workers.population.StartGate`):
    invocations wait meanwhile, which holds back their sources too, and then fail with Lambda's own error document.
    """

    def __init__(
        self,
        name: str,
        model: ProcessFunction,
        *,
        world: World | None = None,
        wall_clock: Callable[[], float] | None = None,
        random: random_module.Random | None = None,
        metric_line: Callable[[str], None] | None = None,
    ) -> None:
        """``world`` has Headrace's own environment (default: this process's), of which workers get what their model says.

        ``metric_line`` takes metrics in the embedded metric format out of the log, line by line; it must not block.
        """
        self._name = name
        self._model = model
        self._world = world or World()
        self._arn = self._world.arn(name)
        self._random = random or random_module.Random()  # noqa: S311 - ids and jitter, no secrets
        self._wall_clock = wall_clock or time.time
        self._log = structlog.get_logger(__name__).bind(function=name)
        self._log_rules = LogRules(name, model.logging_config, self._wall_clock, metric_line)
        self._gate = StartGate(self._random)
        self._living: set[Worker] = set()
        self._idle: list[Worker] = []
        self._waiters: deque[_Waiter] = deque()
        self._started_total = 0
        self._problem: str | None = None
        self._running = False
        self._gate_timer: asyncio.TimerHandle | None = None

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

    def status(self) -> FunctionStatus:
        """What is running now. ``problem`` is why workers cannot be started, if they cannot."""
        busy = sum(worker.busy for worker in self._living)
        counts = self._log_rules.counts
        return FunctionStatus(
            len(self._living), busy, self._started_total, self._problem, counts.dropped, counts.metrics
        )

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._scratch_folder = await to_thread.run_sync(Scratch, self._name)
        self._scratch = self._scratch_folder.path
        try:
            what = f"function {self._name}: code"
            self._code = await to_thread.run_sync(folder_of, self._code_path(), self._scratch / "code", what)
            await self._prepare(self._scratch)
        except BaseException:
            await self._remove_scratch()
            raise
        self._setup = self._make_setup()
        self._tasks = await anyio.create_task_group().__aenter__()
        self._running = True
        self._tasks.start_soon(self._reap_idle)
        if self._model.memory_size is not None:
            self._tasks.start_soon(self._watch_memory)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running = False
        with CancelScope(shield=True):
            await self._stop_workers()
        self._tasks.cancel_scope.cancel()
        try:
            # Not told of the body's exception, which it would wrap into a group.
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._remove_scratch()

    async def _stop_workers(self) -> None:
        if self._gate_timer is not None:
            self._gate_timer.cancel()
        self._fail_waiters(lambda _: InfrastructureError(f"function {self._name} is being stopped"))
        for worker in list(self._living):
            worker.stop()
        with anyio.move_on_after(2 * KILL_SECONDS):
            for worker in list(self._living):
                await worker.gone.wait()

    async def invoke(self, event: bytes, *, request_id: str) -> Invocation:
        """Run the function once, on an idle worker or on one that becomes free or is started (``Function.invoke``)."""
        waiting_since = self._loop.time()
        while self._running:
            worker = self._take_idle()
            if worker is None:
                waiter = _Waiter(request_id, self._loop.create_future())
                got = await self._wait(waiter)
                if not isinstance(got, Worker):
                    return Invocation(request_id, got, self._loop.time() - waiting_since, waiter.log)
                worker = got
            if worker.available:
                return await worker.invoke(event, request_id)
        return Invocation(request_id, InfrastructureError(f"function {self._name} is being stopped"), 0.0)

    # What subclasses say

    @abc.abstractmethod
    def _code_path(self) -> Path:
        """The configured code: a folder or a .zip."""

    @abc.abstractmethod
    async def _prepare(self, scratch: Path) -> None:
        """Check and unpack whatever else the function needs, before the first worker is started.

        Raises:
            FunctionUnusable: for what no retry can cure.
        """

    @abc.abstractmethod
    def _command(self) -> Sequence[str]:
        """What a worker executes."""

    @abc.abstractmethod
    def _identity(self, log_stream: str) -> Identity:
        """What a worker is told about its function."""

    def _framed(self) -> bool:
        """Whether a worker's runtime client writes frames if it is given a descriptor for them."""
        return False

    def _layers(self) -> Sequence[Path]:
        """Folders that lie over the code, as layers do on Lambda."""
        return ()

    # Called by workers (handlers.workers.worker.Owner)

    def worker_ready(self, worker: Worker) -> None:
        """Give the worker to whoever waits longest, or keep it warm."""
        self._gate.ready()
        self._problem = None
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.result.done():
                waiter.result.set_result(worker)
                self._balance()  # others may wait for their start because this one was starting
                return
        if worker not in self._idle:
            worker.idle_since = self._loop.time()
            self._idle.append(worker)

    def worker_unready(self, worker: Worker) -> None:
        """Its connection is gone: it is not to be used until it comes back."""
        if worker in self._idle:
            self._idle.remove(worker)

    def worker_answered(self, worker: Worker) -> None:
        """An invocation was answered: the function works."""
        self._gate.succeeded()

    def worker_gone(self, worker: Worker) -> None:
        """Account for its end, and replace it if somebody waits."""
        self.worker_unready(worker)
        self._living.discard(worker)
        if not self._running:
            return
        now = self._loop.time()
        if not worker.was_ready:
            self._start_failed(worker, now)
        elif worker.crashed:
            self._gate.crashed(now)
        self._balance()

    # Starting workers

    def _take_idle(self) -> Worker | None:
        while self._idle:
            worker = self._idle.pop()  # the one used last: the others may become idle for long enough to be stopped
            if worker.available:
                return worker
        return None

    async def _wait(self, waiter: _Waiter) -> _Waited:
        self._waiters.append(waiter)
        self._balance()
        try:
            return await waiter.result
        except asyncio.CancelledError:
            if (
                not waiter.result.cancelled()
                and isinstance(given := waiter.result.result(), Worker)
                and given.available
            ):
                self.worker_ready(given)  # it was given a worker in the moment in which it was cancelled
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _balance(self) -> None:
        """Start as many workers as the invocations that wait need, now or when the gate opens."""
        if not self._running:
            return
        now = self._loop.time()
        for _ in range(starts(self._population(), self._gate, now)):
            worker = Worker(self._setup, self, self._scratch / f"worker-{self._started_total}")
            self._started_total += 1
            self._living.add(worker)
            self._tasks.start_soon(self._run_worker, worker)
        if self._waiters and not self._gate.open(now):
            if self._gate_timer is not None:
                self._gate_timer.cancel()
            self._gate_timer = self._loop.call_at(self._gate.opens_at, self._balance)

    def _population(self) -> Population:
        return Population(
            waiting=len(self._waiters),
            starting=sum(worker.starting for worker in self._living),
            finishing=sum(worker.finishing for worker in self._living),
            living=len(self._living),
            concurrency=self.concurrency,
        )

    async def _run_worker(self, worker: Worker) -> None:
        try:
            await worker.run()
        except Exception:
            # A fault of ours. The worker is gone and has been accounted for, so its function goes on, held back by the gate.
            self._log.exception("worker failed unexpectedly")

    def _start_failed(self, worker: Worker, now: float) -> None:
        self._gate.start_failed(worker.started_at, now)
        failure = worker.failure("")
        problem = failure.message.removeprefix("RequestId:  Error: ")
        if problem != self._problem:
            # Said once: the same failure again is not news, and status() goes on saying it.
            self._problem = problem
            self._log.error("worker could not be started", problem=problem)
        if not any(other.available or other.busy or other.starting or other.finishing for other in self._living):
            self._fail_waiters(worker.failure, worker.init_log())

    def _fail_waiters(
        self, failure: Callable[[str], FunctionError | InfrastructureError], log: tuple[str, ...] = ()
    ) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.result.done():
                waiter.log = log
                waiter.result.set_result(failure(waiter.request_id))

    # Side tasks

    async def _reap_idle(self) -> None:
        """Stop workers that have been idle for too long."""
        idle_timeout = self._model.idle_timeout
        while True:
            await anyio.sleep(min(_REAP_SECONDS, idle_timeout / 2))
            now = self._loop.time()
            for worker in [worker for worker in self._idle if now - worker.idle_since >= idle_timeout]:
                self._idle.remove(worker)
                worker.stop()

    async def _watch_memory(self) -> None:
        """Kill workers that hold more than ``memory_size``: soon while they run, soon enough while they should be idle."""
        families = Families()
        for look in itertools.count():
            await anyio.sleep(_MEMORY_WATCH_SECONDS)
            all_of_them = look % _IDLE_LOOKS == 0
            watched = [worker for worker in self._living if all_of_them or worker.busy or worker.starting]
            if watched:
                below = families.below([worker.keeper_pid for worker in self._living if worker.keeper_pid is not None])
                for worker in watched:
                    worker.check_memory(below)

    def _make_setup(self) -> Setup:
        stamp = time.strftime("%Y/%m/%d", time.gmtime(self._wall_clock()))
        return Setup(
            function_name=self._name,
            function_arn=self._arn,
            timeout_seconds=self.timeout_seconds,
            memory_limit_mib=self._model.memory_size,
            memory_size_mib=memory_size_mib(self._model),
            launch=lambda runtime_api, scratch: self._launch(runtime_api, scratch, stamp),
            framed=self._framed(),
            log=self._log,
            log_rules=self._log_rules,
            wall_clock=self._wall_clock,
            random=self._random,
            turn=anyio.Lock(),
        )

    def _launch(self, runtime_api: str, scratch: Path, stamp: str) -> Launch:
        place = Place(self._code, tuple(self._layers()), scratch, runtime_api)
        identity = self._identity(f"{stamp}/[$LATEST]{uuid.UUID(int=self._random.getrandbits(128)).hex}")
        environment = self._environment(place, identity)
        return Launch(tuple(self._command()), self._code, environment, self._scratch)

    def _environment(self, place: Place, identity: Identity) -> dict[str, str]:
        return worker_environment(identity, place, self._model, self._world.environment, self._world.profile)

    async def _remove_scratch(self) -> None:
        with CancelScope(shield=True):
            await to_thread.run_sync(self._scratch_folder.remove)
