"""Python worker processes: how many there are, when they end, and that they outlive nobody."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
import uvloop

from handlers.function import Call, FunctionError, InfrastructureError, Invocation
from tests.e2e.functions import (
    alive,
    exists,
    python_function,
    python_process,
    until,
)
from tests.e2e.python_workers import ECHO, failed, nothing_left_behind, run, value

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See ``nothing_left_behind``."""
    with nothing_left_behind(tmp_path, monkeypatch):
        yield


async def test_no_more_workers_than_concurrency_and_no_fewer_than_needed(tmp_path: Path) -> None:
    """Four invocations at a time on two workers: two run, two wait, and both workers are used again."""
    there = tmp_path / "there"
    there.mkdir()
    source = f"""
        import os, time
        def handler(event, context):
            open(os.path.join({str(there)!r}, str(os.getpid())), "w").close()
            while len(os.listdir({str(there)!r})) < 2:
                time.sleep(0.01)
            time.sleep(0.3)
            return os.getpid()
    """
    pids: list[int] = []
    async with python_function(tmp_path / "code", source, concurrency=2) as function:

        async def one() -> None:
            pids.append(value(await run(function)))

        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)
            await until(lambda: function.status().busy == 2)
        took = anyio.current_time() - began
        assert function.status().workers == 2
    assert len(set(pids)) == 2
    assert took >= 0.6


async def test_what_may_not_begin_any_more_when_its_worker_is_there_does_not_run(tmp_path: Path) -> None:
    """It is asked then, and not before the worker's start; the worker is kept for the next one."""
    async with python_function(tmp_path / "code", ECHO) as function:
        asked: list[int] = []

        def too_late() -> bool:
            asked.append(function.status().workers)
            return False

        late = await function.invoke(b'"event"', request_id="r", call=Call(may_begin=too_late))
        assert isinstance(late.result, InfrastructureError)
        assert asked == [1]
        assert value(await run(function, "next")) == "next"
        assert function.status().started_total == 1


async def test_idle_workers_are_stopped(tmp_path: Path) -> None:
    """After ``idle_timeout``; the next invocation starts one again."""
    async with python_function(tmp_path / "code", ECHO, idle_timeout=0.2) as function:
        await run(function)
        await until(lambda: function.status().workers == 0)
        assert value(await run(function, 2)) == 2
        assert function.status().started_total == 2


async def test_a_worker_that_is_stopped_may_clean_up(tmp_path: Path) -> None:
    """Its SIGTERM handler runs, although AWS's client waits inside a C library; it has half a second."""
    mark = tmp_path / "mark"
    source = f"""
        import signal, sys
        def end(*_):
            open({str(mark)!r}, "w").write("cleaned up")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        def handler(event, context): return 1
    """
    async with python_function(tmp_path / "code", source) as function:
        await run(function)
    assert mark.read_text() == "cleaned up"


async def test_a_worker_that_will_not_end_is_killed(tmp_path: Path) -> None:
    """One that ignores SIGTERM does not hold up the end of Headrace."""
    source = """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        def handler(event, context): return 1
    """
    async with python_function(tmp_path / "code", source) as function:
        await run(function)
        began = anyio.current_time()
    assert anyio.current_time() - began < 60  # else for ever


async def test_cancelling_an_invocation_kills_its_worker(tmp_path: Path) -> None:
    """When the cancellation has been delivered the worker is dead, and the function can be invoked again."""
    source = """
        import os, time
        def handler(event, context):
            if not event: return 1
            open(event, "w").write(str(os.getpid()))
            time.sleep(600)
    """
    mark = tmp_path / "pid"
    async with python_function(tmp_path / "code", source) as function:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, function, str(mark))
            await until(lambda: mark.exists() and bool(mark.read_text()))
            tasks.cancel_scope.cancel()
        assert not alive(int(mark.read_text()))
        assert value(await run(function)) == 1


async def test_cancelling_an_invocation_that_waits_leaves_the_others_alone(tmp_path: Path) -> None:
    """Its place in the line is given up."""
    async with python_function(tmp_path / "code", "import time\ntime.sleep(0.3)\n" + ECHO, concurrency=1) as function:
        results: list[object] = []

        async def one() -> None:
            results.append(value(await run(function, 5)))

        async with anyio.create_task_group() as tasks:
            with anyio.move_on_after(0.05):
                await run(function, 4)
            tasks.start_soon(one)
        assert results == [5]


async def test_leaving_stops_running_invocations(tmp_path: Path) -> None:
    """Whoever still waits is told, and the worker is gone (see the fixture)."""
    source = "import time\ndef handler(event, context): time.sleep(600)\n"
    results: list[Invocation] = []
    function = python_function(tmp_path / "code", source, concurrency=1)

    async def one() -> None:
        results.append(await run(function))

    async with anyio.create_task_group() as tasks, function:
        tasks.start_soon(one)
        tasks.start_soon(one)
        await until(lambda: function.status().busy == 1)
    kinds = {type(invocation.result) for invocation in results}
    assert kinds == {FunctionError, InfrastructureError}
    assert isinstance((await function.invoke(b"{}", request_id="r")).result, InfrastructureError)


_PARENT = """
import asyncio, json, os, sys
from pathlib import Path
from config.models import PythonFunction
from handlers.workers import WorkerFunction, prepare_python

async def main() -> None:
    model = PythonFunction(code=Path(sys.argv[1]), handler="app.handler", timeout=600)
    async with WorkerFunction("orders", model, prepare_python) as function:
        await function.invoke(json.dumps(sys.argv[2]).encode(), request_id="r")

asyncio.run(main())
"""


def test_durations_are_measured_and_not_counted_in_milliseconds(tmp_path: Path) -> None:
    """Also on uvloop, whose own clock stands still for a millisecond; what took any time at all is billed one."""

    async def invoke() -> list[Invocation]:
        async with python_function(tmp_path, "def handler(event, context): pass") as function:
            return [await function.invoke(b"{}", request_id=f"r{n}") for n in range(5)]

    invocations = uvloop.run(invoke())
    milliseconds = [invocation.duration_seconds * 1000 for invocation in invocations]
    assert all(taken > 0.01 for taken in milliseconds)
    assert any(abs(taken - round(taken)) > 0.01 for taken in milliseconds)
    assert all("\tBilled Duration: 0 ms" not in line for invocation in invocations for line in invocation.log)


@pytest.mark.parametrize("uvloop", [False, True])
async def test_a_dead_headrace_leaves_no_orphans(tmp_path: Path, uvloop: bool) -> None:
    """kill -9 of the parent: worker, its children, those that left its group, keeper and scratch folder are gone."""
    source = """
        import json, os, subprocess, time
        def handler(event, context):
            child = subprocess.Popen(["sleep", "600"])
            away = subprocess.Popen(["sleep", "600"], start_new_session=True)
            pids = [os.getpid(), os.getppid(), child.pid, away.pid]
            open(event + ".part", "w").write(json.dumps([pids, os.environ["TMPDIR"]]))
            os.rename(event + ".part", event)
            time.sleep(600)
    """
    python_function(tmp_path / "code", source)
    mark = tmp_path / "mark"
    program = _PARENT.replace("asyncio.run", "__import__('uvloop').run") if uvloop else _PARENT
    parent = python_process(program, str(tmp_path / "code"), str(mark), temporary=tmp_path / "tmp")
    try:
        await until(mark.exists)
        pids, scratch = json.loads(mark.read_text())
        assert all(alive(pid) for pid in pids)
        assert exists(scratch)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    await until(lambda: not any(alive(pid) for pid in pids))
    await until(lambda: not exists(Path(scratch).parent))


async def test_a_dead_keeper_takes_its_worker_with_it(tmp_path: Path) -> None:
    """Even kill -9 of the keeper leaves no worker, and the function goes on."""
    source = """
        import os, subprocess, time
        def handler(event, context):
            if not event: return 1
            child = subprocess.Popen(["sleep", "600"])
            away = subprocess.Popen(["sleep", "600"], start_new_session=True)
            open(event, "w").write(f"{os.getppid()} {os.getpid()} {child.pid} {away.pid}\\n")
            time.sleep(600)
    """
    mark = tmp_path / "mark"
    results: list[Invocation] = []
    async with python_function(tmp_path / "code", source) as function:

        async def one() -> None:
            results.append(await run(function, str(mark)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            await until(lambda: mark.exists() and mark.read_text().endswith("\n"))
            pids = [int(word) for word in mark.read_text().split()]
            os.kill(pids[0], signal.SIGKILL)
        assert failed(results[0]).error_type == "Runtime.ExitError"
        await until(lambda: not any(alive(pid) for pid in pids))
        assert value(await run(function)) == 1
