"""The workers of one function: started as invocations need them, used again, stopped when they have been idle for long."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import anyio

from handlers.function import PLAIN, FunctionError, InfrastructureError, Invocation
from handlers.system import Families
from handlers.workers.population import Population, StartGate, starts
from handlers.workers.process import KILL_SECONDS
from handlers.workers.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anyio.abc import TaskGroup

    from handlers.function import Call
    from handlers.workers.setup import Setup

TOO_LATE = "it was too late to begin when a worker was there"
_LOOK_FOR_IDLE_SECONDS = 1.0
_MEMORY_WATCH_SECONDS = 0.1
_IDLE_LOOKS = 10  # one in so many looks is at all workers

_Granted: TypeAlias = "Worker | FunctionError | InfrastructureError"


@dataclass(eq=False, slots=True)
class _Waiter:
    """An invocation that waits for a worker."""

    request_id: str
    granted: asyncio.Future[_Granted]
    log: tuple[str, ...] = ()


class Pool:
    """Gives each invocation a worker of its own, and starts up to ``concurrency`` of them.

    A worker that cannot be started holds back further starts (:class:`handlers.workers.population.StartGate`): invocations wait
    meanwhile, which holds back their sources too, and then fail with Lambda's own error document.

    Each worker's life is a task in ``tasks``, which outlives the pool's :meth:`stop`.
    """

    def __init__(self, setup: Setup, concurrency: int, gate: StartGate, scratch: Path, tasks: TaskGroup) -> None:
        self._setup = setup
        self._concurrency = concurrency
        self._gate = gate
        self._scratch = scratch
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._living: set[Worker] = set()
        self._idle: list[Worker] = []
        self._waiters: deque[_Waiter] = deque()
        self._gate_timer: asyncio.TimerHandle | None = None
        self._running = True
        self._proving = False
        self.started_total = 0
        self.problem: str | None = None
        """Why workers cannot be started, if they cannot."""

    @property
    def living(self) -> int:
        """Workers that have been started and are not gone."""
        return len(self._living)

    @property
    def busy(self) -> int:
        """Workers that run an invocation."""
        return sum(worker.busy for worker in self._living)

    async def invoke(self, event: bytes, request_id: str, call: Call = PLAIN) -> Invocation:
        """Run one invocation on an idle worker, or on one that becomes free or is started."""
        waiting_since = self._loop.time()
        while self._running:
            worker = self._take_idle()
            if worker is None:
                waiter = _Waiter(request_id, self._loop.create_future())
                granted = await self._wait(waiter)
                if not isinstance(granted, Worker):
                    return Invocation(request_id, granted, self._loop.time() - waiting_since, waiter.log)
                worker = granted
            if worker.available:  # it may have died between the grant and this turn of the loop
                if call.may_begin is not None and not call.may_begin():
                    self.worker_ready(worker)
                    return Invocation(request_id, InfrastructureError(TOO_LATE), self._loop.time() - waiting_since)
                return await worker.invoke(event, request_id, call)
        return Invocation(request_id, self._stopping(), 0.0)

    async def prove(self) -> FunctionError | InfrastructureError | None:
        """Start a worker, which is kept for the first invocation; why it cannot be started, if it cannot: that is not logged."""
        waiter = _Waiter("", self._loop.create_future())
        self._proving = True
        try:
            granted = await self._wait(waiter)
        finally:
            self._proving = False
        if not isinstance(granted, Worker):
            return granted
        if granted.available:
            self.worker_ready(granted)
        return None

    async def stop(self) -> None:
        """Start no more workers, fail whoever waits, end every worker and wait for that."""
        self._running = False
        if self._gate_timer is not None:
            self._gate_timer.cancel()
        self._fail_waiters(lambda _: self._stopping())
        for worker in list(self._living):
            worker.stop()
        with anyio.move_on_after(2 * KILL_SECONDS):
            for worker in list(self._living):
                await worker.gone.wait()

    def _stopping(self) -> InfrastructureError:
        return InfrastructureError(f"function {self._setup.function_name} is being stopped")

    # Called by workers (handlers.workers.worker.Owner)

    def worker_ready(self, worker: Worker) -> None:
        """Give the worker to whoever waits longest, or keep it warm."""
        self._gate.ready()
        self.problem = None
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.granted.done():
                waiter.granted.set_result(worker)
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

    async def _wait(self, waiter: _Waiter) -> _Granted:
        self._waiters.append(waiter)
        self._balance()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if (
                not waiter.granted.cancelled()
                and isinstance(given := waiter.granted.result(), Worker)
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
            worker = Worker(self._setup, self, self._scratch / f"worker-{self.started_total}")
            self.started_total += 1
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
            concurrency=self._concurrency,
        )

    async def _run_worker(self, worker: Worker) -> None:
        try:
            await worker.run()
        except Exception:
            # A fault of ours. The worker is gone and has been accounted for, so its function goes on, held back by the gate.
            self._setup.log.exception("worker failed unexpectedly")

    def _start_failed(self, worker: Worker, now: float) -> None:
        self._gate.start_failed(worker.started_at, now)
        failure = worker.failure("")
        problem = failure.message.removeprefix("RequestId:  Error: ")
        if problem != self.problem:
            # Logged once: the same failure again is not news, and the function's status goes on showing it.
            self.problem = problem
            if not self._proving:
                self._setup.log.error("worker could not be started", problem=problem)
        if not any(other.available or other.busy or other.starting or other.finishing for other in self._living):
            self._fail_waiters(worker.failure, worker.init_log())

    def _fail_waiters(
        self, failure: Callable[[str], FunctionError | InfrastructureError], log: tuple[str, ...] = ()
    ) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.granted.done():
                waiter.log = log
                waiter.granted.set_result(failure(waiter.request_id))

    # Side tasks

    async def stop_idle(self, idle_timeout_seconds: float) -> None:
        """Stop workers that have been idle for too long."""
        while True:
            await anyio.sleep(min(_LOOK_FOR_IDLE_SECONDS, idle_timeout_seconds / 2))
            now = self._loop.time()
            for worker in [worker for worker in self._idle if now - worker.idle_since >= idle_timeout_seconds]:
                self._idle.remove(worker)
                worker.stop()

    async def watch_memory(self) -> None:
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
