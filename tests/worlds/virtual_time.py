"""An asyncio event loop whose time stands still while anything can run, and leaps to the next timer when nothing can.

A simulation of hours takes milliseconds and every run of it is the same. The loop does no I/O and knows no threads, so
what runs on it must be in-memory. A wait that nothing will ever end is a :class:`Deadlock` at once, with every task's
stack, instead of a test that hangs.

    @virtual_time.test
    async def test_something_waits_an_hour() -> None:
        await anyio.sleep(3600)

or ``virtual_time.run(main)`` from plain code. ``anyio.current_time()`` and ``anyio.sleep`` follow the loop by
themselves; wall-clock time is :class:`VirtualClock`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")
P = ParamSpec("P")

START = 1_000.0
"""What a new loop's clock shows."""

EPOCH = 1_700_000_000.0
"""What a :class:`VirtualClock` shows when its loop is new, in seconds since 1970."""

STEP_LIMIT = 5_000_000
"""Turns of the loop after which a run counts as endless."""


class Deadlock(AssertionError):  # noqa: N818 - a failed test, named for what it found
    """Every task waits for something that nothing will ever bring."""


class Livelock(AssertionError):  # noqa: N818 - as above
    """The run goes on and on."""


class _Leap:
    """Stands where the selector would be: waiting for I/O is moving the clock."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.turn(timeout)
        return []

    def close(self) -> None:
        pass


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """The loop. ``steps`` counts its turns, which are the same in every run of the same code."""

    def __init__(self, step_limit: int = STEP_LIMIT) -> None:
        super().__init__()
        self._selector = _Leap(self)
        self._now = START
        self._clock_resolution = 1e-9
        self._step_limit = step_limit
        self._at_step: list[tuple[int, Callable[[], object]]] = []
        self.steps = 0

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def at_step(self, step: int, callback: Callable[[], object]) -> None:
        """Call ``callback`` between two turns, when ``steps`` reaches ``step``: a crash at any chosen await."""
        self._at_step.append((step, callback))
        self._at_step.sort(key=lambda due: -due[0])

    def turn(self, timeout: float | None) -> None:
        """What the loop does where another would wait: ``timeout`` 0 is no wait, None is for ever."""
        self.steps += 1
        if self.steps > self._step_limit:
            raise Livelock(f"{self.steps} turns of the loop at {self._now - START:.3f} s")
        while self._at_step and self._at_step[-1][0] <= self.steps:
            self._at_step.pop()[1]()
            timeout = 0.0
        if timeout is None:
            raise Deadlock(f"nothing can ever run again at {self._now - START:.3f} s{_stacks(self)}")
        self._now += timeout

    def _process_events(self, events: list[Any]) -> None:
        """No I/O, no events."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""


class VirtualClock:
    """The wall clock that goes with the running virtual loop. ``skew`` moves it without moving the loop."""

    def __init__(self) -> None:
        self.skew = 0.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return EPOCH + asyncio.get_running_loop().time() - START + self.skew


def current_loop() -> VirtualTimeLoop:
    """The running virtual loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop), "not running under virtual time"
    return loop


def run(main: Callable[[], Coroutine[Any, Any, T]], *, step_limit: int = STEP_LIMIT) -> T:
    """Run ``main()`` to its end under virtual time and return its result. Tasks that it left behind are a failure."""
    loop = VirtualTimeLoop(step_limit)
    try:
        result = loop.run_until_complete(main())
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        assert not left, f"tasks left behind: {left}"
        loop.run_until_complete(loop.shutdown_asyncgens())
        return result
    finally:
        _close(loop)


def test(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a plain test of an ``async def`` one, run under virtual time. Its arguments are fixtures as usual."""

    @functools.wraps(function)
    def in_virtual_time(*arguments: P.args, **named: P.kwargs) -> None:
        run(lambda: function(*arguments, **named))

    return in_virtual_time


test.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it where it is imported


async def eventually(condition: Callable[[], bool], *, within: float = 3_600.0, every: float = 0.05) -> None:
    """Wait until ``condition()`` holds; fails after ``within`` virtual seconds."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + within
    while not condition():
        assert loop.time() < limit, f"did not happen within {within} s"
        await asyncio.sleep(every)


async def settle(turns: int = 50) -> None:
    """Let everything that can run without time passing run."""
    for _ in range(turns):
        await asyncio.sleep(0)


def _close(loop: VirtualTimeLoop) -> None:
    """Cancel what is left after a failure, so that no task outlives its loop, and close."""
    left = [task for task in asyncio.all_tasks(loop) if not task.done()]
    for task in left:
        task.cancel()
    if left:
        loop._step_limit = loop.steps + 100_000
        with contextlib.suppress(Deadlock, Livelock, TimeoutError):
            loop.run_until_complete(asyncio.wait_for(_gather(left), 1_000_000))
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # the failure itself is what to report
    loop.close()


async def _gather(tasks: list[asyncio.Task[Any]]) -> None:
    waiting: Awaitable[Any] = asyncio.gather(*tasks, return_exceptions=True)
    await waiting


def _stacks(loop: asyncio.AbstractEventLoop) -> str:
    text = io.StringIO()
    for task in asyncio.all_tasks(loop):
        task.print_stack(limit=6, file=text)
    return "\n" + text.getvalue()
