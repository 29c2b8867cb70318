"""One mapping's life: it makes a poller, runs it, and after a failure says so, waits and makes a new one."""

from __future__ import annotations

import math
import random
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.clocks.clock import Clock, SystemClock
from pollers.engine.failures import Failure, is_ours, taken_apart
from pollers.engine.poller import Poller, Surroundings
from pollers.engine.stop import Stop
from pollers.sources.registry import concurrency_limit, kind_of
from pollers.telemetry.facts import MAPPING_TASK, Doing, Removed, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from config.models import Mapping
    from handlers.function import Function
    from pollers.functions import Caller, FunctionHost
    from pollers.telemetry.ledger import Ledger
    from pollers.telemetry.sinks import Facts

    PollerMaker: TypeAlias = Callable[[Mapping, Surroundings], Awaitable[Poller]]

log = structlog.stdlib.get_logger(__name__)

RESTART_SECONDS = (1.0, 30.0)
"""First and longest wait before a mapping that broke down starts again."""
UNUSABLE_SECONDS = (5.0, 60.0)
"""First and longest wait before a source or function that cannot be used is tried again."""
SOUND_SECONDS = 300.0
"""A poller that ran this long was sound: the next failure is a first one."""


class MappingState(StrEnum):
    """What a mapping is doing as a whole."""

    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing off"
    PAUSED = "paused"
    DISABLED = "disabled"
    STOPPING = "stopping"
    STOPPED = "stopped"


class MappingRunner:
    """Runs one mapping until told to end. A failure of its source, its function or our own code stays inside."""

    def __init__(
        self,
        model: Mapping,
        host: FunctionHost,
        make_poller: PollerMaker,
        facts: Facts,
        ledger: Ledger,
        *,
        clock: Clock | None = None,
        seed: random.Random | None = None,
    ) -> None:
        self.model = model
        self.host = host
        self.ledger = ledger
        self._state = MappingState.STARTING if model.enabled else MappingState.DISABLED
        self.state_since = math.inf
        self.problem: str | None = None
        self.restarts = 0
        self.poller: Poller | None = None
        self.started_at: float | None = None
        self.renewed = False
        """Nobody changed the mapping: it ends or begins only because its function is begun anew."""
        self.unbalanced = 0
        self.finished = anyio.Event()
        self._make_poller = make_poller
        self._facts = facts
        self._clock = clock or SystemClock()
        self._random = seed or random.Random()  # noqa: S311 - jitter, not secrets
        self._end = Stop()
        self._stop: Stop | None = None
        self._wanted = model.enabled
        self._changed = anyio.Event()
        self._life = anyio.CancelScope()
        self._failures = 0
        self._reported: set[str] = set()
        self._log = log.bind(mapping=model.name)

    @property
    def name(self) -> str:
        """The mapping's name."""
        return self.model.name

    @property
    def state(self) -> MappingState:
        """What it is doing as a whole; since when is :attr:`state_since` (monotonic seconds, infinity before it runs)."""
        return self._state

    @property
    def paused(self) -> bool:
        """Whether somebody paused it, whatever it still finishes."""
        return self.model.enabled and not self._wanted

    @property
    def balanced(self) -> bool:
        """Whether every event that was received is accounted for, but for imbalances that were said before."""
        return self.ledger.balances(self.unbalanced + self.held())

    def _enter(self, state: MappingState) -> None:
        if state is not self._state or self.state_since == math.inf:
            self._state, self.state_since = state, anyio.current_time()

    def end(self) -> None:
        """Stop in order, for good: :meth:`run` returns once nothing is held any more."""
        self._end.request()
        self._changed.set()

    def hurry(self) -> None:
        """Stop without waiting for running invocations."""
        self._end.hurry()
        self._changed.set()

    def abandon(self) -> None:
        """End as by a crash: nothing is acknowledged any more, and what is held comes back by itself."""
        self._life.cancel()

    @property
    def abandoned(self) -> bool:
        """Whether :meth:`abandon` ended it."""
        return self._life.cancel_called

    def pause(self) -> None:
        """Stop in order and stay stopped until :meth:`resume`."""
        self._wanted = False
        self._changed.set()
        if self._stop is not None:
            self._stop.request()

    def resume(self) -> None:
        """Poll again after :meth:`pause`, or at once while waiting after a failure."""
        self._wanted = True
        self._changed.set()

    def running(self) -> int:
        """Its invocations that the function knows of: a worker that is just starting runs none."""
        function = self.host.function
        return (
            self.poller.running() if self.poller is not None and function is not None and function.status().busy else 0
        )

    def held(self) -> int:
        """How many events it holds."""
        return self.poller.held() if self.poller is not None else 0

    def forget(self) -> None:
        """Say that nothing more comes of this mapping: it is out of the configuration."""
        self._facts.emit(Removed())

    @property
    def _ending(self) -> bool:
        return self._end.requested or self.abandoned

    async def run(self) -> None:
        """Run until :meth:`end`. Never raises for what a source or a function does."""
        try:
            with self._life:
                while not self._ending:
                    if self._wanted:
                        await self._attempt()
                    else:
                        await self._rest()
            self._enter(MappingState.STOPPED)
        finally:
            self.finished.set()

    async def _rest(self) -> None:
        self._enter(MappingState.PAUSED if self.model.enabled else MappingState.DISABLED)
        if not self.model.enabled:
            self._log.info("mapping is disabled and does not poll", source=self.model.event_source_arn)
        self._changed = anyio.Event()
        if not (self._wanted or self._ending):
            await self._changed.wait()

    async def _attempt(self) -> None:
        began = anyio.current_time()
        try:
            await self._once()
        except Exception as problem:
            if anyio.current_time() - began > SOUND_SECONDS:
                self._failures, self._reported = 0, set()
            await self._failed(taken_apart(problem))
        else:
            self._failures, self._reported = 0, set()

    async def _once(self) -> None:
        """One life of a poller: from asking for its function to the last of its acknowledgements."""
        self._enter(MappingState.STARTING)
        self._report_doing(State.STARTING, "")
        # Nothing was awaited since it was looked whether the mapping is wanted: whoever pauses or ends it from here on finds this.
        self._stop = stop = self._end.child()
        with self.host.caller(concurrency_limit(self.model)) as caller:
            # Loading its code may take minutes.
            function = await stop.unless_requested(caller.function)
            if function is not None:
                await self._poll(function, caller, stop)

    async def _poll(self, function: Function, caller: Caller, stop: Stop) -> None:
        first_payload = kind_of(self.model).shown.first_payload
        surroundings = Surroundings(function, caller.claim, self._facts, first_payload, stop, self._clock, self._random)
        try:
            # Making clients may ask for credentials, and that can take any time.
            self.poller = await stop.unless_requested(lambda: self._make_poller(self.model, surroundings))
            if self.poller is None:
                return
            self._enter(MappingState.RUNNING)
            self.problem, self.started_at = None, self._clock.time()
            self._report_doing(State.ENDED, "")
            if not self._failures:
                self._log.info("mapping started", source=self.model.event_source_arn, function=self.host.name)
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, stop, caller.breakdown)
                await self.poller.run()
                group.cancel_scope.cancel()
            if caller.breakdown.hurried:
                raise self.host.broke_down()
        finally:
            self._close_books()
            self._stop = None

    async def _watch(self, stop: Stop, breakdown: Stop) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._stop_when_broken, stop, breakdown)
            await stop.until_requested()
            self._enter(MappingState.STOPPING)

    async def _stop_when_broken(self, stop: Stop, breakdown: Stop) -> None:
        await breakdown.until_hurried()
        stop.hurry()

    def _close_books(self) -> None:
        """What the ledger says is held must be what the poller says; afterwards nothing may be."""
        poller, self.poller = self.poller, None
        if poller is None:
            return
        held = poller.held()
        if not self.ledger.balances(self.unbalanced + held):
            self._log.error("books do not balance", held=held, **self.ledger.as_dict())
        self.unbalanced = self.ledger.in_flight

    async def _failed(self, failure: Failure) -> None:
        self.restarts += 1
        first, longest = RESTART_SECONDS if failure.ours else UNUSABLE_SECONDS
        delay = min(longest, first * 2 ** min(self._failures, 16)) * self._random.uniform(0.5, 1.0)
        self._failures += 1
        self._report(failure, delay)
        self._changed = anyio.Event()
        if not self._ending:
            with anyio.move_on_after(delay):
                await self._changed.wait()

    def _report(self, failure: Failure, delay: float) -> None:
        self.problem = failure.text
        self._enter(MappingState.BACKING_OFF)
        self._report_doing(State.BACKING_OFF, self.problem, delay)
        known, seconds, cause = self._reported, round(delay, 1), str(failure.cause)
        if failure.ours:
            self._log.error("mapping broke down and starts again", retry_seconds=seconds, exc_info=failure.cause)
        elif _kind(failure.cause) not in known:
            self._log.error("mapping cannot run and is tried again slowly", error=cause, retry_seconds=seconds)
        else:
            self._log.debug("mapping still cannot run", error=cause, retry_seconds=seconds)
        self._reported = {_kind(failure.cause)}
        for error in failure.siblings:
            self._report_sibling(error, known)
            self._reported.add(_kind(error))

    def _report_sibling(self, error: Exception, known: set[str]) -> None:
        """What failed beside the cause, in whichever task: it may be the only trace of a second trouble."""
        if is_ours(error):
            self._log.error("another task of the mapping broke down with it", exc_info=error)
        else:
            report = self._log.debug if _kind(error) in known | self._reported else self._log.error
            report("another task of the mapping failed with it", error=str(error))

    def _report_doing(self, state: State, detail: str, until: float | None = None) -> None:
        self._facts.emit(Doing(MAPPING_TASK, state, detail, until))


def _kind(problem: Exception) -> str:
    """What is wrong, whichever call met it first: AWS's own code where there is one."""
    cause = problem if isinstance(problem, AwsError) else problem.__cause__
    return cause.code if isinstance(cause, AwsError) else str(problem)
