"""One function's life: entered when its first caller asks for it, left when the configuration or the process ends it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import anyio
import structlog
from anyio import to_thread

from handlers.copies import Copies
from handlers.errors import FunctionUnusable
from handlers.function import Copied, Provable
from pollers.engine.failures import taken_apart
from pollers.engine.permits import Permits
from pollers.engine.stop import Stop
from pollers.functions.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.models import FunctionModel
    from handlers.function import Function
    from pollers.engine.failures import Failure

    FunctionMaker: TypeAlias = Callable[[str, FunctionModel], Function]

log = structlog.stdlib.get_logger(__name__)


class FunctionState(StrEnum):
    """What a function is doing as a whole::

        not used yet --get()--> starting --entered--> running --close()--> stopped
                                  |  ^                   |
                          failed  v  | get()     broke   v
                                unusable <---------------+

    Callers drive it by asking; the configuration and the end of the process close it from any state.
    """

    UNUSED = "not used yet"
    STARTING = "starting"
    RUNNING = "running"
    UNUSABLE = "unusable"
    STOPPED = "stopped"


class FunctionHost:
    """Owns a function and its permits; several callers may share it.

    A function that cannot be used is reported to whoever asks for it and tried again at the next asking, so that repairing the
    code on disk is enough; one that breaks down takes its callers with it (``breakdown`` is
    hurried, and is another one from then on), which then ask anew.

    Where ``copied`` says so when it is entered, it runs copies of its code. They are the host's: one that broke down goes on with
    what it ran, and one that could not be entered takes what is on the disk at the next try.
    """

    def __init__(
        self, name: str, model: FunctionModel, make: FunctionMaker, copied: Callable[[str], bool] = lambda name: False
    ) -> None:
        self.name = name
        self.model = model
        self.permits = Permits(model.concurrency)
        self.breakdown = Stop()
        self.finished = anyio.Event()
        self._make = make
        self._copied = copied
        self._copies = Copies()
        self._ran = False
        self._function: Function | None = None
        self._failure: Failure | None = None
        self._reserved: int | None = None
        self._callers: set[Caller] = set()
        self._retired = False
        self._asked = anyio.Event()
        self._answered = anyio.Event()
        self._closing = anyio.Event()
        self._entering: anyio.CancelScope | None = None

    @property
    def function(self) -> Function | None:
        """The running function, or None while there is none."""
        return self._function

    @property
    def problem(self) -> str | None:
        """Why there is no function, if that is known."""
        return self._failure.text if self._failure is not None else None

    @property
    def state(self) -> FunctionState:
        """What it is doing as a whole."""
        if self._closing.is_set():
            return FunctionState.STOPPED
        if self._function is not None:
            return FunctionState.RUNNING
        if self._asked.is_set():
            return FunctionState.STARTING
        return FunctionState.UNUSED if self._failure is None else FunctionState.UNUSABLE

    @property
    def reserved(self) -> int | None:
        """Its reserved concurrency, as :meth:`reserve` was told last; None for none."""
        return self._reserved

    def reserve(self, concurrency: int | None) -> None:
        """Reserve so much concurrency for the function, as PutFunctionConcurrency does; None takes that back.

        No more invocations than that are begun, nor more than its configured concurrency; 0 begins none. What runs goes on.
        """
        configured = self.model.concurrency
        self.permits.resize(configured if concurrency is None else min(concurrency, configured))
        self._reserved = concurrency

    def full(self) -> str:
        """Why an invocation got no permit, in words."""
        reserved = " (its reserved concurrency)" if self._reserved is not None else ""
        return (
            f"function {self.name} runs as many invocations as it may at a time: {self.permits.concurrency}{reserved}"
        )

    @property
    def called(self) -> bool:
        """Whether anybody has a claim to it."""
        return bool(self._callers)

    def caller(self, maximum: int | None = None) -> Caller:
        """A new caller, with at most ``maximum`` invocations at a time; to be left at its end (``with``)."""
        caller = Caller(self, maximum)
        self._callers.add(caller)
        return caller

    def left(self, caller: Caller) -> None:
        """The caller has left."""
        self._callers.discard(caller)
        if self._retired and not self._callers:
            self.close()

    async def get(self) -> Function:
        """The function, entered. Raises FunctionUnusable, or whatever else broke it, when it cannot be had."""
        if self._function is None:
            self._asked.set()
            await self._answered.wait()
        if self._function is None:
            closed = FunctionUnusable(f"function {self.name} has been closed")
            raise closed if self._failure is None else self._failure.cause
        return self._function

    def enter_soon(self) -> None:
        """Enter the function although nobody asks for it yet, if it has not been entered before."""
        if self.state is FunctionState.UNUSED:
            self._asked.set()

    async def prove(self) -> None:
        """Enter the function and load its code. Raises as :meth:`get` does, and FunctionUnusable when it cannot be loaded."""
        function = await self.get()
        if isinstance(function, Provable):
            await function.prove()

    def broke_down(self) -> FunctionUnusable:
        """What is raised where the function broke down: why it did, if that is known."""
        return FunctionUnusable(self.problem or f"function {self.name} broke down")

    def go_on_from(self, other: FunctionHost) -> None:
        """Run the copies of the code that ``other`` runs, if it runs any, and not what is on the disk."""
        if other._ran:
            self._copies, self._ran = other._copies.shared(), True

    def retire(self) -> None:
        """Close once the last caller has left."""
        self._retired = True
        if not self._callers:
            self.close()

    def close(self) -> None:
        """Leave the function; it is ``finished`` when everything that it started has stopped.

        One that is still being entered, because its code takes long to load, is not waited for.
        """
        self._closing.set()
        if not self._asked.is_set():
            # Nothing has been started, or all of it has stopped.
            self.finished.set()
        self._asked.set()
        if self._entering is not None:
            self._entering.cancel()

    async def run(self) -> None:
        """Hold the function until :meth:`close`."""
        try:
            while not self._closing.is_set():
                await self._asked.wait()
                if self._closing.is_set():
                    break
                try:
                    with anyio.CancelScope() as self._entering:
                        await self._hold()
                except Exception as problem:
                    if not self._ran:
                        await self._leave_copies()
                    self._fail(problem)
        finally:
            await self._leave_copies()
            # Also when the process no longer waits for it: then others must not wait for it either.
            self._answered.set()
            self.finished.set()

    async def _hold(self) -> None:
        made = self._make(self.name, self.model)
        if isinstance(made, Copied) and self._copied(self.name):
            made.run_copies(self._copies)
        async with made as function:
            # From here on it is left in order: its workers are running.
            self._entering = None
            self._ran = True
            self._function, self._failure = function, None
            self._answered.set()
            try:
                await self._closing.wait()
            finally:
                self._function = None
                if not self._closing.is_set():
                    # It broke down. Whoever asks while it is left is answered afterwards, with what broke it.
                    self._answered = anyio.Event()

    async def _leave_copies(self) -> None:
        copies, self._copies = self._copies, Copies()
        if copies.leave():
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(copies.remove)

    def _fail(self, problem: Exception) -> None:
        self._failure = failure = taken_apart(problem)
        # Whoever asks is told of an unusable function, and reports it; of what failed beside that nobody is told but the log.
        if failure.siblings or not isinstance(failure.cause, FunctionUnusable):
            log.error("function broke down", function=self.name, exc_info=problem)
        # Whoever asks from now on waits for the next try; whoever waits now is answered with this problem.
        self._asked = anyio.Event()
        answered, self._answered = self._answered, anyio.Event()
        answered.set()
        breakdown, self.breakdown = self.breakdown, Stop()
        breakdown.hurry()
