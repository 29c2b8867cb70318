"""Runs ``async def`` handlers: an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING

from handlers.in_process.calls import Call, failure, parse, serialise
from handlers.in_process.interrupting import interrupt_thread
from handlers.in_process.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlers.function import Result
    from handlers.in_process.loading import Handler

CLEAN_UP_SECONDS = 1.0
"""What tasks that user code left behind are given to end when their loop is closed."""


class Loop:
    """One event loop that runs every call as a task, in the thread that loaded the code.

    A call is stopped by cancelling its task. A task that swallows its cancellation is left to itself and counted. A loop that
    does not even get round to cancelling is blocked: :meth:`abandon` says so to ``on_blocked``, once, so that another takes
    its place; what else runs on it may still end well.
    """

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop, on_blocked: Callable[[Loop], None]) -> None:
        self.handler = handler
        self._on_blocked = on_blocked
        self._loop = _new_event_loop()
        self._thread: threading.Thread | None = None
        self._calls: Mailbox[Call | None] = Mailbox(self._loop, self._receive)
        self._settled = Mailbox(loop, self._settle)
        self._running: set[Call] = set()
        self._lingering: set[Call] = set()
        self._closing = False
        self._retired = False
        self.started_total = 1

    @property
    def workers(self) -> int:
        """The one thread."""
        return 1

    def lost(self) -> int:
        """Calls that were stopped and still run."""
        return len(self._lingering)

    def adopt(self) -> None:
        """The thread that loaded the code is about to call :meth:`serve`."""
        self._thread = threading.current_thread()

    def submit(self, call: Call) -> None:
        """Run ``call`` on the loop, and settle it on the poller's."""
        self._running.add(call)
        self._calls.put(call)

    def interrupt(self, call: Call) -> None:
        """Have the call's task cancelled."""
        if not call.finished:
            call.dropped = True
            self._calls.put(call)

    def abandon(self, call: Call) -> None:
        """The call did not end in the time allowed after :meth:`interrupt`."""
        if call.finished:
            return
        self._lingering.add(call)
        if not call.acknowledged and not self._retired:
            self._retired = True
            if self._thread is not None:
                interrupt_thread(self._thread, self.handler.namespace.folder)
            self._on_blocked(self)

    def close(self) -> None:
        """Have the loop cancel what is left on it and end."""
        self._calls.put(None)

    def alive(self) -> bool:
        """Whether the loop's thread still runs."""
        return self._thread is not None and self._thread.is_alive()

    def serve(self) -> None:
        """The thread's life: run the loop until it is closed."""
        asyncio.set_event_loop(self._loop)
        while not self._closing:
            try:
                self._loop.run_forever()
            except BaseException:  # noqa: S112 - a task of user code raised SystemExit: its own affair, the loop goes on
                continue
        with contextlib.suppress(BaseException):  # of user code, again
            self._clean_up()
        self._loop.close()

    # On the function's own loop.

    def _receive(self, call: Call | None) -> None:
        if call is None:
            self._closing = True
            self._loop.stop()
        elif not call.dropped:
            call.task = self._loop.create_task(self._perform(call), context=call.log_context())
        else:
            if call.task is not None:
                call.task.add_done_callback(partial(self._never_began, call))
                call.task.cancel()
            self._settled.put((call, None))

    def _never_began(self, call: Call, task: asyncio.Task[None]) -> None:
        """End the call of a task that was cancelled before its first step: the task itself could not."""
        if task.cancelled():
            self._settled.put((call, failure(asyncio.CancelledError(), call.context.aws_request_id)))

    async def _perform(self, call: Call) -> None:
        result: Result
        try:
            result = serialise(await self.handler.call(parse(call.event), call.context))
        except BaseException as error:  # whatever user code raises is its failure, and nobody else's
            result = failure(error, call.context.aws_request_id)
        self._settled.put((call, result))

    def _clean_up(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=CLEAN_UP_SECONDS))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    # On the poller's loop.

    def _settle(self, settled: tuple[Call, Result | None]) -> None:
        call, result = settled
        if result is not None:
            call.settle(result)
        elif call.task is None:  # it was given up before it began
            call.end()
        else:
            call.acknowledged = True
        if call.finished:
            self._running.discard(call)
            self._lingering.discard(call)
            if self._retired and not self._running:
                self.close()


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not available on this platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
