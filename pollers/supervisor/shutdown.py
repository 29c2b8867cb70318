"""The numbered shutdown (docs/design, decisions 9 and 16): what it waits for, and for how long at most."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import anyio
import structlog

from pollers.supervisor.ending import LAST_LINES_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pollers.engine.stop import Stop
    from pollers.functions import FunctionHost, Functions

log = structlog.stdlib.get_logger(__name__)

QUIET_SECONDS = 1.4
"""With no invocation running, what is left is to be acknowledged and handed back within this; then nothing is waited for any more.
A little more than the time that receives get (:data:`pollers.sources.sqs.receive_calls.STOPPED_SECONDS`)."""
ACKNOWLEDGING_SECONDS = 10.0
"""The same after invocations that ran during the shutdown: it takes longer, so that their results are not lost."""
LETTING_GO_SECONDS = 0.3
"""How long pollers that have been told to wait for nothing may take for it. Then they are cancelled, as a crash would."""
GRACE_OVER_SECONDS = 2.0
"""The same when the grace period is over: what running invocations held goes back."""
SECOND_SIGNAL_SECONDS = 0.4
"""The same after a second signal."""
WORKERS_SECONDS = 0.6
"""How long functions may take to stop: their workers are killed half a second after SIGTERM. Whatever is left when the process has
ended is killed by its keeper, and after a second signal at once."""
CLOSING_SECONDS = 0.2
"""How long stores, exporters and connections may take to close. Nothing is lost if they do not: each of them survives a crash."""
END_SECONDS = WORKERS_SECONDS + CLOSING_SECONDS + LAST_LINES_SECONDS[0]
"""From the last mapping to the end of the process."""
STILL_SECONDS = (1.0, 5.0)
"""When a stop says for the first time what it waits for, and how often from then on."""
LOOK_SECONDS = 0.05


class Step(Enum):
    """What a shutdown does next."""

    WAIT = "wait"
    HURRY = "hurry"
    """Tell the pollers to wait for nothing any more."""
    LEAVE = "leave"
    """Wait for the pollers no more."""


class Countdown:
    """How long mappings are waited for. A decider: ``now`` is an argument.

    While invocations run, until the grace period ends. Once none runs, for as long as acknowledging takes when nothing hangs. A
    second signal ends both.
    """

    def __init__(self, grace_seconds: float, now: float) -> None:
        self._grace_over_at = now + grace_seconds
        self._quiet_since = now
        self._ran = False
        self._leave_at: float | None = None

    @property
    def ran(self) -> bool:
        """Whether invocations were waited for."""
        return self._ran

    def gone_at(self, *, running: bool) -> float:
        """When the process is to be gone, as far as that is known. One moment for all that may hang: what is late in one step is
        taken from the next ones."""
        if self._leave_at is not None:
            return self._leave_at + END_SECONDS
        if running:
            return self._grace_over_at + GRACE_OVER_SECONDS + END_SECONDS
        return self._quiet_until + LETTING_GO_SECONDS + END_SECONDS

    @property
    def _quiet_until(self) -> float:
        return self._quiet_since + (ACKNOWLEDGING_SECONDS if self._ran else QUIET_SECONDS)

    def look(self, now: float, *, running: bool, second_signal: bool) -> Step:
        """What to do now. HURRY is said once."""
        if self._leave_at is not None:
            if second_signal:
                self._leave_at = min(self._leave_at, now + SECOND_SIGNAL_SECONDS)
            return Step.LEAVE if now >= self._leave_at else Step.WAIT
        if running:
            self._ran, self._quiet_since = True, now
        if second_signal:
            self._leave_at = now + SECOND_SIGNAL_SECONDS
            return Step.HURRY
        if running and now >= self._grace_over_at:
            self._leave_at = now + GRACE_OVER_SECONDS
            return Step.HURRY
        if not running and now >= self._quiet_until:
            self._leave_at = self._quiet_until + LETTING_GO_SECONDS
            return Step.HURRY
        return Step.WAIT


class Runner(Protocol):
    """What is stopped: a mapping, or a service that calls functions beside them."""

    finished: anyio.Event

    @property
    def name(self) -> str:
        """What it is called in the log."""

    def end(self) -> None:
        """Begin nothing more."""

    def hurry(self) -> None:
        """Wait for nothing."""

    def abandon(self) -> None:
        """End as by a crash."""

    def running(self) -> int:
        """Invocations that run for it."""

    def held(self) -> int:
        """Events that it has neither acknowledged nor handed back."""


class Shutdown:
    """Carries it out: those who call functions first, then functions, since a mapping acknowledges what its function still
    answers.

    ``stop`` is the process's own, which a second signal hurries. ``within`` is told in how many seconds the process is to be
    gone, and again when that changes: nothing that hangs may delay the end, not even this task itself.
    """

    def __init__(
        self,
        runners: Sequence[Runner],
        functions: Functions,
        stop: Stop,
        within: Callable[[float], None],
    ) -> None:
        self._runners = runners
        self._functions = functions
        self._stop = stop
        self._within = within
        self._gone_at = math.inf
        self._last_logged = anyio.current_time() + STILL_SECONDS[0] - STILL_SECONDS[1]

    async def run(self, grace_seconds: float) -> bool:
        """Steps 1 to 6. Returns whether all that was held is acknowledged or handed back; if not, more waiting is of no use."""
        in_order = True
        log.info("shutdown 1: no new receive or read", grace_seconds=grace_seconds)
        countdown = Countdown(grace_seconds, anyio.current_time())
        for runner in self._runners:
            runner.end()
        while left := self._unfinished():
            running, second = self._running(), self._stop.hurried
            step = countdown.look(anyio.current_time(), running=bool(running), second_signal=second)
            self._be_gone_at(countdown.gone_at(running=bool(running)))
            if step is Step.LEAVE:
                in_order = await self._leave()
                break
            if step is Step.HURRY:
                self._hurry(running, second=second, grace_seconds=grace_seconds)
            self._log_what_is_waited_for()
            await _wait(left)
        await self._stop_functions()
        return in_order

    def _be_gone_at(self, moment: float) -> None:
        if moment != self._gone_at:
            self._gone_at = moment
            self._within(moment - anyio.current_time())

    async def _stop_functions(self) -> None:
        log.info("shutdown 6: workers stop")
        self._be_gone_at(min(self._gone_at, anyio.current_time() + END_SECONDS))
        self._functions.close()
        until = self._gone_at - CLOSING_SECONDS - LAST_LINES_SECONDS[0]
        while (left := self._functions.unfinished) and anyio.current_time() < until and not self._stop.hurried:
            await _wait(left)
        if left:
            log.warning(
                "functions did not stop in time: what is left of them is killed", functions=[host.name for host in left]
            )

    def _unfinished(self) -> list[Runner]:
        return [runner for runner in self._runners if not runner.finished.is_set()]

    def _running(self) -> dict[str, int]:
        """Invocations that run, by who waits for them."""
        return {runner.name: running for runner in self._unfinished() if (running := runner.running())}

    def _hurry(self, running: dict[str, int], *, second: bool, grace_seconds: float) -> None:
        if second:
            log.warning("second signal: nothing is waited for any more", running=running)
        elif running:
            log.warning(
                "shutdown 3: the grace period is over, running invocations are stopped",
                grace_seconds=grace_seconds,
                running=running,
            )
        else:
            log.warning(
                "shutdown 4: no invocation runs, so what does not answer is not waited for", waiting=self._waiting()
            )
        for runner in self._runners:
            runner.hurry()

    async def _leave(self) -> bool:
        """As a crash would: nothing is acknowledged that is not, and whatever is held comes back by itself. Whether nothing was."""
        left = self._unfinished()
        held = any(runner.held() for runner in left)
        log_it = log.error if held else log.warning
        log_it("shutdown 5: not everything was handed back in time", mappings=self._waiting())
        for runner in left:
            runner.abandon()
        await _wait(left)
        return not held

    def _log_what_is_waited_for(self) -> None:
        """Nobody is to wonder whether the signal was heard."""
        now = anyio.current_time()
        if now >= self._last_logged + STILL_SECONDS[1]:
            self._last_logged = now
            log.info("shutdown 2 to 5: waiting", waiting=self._waiting())

    def _waiting(self) -> dict[str, str]:
        """What each of those that have not finished waits for."""
        waiting = {}
        for runner in self._unfinished():
            running, held = runner.running(), runner.held()
            waiting[runner.name] = (
                f"{running} invocations, {held} events held"
                if running
                else f"{held} events to be acknowledged or handed back"
                if held
                else "calls that have not come back"
            )
        return waiting


async def _wait(left: Iterable[Runner] | Iterable[FunctionHost]) -> None:
    """Until all have finished, or it is time to look again."""
    with anyio.move_on_after(LOOK_SECONDS):
        for one in left:
            await one.finished.wait()
