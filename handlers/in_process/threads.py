"""Runs ``def`` handlers: a few threads that take calls from one queue."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from handlers.in_process.calls import Call, InvocationStopped, failure, parse, serialise
from handlers.in_process.interrupting import interrupt_thread
from handlers.in_process.mailbox import Mailbox

if TYPE_CHECKING:
    from handlers.function import Result
    from handlers.in_process.loading import Handler


class Threads:
    """Threads, started as they are needed. All are daemons, so that none can delay the end of the process.

    One queue for all hands a call to whichever thread is free. A thread cannot be killed: one whose call was stopped
    takes no further call, ends when the handler returns, and another takes its place.
    """

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self.handler = handler
        self._name = name
        self._loop = loop
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._settled = Mailbox(loop, self._settle)
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._serving: set[threading.Thread] = set()
        self._stopped: list[threading.Thread] = []
        self._busy = 0
        self.started_total = 0

    @property
    def workers(self) -> int:
        """Threads that take calls."""
        return len(self._serving)

    def lost(self) -> int:
        """Threads whose call was stopped and whose handler has not returned yet."""
        self._stopped = [thread for thread in self._stopped if thread.is_alive()]
        return len(self._stopped)

    def adopt(self) -> None:
        """The thread that loaded the code becomes the first of the threads: it is about to call :meth:`serve`."""
        self._serving.add(threading.current_thread())
        self.started_total += 1

    def submit(self, call: Call) -> None:
        """Have a thread run ``call``, and settle it on the poller's loop."""
        self._busy += 1
        if self._busy > len(self._serving):
            self._start_thread()
        self._calls.put(call)

    def interrupt(self, call: Call) -> None:
        """Give ``call`` up: its result no longer counts, and its thread is ended if that can be done."""
        with self._lock:
            if call.finished or call.dropped:
                return
            call.dropped = True
            thread = call.thread
            if thread is not None:
                interrupt_thread(thread, self.handler.namespace.folder)
        self._busy -= 1
        if thread is None:
            call.end()  # no thread has taken it, so none will
            return
        self._serving.discard(thread)
        self._stopped.append(thread)

    def abandon(self, call: Call) -> None:
        """The call did not end in the time allowed: its thread has been replaced already, there is nothing left to do."""

    def close(self) -> None:
        """Have the threads end, each after what it runs."""
        for _ in self._serving:
            self._calls.put(None)

    def alive(self) -> bool:
        """Whether a thread that takes calls still runs."""
        return any(thread.is_alive() for thread in self._serving)

    def serve(self) -> None:
        """A thread's life: take calls until there are no more, or until one of them was stopped."""
        try:
            with contextlib.ExitStack() as stack:
                self._of_thread.stack = stack
                while self._serve_one():
                    pass
        except InvocationStopped:
            pass  # it came just after the handler had returned; this thread was to end in any case

    def _start_thread(self) -> None:
        self.started_total += 1
        thread = threading.Thread(target=self.serve, name=f"{self._name}-{self.started_total}", daemon=True)
        self._serving.add(thread)
        thread.start()

    def _serve_one(self) -> bool:
        """Run the next call; whether this thread may take another. Keeps nothing of the call alive while it waits."""
        call = self._calls.get()
        if call is None:
            return False
        with self._lock:
            dropped = call.dropped
            call.thread = threading.current_thread()
        if dropped:
            return True
        result = self._perform(call)
        with self._lock:  # from here on the call can no longer be interrupted, nor this thread
            dropped = call.dropped
            call.finished = not dropped
        if not dropped:
            self._settled.put((call, result))
            return True
        # Not through the mailbox: an interruption that comes this late may hit any line from here on.
        with contextlib.suppress(RuntimeError):  # the poller's loop may be closed by now
            self._loop.call_soon_threadsafe(call.end)
        return False

    def _perform(self, call: Call) -> Result:
        try:
            # Context variables that user code sets do not reach its next invocation.
            context = call.log_context()
            answer = context.run(self.handler.call, parse(call.event), call.context)
            if inspect.iscoroutine(answer):  # of a plain function around an async one
                answer = self._runner().run(answer, context=context)
            return serialise(answer)
        except BaseException as error:  # whatever user code raises is its failure, and nobody else's
            return failure(error, call.context.aws_request_id)

    def _runner(self) -> asyncio.Runner:
        """The event loop of the current thread, made when it is first needed."""
        own = self._of_thread
        if not hasattr(own, "runner"):
            own.runner = own.stack.enter_context(asyncio.Runner())
        return own.runner  # type: ignore[no-any-return] # a thread's own variables have no types

    def _settle(self, settled: tuple[Call, Result]) -> None:
        self._busy -= 1
        call, result = settled
        call.settle(result)
