"""``runtime: python`` with AWS's own client in real worker processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest

from handlers.function import Invocation, Payload
from tests.e2e.functions import (
    TIMEOUTS,
    alive,
    python_function,
)
from tests.e2e.python_workers import ECHO, failed, nothing_left_behind, run, value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See ``nothing_left_behind``."""
    with nothing_left_behind(tmp_path, monkeypatch):
        yield


async def test_a_function_gets_its_event_and_context_and_stays_warm(tmp_path: Path) -> None:
    """Module globals survive, the context is Lambda's, and the log is Lambda's with the function's own lines."""
    source = """
        import os
        calls = 0
        print("loading")
        def handler(event, context):
            global calls
            calls += 1
            print("working")
            return [event, calls, os.getpid(), context.aws_request_id, context.function_name, context.memory_limit_in_mb,
                    context.invoked_function_arn, 0 < context.get_remaining_time_in_millis() <= 30000]
    """
    async with python_function(tmp_path / "code", source, memory_size=256) as function:
        first, second = await run(function, {"a": "ü"}), await run(function, [], "r-2")
        status = function.status()
    arn = "arn:aws:lambda:us-east-1:000000000000:function:orders"
    pid = value(first)[2]
    assert value(first) == [{"a": "ü"}, 1, pid, "r-1", "orders", "256", arn, True]
    assert value(second) == [[], 2, pid, "r-2", "orders", "256", arn, True]
    assert (status.workers, status.started_total, status.problem) == (1, 1, None)
    assert first.log[:4] == ("loading", "START RequestId: r-1 Version: $LATEST", "working", "END RequestId: r-1")
    assert first.log[4].startswith("REPORT RequestId: r-1\tDuration: ")
    assert "\tMemory Size: 256 MB\tMax Memory Used: " in first.log[4]
    assert "\tInit Duration: " in first.log[4]
    assert "\tMax Memory Used: 0 MB" not in first.log[4]
    assert second.log[:3] == ("START RequestId: r-2 Version: $LATEST", "working", "END RequestId: r-2")
    assert "Init Duration" not in second.log[3]


async def test_an_exception_is_lambdas_error_document(tmp_path: Path) -> None:
    """Type, message, request id and stack trace, as AWS's client writes them; the worker goes on."""
    source = """
        def handler(event, context):
            if event: return event
            raise ValueError("no such thing")
    """
    async with python_function(tmp_path / "code", source) as function:
        error = failed(await run(function))
        assert value(await run(function, 1)) == 1
        assert function.status().started_total == 1
    document = json.loads(error.document)
    assert error.error_type == "ValueError"
    assert document["requestId"] == "r-1"
    assert "raise ValueError" in document["stackTrace"][0]


async def test_a_result_that_is_no_json_is_a_marshal_error(tmp_path: Path) -> None:
    """AWS's client says Runtime.MarshalError."""
    async with python_function(tmp_path / "code", "def handler(event, context): return object()\n") as function:
        assert failed(await run(function)).error_type == "Runtime.MarshalError"


async def test_no_result_is_null(tmp_path: Path) -> None:
    """A handler that returns nothing returned null."""
    async with python_function(tmp_path / "code", "def handler(event, context): pass\n") as function:
        assert (await run(function)).result == Payload(b"null")


async def test_the_largest_event_goes_there_and_back(tmp_path: Path) -> None:
    """Six mebibytes."""
    event = b'"' + b"e" * (6 * 1024 * 1024 - 2) + b'"'
    async with python_function(tmp_path / "code", ECHO) as function:
        assert (await function.invoke(event, request_id="r")).result == Payload(event)


async def test_a_response_over_six_mebibytes_fails_and_the_next_one_works(tmp_path: Path) -> None:
    """Lambda's own error; AWS's client ends at the 413, so the worker is replaced."""
    source = "def handler(event, context): return 'x' * event\n"
    async with python_function(tmp_path / "code", source) as function:
        error = failed(await run(function, 7_000_000))
        assert error.error_type == "Function.ResponseSizeTooLarge"
        assert error.message == "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        assert value(await run(function, 3)) == "xxx"


async def test_a_timeout_kills_the_worker_and_everything_it_started(tmp_path: Path) -> None:
    """Lambda's document; children of the worker die with it, even those that left its process group."""
    source = """
        import json, os, subprocess, sys, time
        spin = [sys.executable, "-c", "import time; time.sleep(600)"]
        def handler(event, context):
            if not event: return os.getpid()
            child = subprocess.Popen(spin)
            away = subprocess.Popen(spin, start_new_session=True)
            orphan = int(subprocess.check_output(
                ["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 & echo $!"]))
            open(event + ".new", "w").write(json.dumps([os.getpid(), child.pid, away.pid, orphan]))
            os.rename(event + ".new", event)
            time.sleep(600)
    """
    pids = tmp_path / "pids"
    for timeout in TIMEOUTS:
        async with python_function(tmp_path / "code", source, timeout=timeout) as function:
            worker = value(await run(function))
            invocation = await run(function, str(pids), "r-2")
            if not pids.exists():
                continue
            started = json.loads(pids.read_text())
            assert started[0] == worker
            assert not any(alive(pid) for pid in started)
            assert value(await run(function)) != worker
            break
    error = failed(invocation)
    assert error.error_type == "Sandbox.Timedout"
    assert error.message == f"RequestId: r-2 Error: Task timed out after {timeout:.2f} seconds"
    assert invocation.duration_seconds >= timeout
    assert error.message in invocation.log
    assert invocation.log[-1].endswith("\tStatus: timeout\t")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "Runtime exited with error: signal: segmentation fault"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "Runtime exited with error: signal: killed"),
    ],
)
async def test_a_crash_fails_its_invocation_and_nothing_else(tmp_path: Path, how: str, said: str) -> None:
    """Lambda's wording of how the runtime ended; the next invocation has a new worker at once."""
    source = f"""
        import os, resource, signal, sys
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        def handler(event, context):
            if event == "work": return os.getpid()
            {how}
    """
    async with python_function(tmp_path / "code", source) as function:
        worker = value(await run(function, "work"))
        invocation = await run(function)
        assert value(await run(function, "work")) != worker
        assert function.status().started_total == 2
    error = failed(invocation)
    assert (error.error_type, error.message) == ("Runtime.ExitError", f"RequestId: r-1 Error: {said}")
    assert "\tStatus: error\tError Type: Runtime.ExitError\t" in invocation.log[-1]


@pytest.mark.parametrize(
    ("source", "handler", "kind", "said"),
    [
        ("import nothing_of_this_name\n", "app.handler", "Runtime.ImportModuleError", "Unable to import module 'app'"),
        (ECHO, "gone.handler", "Runtime.ImportModuleError", "No module named 'gone'"),
        (ECHO, "app.gone", "Runtime.HandlerNotFound", "Handler 'gone' missing on module 'app'"),
        (ECHO, "nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot'"),
        ("def handler(:\n", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("1 / 0\n", "app.handler", "ZeroDivisionError", "division by zero"),
    ],
)
async def test_a_function_that_cannot_be_loaded_fails_with_its_init_error(
    tmp_path: Path, source: str, handler: str, kind: str, said: str
) -> None:
    """The document of AWS's client, with an empty request id; the status says what is wrong."""
    async with python_function(tmp_path / "code", source, handler=handler) as function:
        invocation = await run(function)
        problem = function.status().problem
    error = failed(invocation)
    assert error.error_type == kind
    assert said in error.message
    assert json.loads(error.document)["requestId"] == ""
    assert problem is not None
    assert said in problem
    assert any(said in line for line in invocation.log)


async def test_a_handler_that_is_not_callable_is_an_error(tmp_path: Path) -> None:
    """As on Lambda, this is found when it is called."""
    async with python_function(tmp_path / "code", "handler = 7\n") as function:
        assert failed(await run(function)).message == "'int' object is not callable"


async def test_a_broken_function_is_not_started_again_and_again(tmp_path: Path) -> None:
    """One start fails all who wait; those who come later wait for the next try instead of failing at once."""
    marks = tmp_path / "marks"
    source = f"""
        import time
        def mark():
            with open({str(marks)!r}, "a") as marks:
                marks.write(f"{{time.monotonic()}}\\n")
        mark()
        time.sleep(0.1)
        mark()
        raise RuntimeError("broken")
    """
    async with python_function(tmp_path / "code", source, concurrency=1) as function:
        results: list[Invocation] = []

        async def one() -> None:
            results.append(await run(function))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
        assert [failed(result).message for result in results] == ["broken"] * 5
        assert len(marks.read_text().split()) == 2
        assert failed(await run(function)).message == "broken"
        _, ended, began, _ = map(float, marks.read_text().split())
        assert began - ended > 0.4


async def test_a_repaired_function_works_after_the_wait(tmp_path: Path) -> None:
    """An invocation that waited for the next try succeeds if the code was repaired meanwhile."""
    async with python_function(tmp_path / "code", "raise RuntimeError('broken')\n") as function:
        failed(await run(function))
        (tmp_path / "code" / "app.py").write_text(ECHO + "# repaired\n")
        assert value(await run(function, 1)) == 1
        assert function.status().problem is None


async def test_a_worker_that_hangs_in_its_initialisation_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the limit of initialisation, as a timeout."""
    monkeypatch.setattr("handlers.workers.worker.init_limit_seconds", lambda _: 0.4)
    async with python_function(tmp_path / "code", "import time\ntime.sleep(600)\n") as function:
        assert failed(await run(function)).error_type == "Sandbox.Timedout"
