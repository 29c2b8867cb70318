"""One worker's life: its endpoint, its process, its invocations one after another, its log and its end."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel
from anyio import CancelScope, to_thread

from handlers import error_documents
from handlers.function import FunctionError, InfrastructureError, Invocation, Result
from handlers.runtime_api.api import RESPONSE_LIMIT_BYTES, Delivery, RuntimeApi, RuntimeState
from handlers.runtime_api.http import Connection
from handlers.runtime_api.peers import is_workers_own
from handlers.system import process_tree
from handlers.system.descriptor_limit import require_room
from handlers.workers import memory as worker_memory
from handlers.workers.output import InvocationLog, LogRules, WorkerOutput
from handlers.workers.population import init_limit_seconds
from handlers.workers.process import Exit, Launch, WorkerProcess
from handlers.workers.report import Report

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

TERMINATE_SECONDS = 0.5
"""How long a worker is given between SIGTERM and SIGKILL when Headrace lets go of it."""

DESCRIPTORS = 8
"""What a worker takes of them: its endpoint and connection, its streams, its keeper; a few of these only while it starts."""

_CLOSE_SECONDS = 0.05  # between SIGTERM and the end of the long poll: the signal comes first
_INIT_ERROR_SECONDS = 1.0  # for a worker that reported an error of its initialisation to end by itself
_LEAST_FINISH_SECONDS = 1.0
_MEMORY_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Setup:
    """What all workers of one function share."""

    function_name: str
    function_arn: str
    timeout_seconds: float
    memory_limit_mib: int | None
    memory_size_mib: int
    launch: Callable[[str, Path], Launch]
    """Makes the command and environment for a worker whose endpoint (``host:port``) and scratch folder are given."""
    framed: bool
    """Whether the runtime writes AWS's frames (:mod:`handlers.logs.frames`) if it is given a descriptor for them."""
    log: FilteringBoundLogger
    log_rules: LogRules
    wall_clock: Callable[[], float]
    random: random.Random
    turn: anyio.Lock
    """Starting a process holds the event loop for a millisecond or two: one worker in each turn of it."""


class Owner(Protocol):
    """The pool that a worker belongs to."""

    def worker_ready(self, worker: Worker) -> None:
        """It waits for an invocation."""

    def worker_unready(self, worker: Worker) -> None:
        """It waited for an invocation and does no longer."""

    def worker_answered(self, worker: Worker) -> None:
        """It answered an invocation."""

    def worker_gone(self, worker: Worker) -> None:
        """Nothing of it is left."""


@dataclass(slots=True)
class _Assignment:
    """The invocation that a worker runs, or ran last. Its times are ``perf_counter``'s: uvloop's clock counts milliseconds."""

    request_id: str
    result: asyncio.Future[Result]
    started_at: float
    log: InvocationLog
    verdict: FunctionError | None = None
    """What became of it if the worker did not answer."""
    ended_at: float = 0.0


class Worker:
    """One worker process and its endpoint. :meth:`run` is its whole life; everything else happens meanwhile."""

    def __init__(self, setup: Setup, owner: Owner, scratch: Path) -> None:
        self._setup = setup
        self._owner = owner
        self._scratch = scratch
        self._loop = asyncio.get_running_loop()
        self._api = RuntimeApi(self, self._allows)
        self._connections: set[Connection] = set()
        self._process: WorkerProcess | None = None
        self._output = WorkerOutput(setup.log_rules, lambda: self.pid)
        self._assignment: _Assignment | None = None
        self._init_error: FunctionError | None = None
        self._init_seconds: float | None = None
        self._deadline: asyncio.TimerHandle | None = None  # of initialisation, or of asking for the next invocation
        self._ending = False
        self._exit = Exit(None, "it was never started")
        self._memory_mib = 0
        self._memory_sampled_at = float("-inf")
        self.started_at = self._loop.time()
        self._begun_at = perf_counter()
        self.idle_since = 0.0
        self.was_ready = False
        self.gone = asyncio.Event()

    @property
    def available(self) -> bool:
        """It waits for an invocation and would get it."""
        return self._api.available and not self._ending

    @property
    def busy(self) -> bool:
        """It runs an invocation."""
        return self._assignment is not None and self._api.state is RuntimeState.RUNNING and not self.gone.is_set()

    @property
    def starting(self) -> bool:
        """It has not yet asked for its first invocation."""
        return not self.was_ready and not self._ending

    @property
    def finishing(self) -> bool:
        """It has answered and not yet asked for more."""
        return self._api.state is RuntimeState.RESPONSE_SENT and not self._ending

    @property
    def crashed(self) -> bool:
        """It ended by itself while it ran an invocation."""
        return self._api.state is RuntimeState.RUNNING and not self._ending

    @property
    def pid(self) -> int | None:
        """The worker's process, once it is started."""
        return self._process.pid if self._process is not None else None

    @property
    def keeper_pid(self) -> int | None:
        """The keeper of its process, below which all is that the worker starts."""
        return self._process.keeper_pid if self._process is not None else None

    async def run(self) -> None:
        """Start the worker and wait for its end. Cancelled, it kills the worker first."""
        server: asyncio.Server | None = None
        try:
            require_room(DESCRIPTORS)
            server = await self._loop.create_server(self._connection, "127.0.0.1", 0)
            async with self._setup.turn:
                await anyio.lowlevel.checkpoint()
            if self._ending:
                return
            if not server.sockets:  # it could not listen after all: uvloop says so only in this way
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            self._start(server.sockets[0].getsockname()[1])
            assert self._process is not None  # noqa: S101 - _start has just made it
            self._exit = await self._process.wait()
        except OSError as error:
            self._exit = Exit(None, str(error))
        finally:
            with CancelScope(shield=True):
                await self._end(server)

    async def invoke(self, event: bytes, request_id: str) -> Invocation:
        """Run one invocation; the worker must be :attr:`available`. Cancelled, it returns when the worker is dead."""
        log = self._output.begin(request_id)
        assignment = _Assignment(request_id, self._loop.create_future(), perf_counter(), log)
        self._assignment = assignment
        self._api.deliver(self._delivery(event, request_id))
        timer = self._loop.call_later(self._setup.timeout_seconds, self._time_out, assignment)
        try:
            result = await assignment.result
        except asyncio.CancelledError:
            if assignment.result.cancelled():  # it was not answered
                self.kill()
                with CancelScope(shield=True):
                    await self.gone.wait()
            raise
        finally:
            timer.cancel()
        if self._output.behind:
            await self._output.caught_up()
        return self._conclude(assignment, result)

    def stop(self) -> None:
        """Ask the worker to end, and kill it if it does not at once."""
        if self._ending:
            return
        self._ending = True
        self._output.ending()
        if self._process is not None:
            self._process.terminate()
            self._loop.call_later(_CLOSE_SECONDS, self._api.close)
            self._set_deadline(TERMINATE_SECONDS, self._process.kill)

    def kill(self) -> None:
        """Kill the worker whole. :attr:`gone` is set when it is dead."""
        self._ending = True
        if self._process is not None:
            self._process.kill()

    def failure(self, request_id: str) -> FunctionError | InfrastructureError:
        """Why it never became ready, for an invocation that waited for it. Only once it is :attr:`gone`."""
        if self._init_error is not None:
            return self._init_error
        if self._exit.error is not None:
            return InfrastructureError(f"the worker could not be started: {self._exit.error}")
        return error_documents.exited(request_id, self._exit.reason)

    def init_log(self) -> tuple[str, ...]:
        """What it wrote before its first invocation."""
        return self._output.init_log()

    def check_memory(self, families: Mapping[int, list[int]]) -> None:
        """Kill the worker if all that it started and it (below its keeper, say ``families``) hold more than ``memory_size``."""
        limit, keeper = self._setup.memory_limit_mib, self.keeper_pid
        if limit is None or self._ending or keeper is None or self.pid is None:
            return
        held = worker_memory.held_mib(families.get(keeper) or [self.pid], limit)
        if held > limit:  # told exactly before anything is killed
            held = worker_memory.held_mib(process_tree.descendants(keeper) or [self.pid], limit)
        self._memory_mib = max(self._memory_mib, held)
        if held <= limit:
            return
        request_id = self._assignment.request_id if self._assignment is not None else ""
        error = error_documents.exited(request_id, "signal: killed", error_type=error_documents.OUT_OF_MEMORY)
        if self.busy:
            assert self._assignment is not None  # noqa: S101 - busy says so
            self._assignment.verdict = error
            self._api.abandon()
        elif self.starting:
            self._init_error = error
        else:
            told = "worker held more than its memory_size between invocations: it is replaced"
            self._setup.log.warning(told, pid=self.pid, held_mib=held)
        self.kill()

    # What the Runtime API tells (handlers.runtime_api.api.Worker)

    def runtime_ready(self) -> None:
        """The worker waits for an invocation."""
        if self._ending:
            return
        self._set_deadline(None)
        if not self.was_ready:
            self.was_ready = True
            self._init_seconds = perf_counter() - self._begun_at
        self._owner.worker_ready(self)

    def runtime_left(self) -> None:
        """The worker's long poll was cut: it may come back, or it is about to be seen dead."""
        self._owner.worker_unready(self)
        if not self._ending:
            self._set_deadline(init_limit_seconds(self._setup.timeout_seconds), self.kill)

    def runtime_responded(self, result: Result) -> None:
        """The worker answered its invocation."""
        assignment = self._assignment
        if assignment is None or assignment.result.done():
            return
        self._output.answered()
        assignment.ended_at = perf_counter()
        assignment.result.set_result(result)
        self._owner.worker_answered(self)
        if self._ending:
            return
        left = assignment.started_at + self._setup.timeout_seconds - assignment.ended_at
        self._set_deadline(max(_LEAST_FINISH_SECONDS, left), self._never_finishes)

    def runtime_failed_to_initialise(self, error: FunctionError) -> None:
        """The worker reported that it cannot start."""
        self._init_error = error
        if not self._ending:
            self._set_deadline(_INIT_ERROR_SECONDS, self.kill)

    # Starting and ending

    def _start(self, port: int) -> None:
        self._scratch.mkdir(parents=True)
        launch = self._setup.launch(f"127.0.0.1:{port}", self._scratch)
        self._set_deadline(init_limit_seconds(self._setup.timeout_seconds), self._init_too_slow)
        stdout, stderr, frames = self._output.open(framed=self._setup.framed)
        self._process = WorkerProcess.start(launch, stdout=stdout, stderr=stderr, frames=frames)
        self._output.started()

    async def _end(self, server: asyncio.Server | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._exit = await self._process.wait()
        if server is not None:
            server.close()
        for connection in list(self._connections):
            connection.abort()
        self._output.close()
        self._set_deadline(None)
        self._memory_mib = max(self._memory_mib, self._exit.max_rss_kib // 1024)
        await self._output.caught_up()
        self.gone.set()
        self._owner.worker_gone(self)
        self._settle()
        self._ending = True
        await self._output.flush()
        await to_thread.run_sync(shutil.rmtree, self._scratch, True)

    def _settle(self) -> None:
        """Whatever it ran ended with it."""
        assignment = self._assignment
        if assignment is None or assignment.result.done():
            return
        if not assignment.ended_at:
            assignment.ended_at = perf_counter()
        if assignment.verdict is None:
            assignment.verdict = error_documents.exited(assignment.request_id, self._exit.reason)
        assignment.result.set_result(assignment.verdict)

    def _connection(self) -> Connection:
        return Connection(self._api, RESPONSE_LIMIT_BYTES, self._connections)

    def _allows(self, connection: object) -> bool:
        pid, keeper = self.pid, self.keeper_pid
        if pid is None or keeper is None or not isinstance(connection, Connection):
            return False
        return is_workers_own(pid, keeper, *connection.peer)

    # Time

    def _set_deadline(self, seconds: float | None, action: Callable[[], None] | None = None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None and action is not None:
            self._deadline = self._loop.call_later(seconds, action)

    def _time_out(self, assignment: _Assignment) -> None:
        if assignment.result.done():
            return
        assignment.ended_at = perf_counter()
        assignment.verdict = error_documents.timed_out(self._setup.timeout_seconds, assignment.request_id)
        self._api.abandon()
        self.kill()

    def _init_too_slow(self) -> None:
        limit = init_limit_seconds(self._setup.timeout_seconds)
        self._init_error = error_documents.timed_out(limit, "")
        self.kill()

    def _never_finishes(self) -> None:
        self._setup.log.warning("worker answered but never asked for its next invocation: it is replaced", pid=self.pid)
        self.kill()

    # Log and report

    def _delivery(self, event: bytes, request_id: str) -> Delivery:
        bits, now = self._setup.random.getrandbits, self._setup.wall_clock()
        return Delivery(
            request_id=request_id,
            invocation_id=f"{bits(128):032x}",
            deadline_ms=int((now + self._setup.timeout_seconds) * 1000),
            function_arn=self._setup.function_arn,
            trace_id=f"Root=1-{int(now):08x}-{bits(96):024x};Parent={bits(64):016x};Sampled=0",
            event=event,
        )

    def _conclude(self, assignment: _Assignment, result: Result) -> Invocation:
        duration = assignment.ended_at - assignment.started_at
        status = error_type = None
        verdict = assignment.verdict
        if verdict is not None:
            timed_out = verdict.error_type == error_documents.TIMED_OUT
            status, error_type = ("timeout", None) if timed_out else ("error", verdict.error_type)
        report = Report(
            assignment.request_id,
            duration,
            self._setup.memory_size_mib,
            self._max_memory_mib(),
            self._init_seconds,
            status,
            error_type,
        )
        self._output.conclude(assignment.log, report, verdict.message if verdict is not None else None)
        log = assignment.log.tail.lines()
        if self._init_seconds is not None:
            log, self._init_seconds = self._output.init_log() + log, None
        return Invocation(assignment.request_id, result, duration, log)

    def _max_memory_mib(self) -> int:
        now, pid = self._loop.time(), self.pid
        if pid is not None and now - self._memory_sampled_at >= _MEMORY_SAMPLE_SECONDS:
            self._memory_sampled_at = now
            self._memory_mib = max(self._memory_mib, worker_memory.resident_mib(pid))
        limit = self._setup.memory_limit_mib
        return self._memory_mib if limit is None else min(self._memory_mib, limit)
