"""One worker's life: its endpoint, its process, its invocations one after another, and its end.

::

    started --asks for an invocation--> ready --is given one--> running --answers--> finishing --asks again--> ready
       |                                  |                        |                     |
       +---- too slow, reports an error --+-- told to stop --------+-- times out, dies --+-- never asks again --> gone

The states are those of the runtime (:class:`handlers.runtime_api.api.RuntimeState`), which its client moves by its calls. Whatever
ends a worker, :meth:`Worker.run` sees the end of its process and is where everything of it is put away, in one order.
"""

from __future__ import annotations

import asyncio
import shutil
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel
from anyio import CancelScope, to_thread

from handlers import error_documents
from handlers.function import PLAIN, FunctionError, InfrastructureError, Invocation, Result
from handlers.runtime_api import Connection, RuntimeApi, RuntimeState, is_workers_own
from handlers.system import require_room
from handlers.workers.assignment import Assignment
from handlers.workers.endpoint import Endpoint
from handlers.workers.memory_gauge import MemoryGauge
from handlers.workers.output import WorkerOutput
from handlers.workers.population import init_limit_seconds
from handlers.workers.process import Exit, WorkerProcess
from handlers.workers.start import Start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from handlers.function import Call
    from handlers.runtime_api import StreamedResponse
    from handlers.workers.setup import Setup

TERMINATE_SECONDS = 0.5
"""How long a worker is given between SIGTERM and SIGKILL when Headrace lets go of it."""

DESCRIPTORS = 8
"""What a worker takes of them: its endpoint and connection, its streams, its keeper; a few of these only while it starts."""

_CLOSE_SECONDS = 0.05  # between SIGTERM and the end of the long poll: the signal comes first
_INIT_ERROR_SECONDS = 1.0  # for a worker that reported an error of its initialisation to end by itself
_LEAST_FINISH_SECONDS = 1.0
_BROKEN_OFF_SECONDS = 1.0  # for a worker whose connection broke in the middle of a streamed answer to be seen dead
_LAST_WORDS_SECONDS = 0.5  # for what a dead worker has streamed to be read


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


class Worker:
    """One worker process and its endpoint. :meth:`run` is its whole life; everything else happens meanwhile."""

    def __init__(self, setup: Setup, owner: Owner, scratch: Path) -> None:
        self._setup = setup
        self._owner = owner
        self._scratch = scratch
        self._loop = asyncio.get_running_loop()
        self._api = RuntimeApi(self, self._allows)
        self._endpoint = Endpoint(self._api)
        self._process: WorkerProcess | None = None
        self._output = WorkerOutput(setup.log_rules, lambda: self.pid)
        self._assignment: Assignment | None = None
        self._memory = MemoryGauge(setup.limits.memory_limit_mib)
        self._start = Start()
        self._deadline: asyncio.TimerHandle | None = None  # of initialisation, or of asking for the next invocation
        self._ending = False
        self._exit = Exit(None, "it was never started")
        self.started_at = self._loop.time()
        self.idle_since = 0.0
        self.gone = asyncio.Event()

    @property
    def available(self) -> bool:
        """It waits for an invocation and would get it."""
        return self._api.available and not self._ending

    @property
    def busy(self) -> bool:
        """It runs an invocation."""
        return self._assignment is not None and self._api.running and not self.gone.is_set()

    @property
    def was_ready(self) -> bool:
        """It has asked for an invocation at least once."""
        return self._start.ready

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
        return self._api.running and not self._ending

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
        try:
            require_room(DESCRIPTORS)
            await self._endpoint.open()
            async with self._setup.turn:
                await anyio.lowlevel.checkpoint()
            if self._ending:
                return
            process = self._start_process(self._endpoint.address)
            self._exit = await process.wait()
        except OSError as error:
            self._exit = Exit(None, str(error))
        finally:
            with CancelScope(shield=True):
                await self._end()

    async def invoke(self, event: bytes, request_id: str, call: Call = PLAIN) -> Invocation:
        """Run one invocation; the worker must be :attr:`available`. Cancelled, it returns when the worker is dead."""
        log = self._output.begin(request_id)
        assignment = Assignment(request_id, self._loop.create_future(), perf_counter(), log)
        self._assignment = assignment
        self._api.deliver(self._setup.deliveries.make(event, request_id, call))
        timer = self._loop.call_later(self._setup.limits.timeout_seconds, self._time_out, assignment)
        streamed = False
        try:
            if call.stream is not None:
                streamed = await assignment.pass_on(call.stream)
            result = await assignment.result
        except BaseException:
            # It was not answered: the future was cancelled with its caller, or is now, where the caller was at its stream.
            if assignment.result.cancel() or assignment.result.cancelled():
                self.kill()
                with CancelScope(shield=True):
                    await self.gone.wait()
            raise
        finally:
            timer.cancel()
        if self._output.behind:
            await self._output.caught_up()
        return self._conclude(assignment, result, streamed=streamed)

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
        return self._start.failure(request_id, self._exit)

    def init_log(self) -> tuple[str, ...]:
        """What it wrote before its first invocation."""
        return self._output.init_log()

    def check_memory(self, families: Mapping[int, list[int]]) -> None:
        """Kill the worker if it and all that it started (below its keeper, say ``families``) hold more than ``memory_size``."""
        keeper, pid = self.keeper_pid, self.pid
        if self._ending or keeper is None or pid is None:
            return
        held = self._memory.beyond_limit(pid, keeper, families)
        if held is not None:
            self._kill_for_memory(held)

    def _kill_for_memory(self, held_mib: int) -> None:
        """The invocation that runs fails of it, or the start; between invocations it is nobody's failure."""
        request_id = self._assignment.request_id if self._assignment is not None else ""
        error = error_documents.exited(request_id, "signal: killed", error_type=error_documents.OUT_OF_MEMORY)
        if self.busy:
            assert self._assignment is not None  # noqa: S101 - busy says so
            self._assignment.verdict = error
            self._api.abandon()
        elif self.starting:
            self._start.error = error
        else:
            told = "worker held more than its memory_size between invocations: it is replaced"
            self._setup.log.warning(told, pid=self.pid, held_mib=held_mib)
        self.kill()

    # What the Runtime API tells (handlers.runtime_api.api.RuntimeObserver)

    def runtime_ready(self) -> None:
        """The worker waits for an invocation."""
        if self._ending:
            return
        self._set_deadline(None)
        self._start.succeed()
        self._owner.worker_ready(self)

    def runtime_left(self) -> None:
        """The worker's long poll was cut: it may come back, or it is about to be seen dead."""
        self._owner.worker_unready(self)
        if not self._ending:
            self._set_deadline(init_limit_seconds(self._setup.limits.timeout_seconds), self.kill)

    def runtime_responded(self, result: Result) -> None:
        """The worker answered its invocation."""
        assignment = self._assignment
        if assignment is None or not assignment.open:
            return
        self._output.answered()
        assignment.answer(result)
        self._owner.worker_answered(self)
        if self._ending:
            return
        left = self._setup.limits.timeout_seconds - assignment.duration_seconds
        self._set_deadline(max(_LEAST_FINISH_SECONDS, left), self._never_finishes)

    def runtime_failed_to_initialise(self, error: FunctionError) -> None:
        """The worker reported that it cannot start."""
        self._start.error = error
        if not self._ending:
            self._set_deadline(_INIT_ERROR_SECONDS, self.kill)

    def runtime_streams(self, response: StreamedResponse) -> None:
        """The worker answers piece by piece, and its caller has a stream for that."""
        if self._assignment is not None:
            self._assignment.stream(response)

    def runtime_broke_off(self) -> None:
        """The connection by which it answered is gone: it is about to be seen dead, or it will never end its answer."""
        if not self._ending:
            self._set_deadline(_BROKEN_OFF_SECONDS, self._never_ends_its_answer)

    # Starting and ending

    def _start_process(self, runtime_api: str) -> WorkerProcess:
        self._scratch.mkdir(parents=True)
        launch = self._setup.launch(runtime_api, self._scratch)
        self._set_deadline(init_limit_seconds(self._setup.limits.timeout_seconds), self._init_too_slow)
        stdout, stderr, frames = self._output.open(framed=launch.framed)
        self._process = process = WorkerProcess.start(launch, stdout=stdout, stderr=stderr, frames=frames)
        self._output.started()
        return process

    async def _end(self) -> None:
        """Put everything away. The order matters.

        The process first, so that nothing writes any more; then what it wrote, so that it is in its invocation's log; then the
        owner hears of the end (and may start another worker), and last the invocation gets its result: whoever waited for it finds
        a function that knows that this worker is gone.
        """
        if self._process is not None:
            self._process.kill()
            self._exit = await self._process.wait()
        if self._api.streaming:
            # What it wrote is still to be read, unless nobody takes what is there already.
            await self._endpoint.left(_LAST_WORDS_SECONDS)
        self._api.abandon()
        self._endpoint.close()
        self._output.close()
        self._set_deadline(None)
        self._memory.ended(self._exit.max_rss_kib)
        await self._output.caught_up()
        self.gone.set()
        self._owner.worker_gone(self)
        if self._assignment is not None and self._assignment.open:
            self._assignment.end_with_worker(self._exit.reason)
        self._ending = True
        await self._output.flush()
        await to_thread.run_sync(shutil.rmtree, self._scratch, True)

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

    def _time_out(self, assignment: Assignment) -> None:
        if not assignment.open:
            return
        assignment.time_out(self._setup.limits.timeout_seconds)
        self._api.abandon()
        self.kill()

    def _init_too_slow(self) -> None:
        limit = init_limit_seconds(self._setup.limits.timeout_seconds)
        self._start.error = error_documents.timed_out(limit, "")
        self.kill()

    def _never_ends_its_answer(self) -> None:
        if self._assignment is not None and self._assignment.open:
            self._assignment.break_off()
        self.kill()

    def _never_finishes(self) -> None:
        self._setup.log.warning("worker answered but never asked for its next invocation: it is replaced", pid=self.pid)
        self.kill()

    # Report

    def _conclude(self, assignment: Assignment, result: Result, *, streamed: bool) -> Invocation:
        if self.pid is not None:
            self._memory.sample(self.pid, self._loop.time())
        init_seconds = self._start.unreported_seconds()
        report = assignment.report(self._setup.limits.memory_size_mib, self._memory.peak_mib, init_seconds)
        verdict = assignment.verdict
        self._output.conclude(assignment.log, report, verdict.message if verdict is not None else None)
        log = assignment.log.tail.lines()
        if init_seconds is not None:  # what it wrote while it started belongs to its first invocation
            log = self._output.init_log() + log
        return Invocation(assignment.request_id, result, assignment.duration_seconds, log, streamed, reported=True)
