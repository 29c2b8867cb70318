"""Functions that run inside Headrace, on an event loop and threads of their own (docs/design, decision 5)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, TypeAlias

import anyio
import structlog
from anyio import to_thread

from handlers import error_documents
from handlers.errors import FunctionUnusable
from handlers.function import PLAIN, FunctionError, FunctionStatus, Invocation, Result, Throttle
from handlers.function import Call as DirectCall
from handlers.in_process.calls import Call, failure
from handlers.in_process.context import LambdaContext, Surroundings
from handlers.in_process.loading import load
from handlers.in_process.loops import Loop
from handlers.in_process.threads import Threads
from handlers.logs import admit, least_level, readable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import config.models as models
    from handlers.copies import Copies

INIT_SECONDS = 120.0
"""How long importing the code may take at the start."""

STOP_SECONDS = 0.25
"""How long an invocation that was stopped is given to end before it is abandoned."""

CLOSE_SECONDS = 2.0
"""How long threads are given to end when the function is left. They are daemons, so none delays the end of the process."""

ERRORS_A_SECOND = 10
"""How many failed invocations are logged in a second; more would say nothing new."""

BLOCKED_LOOPS = 4
"""How many blocked event loops may be left behind at a time."""


Runner: TypeAlias = Loop | Threads
"""What runs the calls of one loaded handler, with the same methods."""


class InProcessFunction:
    """``def`` or ``async def handler(event, context)`` of a folder, as a :class:`handlers.function.Function`.

    User code never runs on the caller's loop: it is loaded, given its parsed event and has its answer serialised in threads
    of its own. Those cannot be killed. What does not end ``STOP_SECONDS`` after it was stopped is abandoned: it runs on
    beside its replacement, its result is ignored, and from ``abandoned_limit`` on (or ``BLOCKED_LOOPS`` blocked event
    loops) the function is not invoked (:class:`Throttle`) until some have ended.
    """

    def __init__(self, name: str, arn: str, model: models.InProcessFunction) -> None:
        self.name = name
        self.arn = arn
        self.concurrency = model.concurrency
        self.timeout_seconds = model.timeout
        self.abandoned_limit = max(4, model.concurrency)
        self._code = model.code.absolute()
        self._copies: Copies | None = None
        self._copy: Path | None = None
        self._handler = model.handler
        self._surroundings = Surroundings(name, arn, log_group=model.logging_config.log_group)
        self._level = least_level(model.logging_config)
        self._runner: Runner | None = None
        self._left_behind: list[Runner] = []
        self._started_before = 0
        self._busy = 0
        self._closed = False
        self._log = structlog.get_logger(__name__).bind(function=name)
        self._errors_since = 0.0
        self._errors = 0

    async def __aenter__(self) -> InProcessFunction:
        self._loop = asyncio.get_running_loop()
        if self._copies is not None:
            folder = await to_thread.run_sync(self._copies.of, self.name, self._code, lambda own, target: own)
            self._copy = folder if folder != self._code else None
        self._begin()
        try:
            with anyio.move_on_after(INIT_SECONDS):
                await asyncio.wait({self._ready})
        finally:
            self._closed = not self._ready.done()  # then nobody will leave: the thread ends when the import does
        if self._closed:
            raise FunctionUnusable(
                f"function {self.name}: importing {self._handler} from {self._code} takes more than {INIT_SECONDS:.0f} s; "
                "work that takes long belongs into the handler, or into runtime: python"
            )
        found = self._ready.result()
        if isinstance(found, FunctionUnusable):
            raise found
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        runners = self._runners()
        for runner in runners:
            runner.close()
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            while any(runner.alive() for runner in runners):  # noqa: ASYNC110 - a thread's end sets no event
                await anyio.sleep(0.005)
        for runner in runners:
            runner.handler.namespace.unload()

    def run_copies(self, copies: Copies) -> None:
        """Run a copy of the code (:class:`handlers.function.Copied`)."""
        self._copies = copies

    async def invoke(self, event: bytes, *, request_id: str, call: DirectCall = PLAIN) -> Invocation:
        """Run the handler once. See :meth:`handlers.function.Function.invoke`.

        A cancelled ``async def`` handler is cancelled; a ``def`` handler that blocks is abandoned.
        """
        begun = time.perf_counter()  # uvloop's own clock only counts milliseconds
        self._busy += 1
        try:
            result, log = await self._invoke(event, request_id, call.client_context)
        finally:
            self._busy -= 1
        if isinstance(result, FunctionError):
            log = (*log, self._log_error(result, request_id))
        return Invocation(request_id, result, time.perf_counter() - begun, log)

    def status(self) -> FunctionStatus:
        """Threads as workers; ``problem`` tells of invocations that were stopped and still run, and of failed reloads."""
        runner = self._runner
        return FunctionStatus(
            workers=runner.workers if runner else 0,
            busy=self._busy,
            started_total=self._started_before + (runner.started_total if runner else 0),
            problem=self._problem(),
        )

    async def _invoke(
        self, event: bytes, request_id: str, client_context: str | None
    ) -> tuple[Result, tuple[str, ...]]:
        runner = self._runner
        if runner is None or self._left_behind or runner.lost():
            found = await self._usable(request_id)
            if not isinstance(found, (Loop, Threads)):
                return found, ()
            runner = found
        try:
            context = LambdaContext(self._surroundings, request_id, self.timeout_seconds, client_context)
        except Exception as error:
            return failure(error, request_id), ()
        waiter: asyncio.Future[Result | None] = self._loop.create_future()
        call = Call(event, context, waiter, self._level)
        timer = self._loop.call_later(self.timeout_seconds, call.expire)
        runner.submit(call)
        try:
            result = await waiter
        except asyncio.CancelledError:
            await self._stop(runner, call)
            raise
        finally:
            timer.cancel()
        if result is None:
            await self._stop(runner, call)
            result = error_documents.timed_out(self.timeout_seconds, request_id)
        return result, call.tail.lines()

    def _log_error(self, error: FunctionError, request_id: str) -> str:
        """Log a failure as Lambda's Python runtime does: in process there is no output of a worker that would have it."""
        now = self._loop.time()
        if now - self._errors_since >= 1:
            self._errors_since, self._errors = now, 0
        self._errors += 1
        text = readable(error_documents.log_text(error))
        if self._errors <= ERRORS_A_SECOND:
            self._log.error(text, request_id=request_id)
        return text

    async def _stop(self, runner: Runner, call: Call) -> None:
        runner.interrupt(call)
        if call.finished:
            return
        call.ended = self._loop.create_future()
        try:
            with anyio.move_on_after(STOP_SECONDS, shield=True):
                await asyncio.wait({call.ended})
        finally:
            runner.abandon(call)

    async def _usable(self, request_id: str) -> Runner | Result:
        """The runner, where something was left behind: unless that is too much, and once a replacement is there."""
        self._forget_ended()
        reason = self._full()
        if reason is not None:
            return Throttle(reason, retry_after_seconds=1.0)
        if self._runner is None:
            if self._ready.done():  # the last attempt to load the code anew has failed
                self._begin()
            await asyncio.wait({self._ready}, timeout=self.timeout_seconds)
            if not self._ready.done():
                return error_documents.timed_out(self.timeout_seconds, request_id)
        found = self._ready.result()
        if isinstance(found, FunctionUnusable):
            return error_documents.raised("Runtime.ImportModuleError", str(found), [], "")
        return found

    def _full(self) -> str | None:
        lost = self._lost()
        if lost >= self.abandoned_limit:
            return f"{lost} stopped invocations of {self.name} still run; at most {self.abandoned_limit} may"
        if len(self._left_behind) >= BLOCKED_LOOPS:
            return f"{len(self._left_behind)} event loops of {self.name} are blocked; at most {BLOCKED_LOOPS} may be"
        return None

    def _problem(self) -> str | None:
        self._forget_ended()
        if self._runner is None and self._ready.done() and isinstance(error := self._ready.result(), FunctionUnusable):
            return str(error)
        said = []
        if lost := self._lost():
            said.append(f"{lost} stopped invocations still run (at most {self.abandoned_limit})")
        if self._left_behind:
            said.append(f"{len(self._left_behind)} event loops blocked by the handler (at most {BLOCKED_LOOPS})")
        return "; ".join(said) or None

    def _lost(self) -> int:
        return sum(runner.lost() for runner in self._runners())

    def _runners(self) -> list[Runner]:
        return self._left_behind if self._runner is None else [*self._left_behind, self._runner]

    def _forget_ended(self) -> None:
        for runner in [runner for runner in self._left_behind if not runner.alive()]:
            self._left_behind.remove(runner)
            runner.handler.namespace.unload()

    def _begin(self) -> None:
        """Load the code in a thread of its own, which then serves."""
        self._ready: asyncio.Future[Runner | FunctionUnusable] = self._loop.create_future()
        threading.Thread(
            target=self._initialise, args=(self._ready,), name=f"function-{self.name}", daemon=True
        ).start()

    def _initialise(self, ready: asyncio.Future[Runner | FunctionUnusable]) -> None:
        try:
            runner = self._loaded()
        except FunctionUnusable as error:
            self._hand_over(ready, error)
        except BaseException as error:  # nobody else would tell whoever waits: no descriptor for a loop, say
            self._log.exception("function could not be started")
            problem = f"function {self.name}: it could not be started: {type(error).__name__}: {error}"
            self._hand_over(ready, FunctionUnusable(problem))
        else:
            if self._hand_over(ready, runner):
                runner.serve()

    def _loaded(self) -> Runner:
        runner: Runner
        handler = load(self.name, self._code, self._handler, self._copy)
        admit(handler.namespace.name, self._level)
        if handler.is_async:
            runner = Loop(handler, self._loop, self._replace)
        else:
            runner = Threads(handler, self._loop, f"function-{self.name}")
        runner.adopt()
        return runner

    def _hand_over(self, ready: asyncio.Future[Runner | FunctionUnusable], found: Runner | FunctionUnusable) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._adopt, ready, found)
        except RuntimeError:  # the loop has been closed meanwhile
            return False
        return True

    def _adopt(self, ready: asyncio.Future[Runner | FunctionUnusable], found: Runner | FunctionUnusable) -> None:
        if self._closed:
            if not isinstance(found, FunctionUnusable):
                found.close()
                found.handler.namespace.unload()
            return
        if not isinstance(found, FunctionUnusable):
            self._runner = found
        ready.set_result(found)

    def _replace(self, blocked: Loop) -> None:
        """Another loop for one that the handler blocks, with the code loaded anew: what it made belongs to its loop."""
        self._left_behind.append(blocked)
        if blocked is self._runner:
            self._started_before += blocked.started_total
            self._runner = None
            if not self._closed:
                self._begin()
