"""What becomes of handlers that hang, block, refuse to stop, or are cancelled."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from handlers.errors import FunctionUnusable
from handlers.function import FunctionError, Payload, Throttle
from handlers.in_process import function as in_process
from handlers.in_process.loops import Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from handlers.in_process.calls import Call
    from handlers.in_process.function import InProcessFunction
    from tests.unit.handlers.in_process.conftest import MakeFunction

BOTH = pytest.mark.parametrize("define", ["def", "async def"])

BLOCKS = """
    import os
    {define} handler(event, context):
        if event is None:
            return "free"
        return os.read(event, 1).decode()
"""
"""Blocks its thread (and so its loop) in a system call until a byte comes through the given pipe."""

SWALLOWS = """
    import asyncio
    released = asyncio.Event()
    async def handler(event, context):
        if event == "release":
            released.set()
        if event != "hang":
            return "free"
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                pass
        return "late"
"""
"""Ignores every cancellation until it is released."""


class Pipe:
    """What a blocking handler waits for."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()

    def event(self) -> bytes:
        return str(self.read_end).encode()

    def release(self, count: int = 1) -> None:
        os.write(self.write_end, b"x" * count)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Released in the end, so that no thread outlives its test."""
    made = Pipe()
    threads = threading.enumerate()
    yield made
    made.release(100)
    for thread in set(threading.enumerate()) - set(threads):
        thread.join(5)
    os.close(made.read_end)
    os.close(made.write_end)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds are kept short, so that tests of what exceeds them are too."""
    monkeypatch.setattr(in_process, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(in_process, "CLOSE_SECONDS", 0.1)


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that other threads do; the bound is for a machine that does many other things."""
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.sleep(0.005)


async def timed_out(function: InProcessFunction, event: bytes, request_id: str = "r", *, seconds: float = 0.05) -> None:
    """One invocation with a timeout of its own, into which it runs: perhaps before its handler began, on a busy machine."""
    usual, function.timeout_seconds = function.timeout_seconds, seconds
    try:
        result = (await function.invoke(event, request_id=request_id)).result
    finally:
        function.timeout_seconds = usual
    assert isinstance(result, FunctionError)
    assert result.error_type == "Sandbox.Timedout"


async def left_behind(function: InProcessFunction, event: bytes) -> None:
    """An invocation whose handler had begun when its timeout came, and which does not stop: however long that takes."""
    before, seconds = function.status().problem, 0.05
    while function.status().problem == before:
        await timed_out(function, event, seconds=seconds)
        seconds *= 2


@BOTH
async def test_a_handler_that_hangs_ends_at_its_timeout(make: MakeFunction, define: str) -> None:
    """The result is Lambda's own document, with two decimals."""
    wait = "await asyncio.sleep(3600)" if define == "async def" else "time.sleep(0.01)"
    code = f"import asyncio, time\n{define} handler(event, context):\n    while True:\n        {wait}"
    async with make(code, timeout=0.05) as function:
        invocation = await function.invoke(b"{}", request_id="r-9")

    assert isinstance(invocation.result, FunctionError)
    assert json.loads(invocation.result.document) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: r-9 Error: Task timed out after 0.05 seconds",
    }
    assert invocation.duration_seconds >= 0.05


async def test_a_timed_out_async_handler_is_cancelled_and_may_clean_up(
    make: MakeFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees CancelledError where it waits; nothing of it is left."""
    monkeypatch.setattr(in_process, "STOP_SECONDS", 60)
    code = """
        import asyncio
        ended = []
        async def handler(event, context):
            if event == "ended": return ended
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(context.aws_request_id)
    """
    async with make(code) as function:
        seconds = 0.05
        while (ended := (await function.invoke(b'"ended"', request_id="r-2")).result) == Payload(b"[]"):
            await timed_out(function, b'"hang"', "r-1", seconds=seconds)
            seconds *= 2
        assert ended == Payload(b'["r-1"]')
        assert function.status().problem is None


@pytest.mark.parametrize(
    "loop", ["while True: pass", "while True: n = sum(range(100))", "while True: time.sleep(0.001)"]
)
@BOTH
async def test_an_endless_loop_of_the_function_s_own_code_is_ended(make: MakeFunction, define: str, loop: str) -> None:
    """It would take a processor for good; its thread is interrupted and nothing of it is left."""
    code = f"import time\n{define} handler(event, context):\n    if event is None: return 'free'\n    {loop}"
    async with make(code) as function:
        await timed_out(function, b"1")
        await until(lambda: function.status().problem is None)
        assert (await function.invoke(b"null", request_id="r")).result == Payload(b'"free"')


@BOTH
async def test_other_invocations_go_on_beside_one_that_blocks(make: MakeFunction, pipe: Pipe, define: str) -> None:
    """A thread or a loop that hangs is replaced; that is reported until it comes back."""
    async with make(BLOCKS.format(define=define), concurrency=1) as function:
        await left_behind(function, pipe.event())
        assert "still run" in (function.status().problem or "")

        assert (await function.invoke(b"null", request_id="r")).result == Payload(b'"free"')

        pipe.release()
        await until(lambda: function.status().problem is None)


@BOTH
async def test_the_late_result_of_an_abandoned_invocation_is_ignored(
    make: MakeFunction, pipe: Pipe, define: str
) -> None:
    """It is no other invocation's result either."""
    async with make(BLOCKS.format(define=define), concurrency=1) as function:
        await left_behind(function, pipe.event())
        pipe.release()
        results = [(await function.invoke(b"null", request_id="r")).result for _ in range(5)]

    assert results == [Payload(b'"free"')] * 5


async def test_threads_that_hang_are_bounded(make: MakeFunction, pipe: Pipe) -> None:
    """From the limit on the function is throttled; when one of them ends it runs again."""
    async with make(BLOCKS.format(define="def"), concurrency=2) as function:
        for _ in range(function.abandoned_limit):
            await left_behind(function, pipe.event())

        refused = (await function.invoke(b"null", request_id="r")).result
        assert isinstance(refused, Throttle)
        assert "4 stopped invocations of orders still run; at most 4 may" in refused.message
        assert refused.retry_after_seconds == 1

        pipe.release()
        await until(lambda: "3 stopped" in (function.status().problem or ""))
        assert (await function.invoke(b"null", request_id="r")).result == Payload(b'"free"')


async def test_event_loops_that_are_blocked_are_bounded(make: MakeFunction, pipe: Pipe) -> None:
    """From the limit on the function is throttled; when one of them goes on it runs again."""
    async with make(BLOCKS.format(define="async def"), concurrency=100) as function:
        for _ in range(in_process.BLOCKED_LOOPS):
            await left_behind(function, pipe.event())

        refused = (await function.invoke(b"null", request_id="r")).result
        assert isinstance(refused, Throttle)
        assert "4 event loops of orders are blocked; at most 4 may be" in refused.message

        pipe.release()
        await until(lambda: "3 event loops" in (function.status().problem or ""))
        assert (await function.invoke(b"null", request_id="r")).result == Payload(b'"free"')


async def test_invocations_beside_a_blocking_one_end_well_on_the_old_loop(make: MakeFunction, pipe: Pipe) -> None:
    """Only new invocations go to the new loop; what the old one had begun is not run twice."""
    code = """
        import asyncio, os
        begun = 0
        async def handler(event, context):
            global begun
            if event == "begun": return begun
            begun += 1
            if event is None:
                await asyncio.sleep(0)
                await asyncio.sleep(0.01)
                return "beside"
            return os.read(event, 1).decode()
    """
    async with make(code) as function, anyio.create_task_group() as group:
        results: list[object] = []

        async def beside() -> None:
            results.append((await function.invoke(b"null", request_id="beside")).result)

        async def blocking() -> None:
            await left_behind(function, pipe.event())
            pipe.release()

        for _ in range(3):
            group.start_soon(beside)
        await anyio.lowlevel.checkpoint()
        group.start_soon(blocking)

    assert results == [Payload(b'"beside"')] * 3


async def test_a_handler_that_swallows_its_cancellation_is_left_alone_and_counted(
    make: MakeFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loop goes on with other invocations, and what it made lives on."""
    monkeypatch.setattr(in_process, "STOP_SECONDS", 2)  # in which a loop that is not blocked has its turn
    async with make(SWALLOWS) as function:
        await left_behind(function, b'"hang"')
        assert function.status().problem == "1 stopped invocations still run (at most 5)"
        assert (await function.invoke(b'"release"', request_id="r")).result == Payload(b'"free"')
        await until(lambda: function.status().problem is None)
        assert function.status().started_total == 1


async def test_handlers_that_swallow_their_cancellation_are_bounded(make: MakeFunction, tmp_path: Path) -> None:
    """From the limit on the function is throttled, until they have ended."""
    gate = tmp_path / "gate"
    code = f"""
        import asyncio, pathlib
        async def handler(event, context):
            while event == "hang" and not pathlib.Path({str(gate)!r}).exists():
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    pass
    """
    async with make(code, concurrency=1) as function:
        for _ in range(4):
            await left_behind(function, b'"hang"')

        refused = (await function.invoke(b'"free"', request_id="r")).result
        # Tasks that never end would be found by the garbage collector, in whichever test runs then.
        gate.touch()
        await until(lambda: function.status().problem is None)

    assert isinstance(refused, Throttle)


async def test_code_that_cannot_be_loaded_anew_is_reported_and_tried_again(
    make: MakeFunction, pipe: Pipe, tmp_path: Path
) -> None:
    """After a blocked loop the code is loaded again, as in a new environment on Lambda; that may fail, and heal."""
    function = make(BLOCKS.format(define="async def"))
    app = tmp_path / "code" / "app.py"
    async with function:
        good = app.read_text()
        app.write_text("raise RuntimeError('no database today')")
        await left_behind(function, pipe.event())

        failed = (await function.invoke(b"null", request_id="r")).result
        assert isinstance(failed, FunctionError)
        assert failed.error_type == "Runtime.ImportModuleError"
        assert "no database today" in failed.message
        assert "no database today" in (function.status().problem or "")

        app.write_text(good)
        os.utime(app, (1, 1))  # else its old bytecode would be taken for current
        assert (await function.invoke(b"null", request_id="r")).result == Payload(b'"free"')


@BOTH
async def test_cancelling_the_call_stops_the_invocation(make: MakeFunction, define: str, tmp_path: Path) -> None:
    """When the cancellation has been delivered the handler no longer runs."""
    wait = "await asyncio.sleep(0.001)" if define == "async def" else "time.sleep(0.001)"
    code = f"""
        import asyncio, time
        {define} handler(event, context):
            with open(event, "a", buffering=1) as out:
                while True:
                    out.write("x")
                    {wait}
    """
    beats = tmp_path / "beats"
    async with make(code) as function:
        with anyio.move_on_after(60) as scope:
            async with anyio.create_task_group() as group:

                async def cancel_once_it_runs() -> None:
                    await until(beats.exists)
                    scope.cancel()

                group.start_soon(cancel_once_it_runs)
                await function.invoke(json.dumps(str(beats)).encode(), request_id="r")
        await until(lambda: function.status().problem is None)
        written = beats.stat().st_size
        time.sleep(0.02)  # noqa: ASYNC251 - twenty beats, if it still ran
        assert beats.stat().st_size == written
        assert function.status().busy == 0


@BOTH
async def test_cancelling_a_call_that_blocks_takes_no_longer_than_allowed(
    make: MakeFunction, pipe: Pipe, define: str
) -> None:
    """The caller's shutdown is not held up."""
    async with make(BLOCKS.format(define=define)) as function:
        task = asyncio.create_task(function.invoke(pipe.event(), request_id="r"))
        await until(lambda: function.status().busy == 1)
        task.cancel()
        with anyio.fail_after(60), pytest.raises(asyncio.CancelledError):
            await task  # the handler itself blocks until the end of the test


@BOTH
async def test_cancelling_before_the_handler_began_leaves_nothing_behind(make: MakeFunction, define: str) -> None:
    """A call that is cancelled at once counts nowhere."""
    async with make(f"{define} handler(event, context): return 'fine'", concurrency=2) as function:
        for _ in range(50):
            task = asyncio.create_task(function.invoke(b"{}", request_id="r"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await until(lambda: function.status().problem is None)
        assert function.status().busy == 0
        assert (await function.invoke(b"{}", request_id="r")).result == Payload(b'"fine"')


@BOTH
async def test_leaving_while_a_handler_blocks_takes_no_longer_than_allowed(
    make: MakeFunction, pipe: Pipe, define: str
) -> None:
    """A hanging thread does not hold up the end."""
    with anyio.fail_after(60):
        async with make(BLOCKS.format(define=define)) as function:
            await left_behind(function, pipe.event())


async def test_code_that_hangs_when_it_is_imported_is_unusable(
    make: MakeFunction, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start is not held up for ever by a module that does not finish."""
    monkeypatch.setattr(in_process, "INIT_SECONDS", 0.1)
    function = make(f"import os\nos.read({pipe.read_end}, 1)\ndef handler(event, context): pass")

    with pytest.raises(FunctionUnusable, match=r"importing app\.handler from .* takes more than 0 s"):
        await function.__aenter__()


async def test_cancelling_the_start_leaves_no_thread_behind(make: MakeFunction, pipe: Pipe) -> None:
    """The thread that imports ends once the module lets it."""
    before = threading.active_count()
    function = make(f"import os\nos.read({pipe.read_end}, 1)\ndef handler(event, context): pass")
    with anyio.move_on_after(0.05):
        await function.__aenter__()
    pipe.release()

    await until(lambda: threading.active_count() == before)


async def test_the_caller_s_loop_stays_awake_while_handlers_burn_the_processor(
    make: MakeFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """User code may be slow; the poller's own timers keep going, for want of which it would burn for ever here."""
    enough: list[bool] = []
    monkeypatch.setattr(sys, "enough", enough, raising=False)
    code = "import sys\nenough = sys.enough\ndef handler(event, context):\n    n = 0\n    while not enough: n += 1\n    return True"
    async with make(code) as function, anyio.create_task_group() as group:

        async def tick() -> None:
            await until(lambda: function.status().busy == 1)
            for _ in range(5):
                await anyio.sleep(0.001)
            enough.append(True)

        group.start_soon(tick)
        assert (await function.invoke(b"{}", request_id="r")).result == Payload(b"true")


async def test_a_call_cancelled_before_its_first_step_has_ended(
    make: MakeFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started and stopped in one turn of the function's loop: its task never runs, and must not count as running for ever."""

    def receive(loop: Loop, call: Call | None) -> None:
        received(loop, call)
        if call is not None and not call.dropped:
            call.dropped = True
            received(loop, call)

    received = Loop._receive
    monkeypatch.setattr(Loop, "_receive", receive)
    async with make("async def handler(event, context): return 1", timeout=5) as function:
        await function.invoke(b"{}", request_id="r")
        await until(lambda: function.status().problem is None and not function.status().busy)
