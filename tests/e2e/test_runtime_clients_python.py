"""``runtime: python`` with AWS's own client in real worker processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import textwrap
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import uvloop

from handlers.errors import FunctionUnusable
from handlers.function import FunctionError, InfrastructureError, Invocation, Payload
from handlers.logs import lines as log_lines
from handlers.workers import log_reader as worker_logs
from tests.e2e.functions import (
    REPOSITORY,
    TIMEOUTS,
    alive,
    children_of_this_process,
    exists,
    processes_about,
    python_function,
    python_process,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlers.workers import WorkerFunction

ECHO = "def handler(event, context): return event\n"


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No child process, and no scratch folder, outlives its function."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = set(children_of_this_process())
    yield
    assert set(children_of_this_process()) <= before
    assert list(scratch.iterdir()) == []


def value(invocation: Invocation) -> Any:  # noqa: ANN401 - whatever the function returned
    """What the function returned."""
    assert isinstance(invocation.result, Payload), invocation
    return json.loads(invocation.result.body)


def failed(invocation: Invocation) -> FunctionError:
    """How the function failed; its document agrees with type and message."""
    error = invocation.result
    assert isinstance(error, FunctionError), invocation
    document = json.loads(error.document)
    assert (document["errorType"], document["errorMessage"]) == (error.error_type, error.message)
    return error


async def run(function: WorkerFunction, event: object = None, request_id: str = "r-1") -> Invocation:
    """Run it once."""
    return await function.invoke(json.dumps(event).encode(), request_id=request_id)


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


async def test_a_worker_imports_none_of_our_packages(tmp_path: Path) -> None:
    """``config`` and the like do not exist for a function that has none, however Headrace is installed."""
    source = """
        import importlib.util, sys
        def handler(event, context):
            names = ["config", "handlers", "pollers", "tests", "benchmarks"]
            ours = [name for name in sys.modules if name.partition(".")[0] in names]
            return [[importlib.util.find_spec(name) is not None for name in names], ours]
    """
    async with python_function(tmp_path / "code", source) as function:
        assert value(await run(function)) == [[False] * 5, []]


async def test_a_functions_own_modules_of_our_names_are_the_ones_it_gets(tmp_path: Path) -> None:
    """A module, a package and a namespace package."""
    code = tmp_path / "code"
    (code / "handlers").mkdir(parents=True)
    (code / "pollers").mkdir()
    (code / "config.py").write_text("WHOSE = 'config of the function'\n")
    (code / "handlers" / "__init__.py").write_text("")
    (code / "handlers" / "function.py").write_text("WHOSE = 'handlers of the function'\n")
    (code / "pollers" / "poller.py").write_text("WHOSE = 'pollers of the function'\n")
    source = """
        import config, pollers.poller
        from handlers.function import WHOSE
        def handler(event, context): return [config.WHOSE, WHOSE, pollers.poller.WHOSE]
    """
    async with python_function(code, source) as function:
        assert value(await run(function)) == [f"{name} of the function" for name in ("config", "handlers", "pollers")]


async def test_import_of_a_missing_config_fails_as_on_lambda(tmp_path: Path) -> None:
    """No module of ours is found in its place."""
    async with python_function(tmp_path / "code", "import config\n" + ECHO) as function:
        assert failed(await run(function)).message == "Unable to import module 'app': No module named 'config'"


async def test_layers_lie_over_each_other_and_the_code_over_them(tmp_path: Path) -> None:
    """``python/``, ``python/lib/pythonX.Y/site-packages`` and bare folders; a later layer wins; ``bin`` is on the path."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    first, second, bare = (tmp_path / name for name in ("first", "second", "bare"))
    packages = second / "python" / "lib" / version / "site-packages"
    for folder in (first / "python", packages, bare, first / "bin"):
        folder.mkdir(parents=True)
    (first / "python" / "a.py").write_text("X = 'first'\n")
    (first / "python" / "b.py").write_text("X = 'first'\n")
    (packages / "b.py").write_text("X = 'second'\n")
    (bare / "c.py").write_text("X = 'bare'\n")
    (bare / "d.py").write_text("X = 'bare'\n")
    (first / "bin" / "tool").write_text("#!/bin/sh\necho tool\n")
    (first / "bin" / "tool").chmod(0o755)
    zipped = tmp_path / "zipped.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("python/e.py", "X = 'zipped'\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "d.py").write_text("X = 'code'\n")
    source = """
        import subprocess, a, b, c, d, e
        def handler(event, context):
            return [a.X, b.X, c.X, d.X, e.X, subprocess.check_output("tool", text=True).strip()]
    """
    async with python_function(tmp_path / "code", source, layers=[first, second, bare, zipped]) as function:
        assert value(await run(function)) == ["first", "second", "bare", "code", "zipped", "tool"]


async def test_a_zip_is_code(tmp_path: Path) -> None:
    """Unpacked to a folder of the function's own, which is its task root and working directory."""
    code = tmp_path / "code.zip"
    source = """
        import os, helper
        def handler(event, context): return [helper.X, os.getcwd() == os.environ["LAMBDA_TASK_ROOT"], __file__]
    """
    function = python_function(tmp_path / "unused", source, code=code)
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(tmp_path / "unused" / "app.py", "app.py")
        archive.writestr("helper.py", "X = 'zipped'\n")
    async with function:
        result = value(await run(function))
    assert result[:2] == ["zipped", True]
    assert not exists(result[2])


async def test_missing_code_is_unusable(tmp_path: Path) -> None:
    """Entering says what is wrong, and leaves nothing behind."""
    function = python_function(tmp_path / "code", ECHO, code=tmp_path / "missing")
    with pytest.raises(FunctionUnusable, match=r"function orders: code: .*missing is nothing"):
        async with function:
            pass


@pytest.mark.parametrize("name", ["missing", "text"])
async def test_an_interpreter_that_is_none_is_unusable(tmp_path: Path, name: str) -> None:
    """Missing, or not executable."""
    (tmp_path / "text").write_text("no interpreter")
    function = python_function(tmp_path / "code", ECHO, interpreter=tmp_path / name)
    with pytest.raises(FunctionUnusable, match=rf"function orders: interpreter: .*{name} cannot be run"):
        async with function:
            pass


async def test_another_virtual_environment_is_lent_our_client(tmp_path: Path) -> None:
    """One of the same Python version needs no awslambdaric of its own, and sees nothing else of ours."""
    environment = tmp_path / "venv"
    venv.create(environment, symlinks=True, with_pip=False)
    packages = next((environment / "lib").glob("python*/site-packages"))
    (packages / "dependency.py").write_text("X = 'its own'\n")
    source = """
        import importlib.util, sys, dependency
        def handler(event, context):
            return [sys.prefix, dependency.X, importlib.util.find_spec("pydantic") is not None]
    """
    interpreter = environment / "bin" / "python"
    async with python_function(tmp_path / "code", source, interpreter=interpreter) as function:
        assert value(await run(function)) == [str(environment), "its own", False]


async def test_an_interpreter_of_another_version_needs_its_own_client(tmp_path: Path) -> None:
    """Ours is compiled for one version: the message says what to install, and where."""
    interpreter = tmp_path / "python"
    # It stands for an interpreter whose version is another one: none of our client's compiled parts is made for it.
    interpreter.write_text(
        f"#!/bin/sh\nshift\nexec {sys.executable} -S -c '"
        'import importlib.machinery as m, sys, runpy; m.EXTENSION_SUFFIXES[:] = [".cpython-39-other.so"]; '
        f'sys.argv = ["{REPOSITORY / "handlers" / "workers" / "main.py"}", sys.argv[1]]; '
        'runpy.run_path(sys.argv[0], run_name="__main__")\' "$@"\n'
    )
    interpreter.chmod(0o755)
    function = python_function(tmp_path / "code", ECHO, interpreter=interpreter)
    with pytest.raises(FunctionUnusable, match=r"has no awslambdaric.*pip install awslambdaric"):
        async with function:
            pass


async def test_the_environment_holds_nothing_of_headraces_own(tmp_path: Path) -> None:
    """Only what a worker is meant to have, and a scratch folder of its own that is writable."""
    source = """
        import os, tempfile
        def handler(event, context):
            with tempfile.NamedTemporaryFile() as file:
                inside = file.name.startswith(os.environ["TMPDIR"])
            return [sorted(os.environ), inside, os.listdir(os.environ["TMPDIR"])]
    """
    async with python_function(tmp_path / "code", source, credentials="none") as function:
        names, inside, listed = value(await run(function))
    assert set(names) - {"LC_CTYPE"} == {
        *("AWS_CONFIG_FILE", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_EXECUTION_ENV"),
        *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"),
        *(
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_FORMAT",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
        ),
        *("AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SHARED_CREDENTIALS_FILE", "HOME", "LAMBDA_RUNTIME_DIR"),
        *("LAMBDA_TASK_ROOT", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID"),
    }
    assert inside
    assert listed == []


async def test_a_proxy_is_passed_on_and_does_not_stand_before_the_runtime_api(tmp_path: Path) -> None:
    """Whatever NO_PROXY says: loopback is added to it."""
    source = """
        import os, urllib.request
        def handler(event, context):
            return [urllib.request.getproxies().get("http"), bool(urllib.request.proxy_bypass("127.0.0.1:80"))]
    """
    own = {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "a.example"}
    async with python_function(tmp_path / "code", source, environment=own) as function:
        assert value(await run(function)) == ["http://127.0.0.1:9", True]


async def test_a_worker_cannot_speak_to_another_ones_endpoint(tmp_path: Path) -> None:
    """Nor can the test itself: whoever is not of the worker's session is refused."""
    there = tmp_path / "there"
    there.mkdir()
    source = """
        import http.client, os, subprocess, sys, time
        there = THERE
        def ask(address):
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("GET", "/2018-06-01/ping")
            return connection.getresponse().status
        def handler(event, context):
            if event == "address":
                open(os.path.join(there, str(os.getpid())), "w").close()
                while len(os.listdir(there)) < 2:
                    time.sleep(0.01)
                return os.environ["AWS_LAMBDA_RUNTIME_API"]
            own = os.environ["AWS_LAMBDA_RUNTIME_API"]
            code = "import app; print(app.ask(%r))" % own
            child = subprocess.check_output([sys.executable, "-c", code], text=True)
            return [own, {address: ask(address) for address in event}, child.strip()]
    """.replace("THERE", repr(str(there)))
    addresses: list[str] = []
    async with python_function(tmp_path / "code", source, concurrency=2) as function:

        async def one() -> None:
            addresses.append(value(await run(function, "address")))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            tasks.start_soon(one)
        assert len(set(addresses)) == 2
        own, statuses, of_a_child = value(await run(function, addresses))
        assert statuses == {address: 200 if address == own else 403 for address in addresses}
        assert of_a_child == "200"
        host, port = addresses[0].split(":")
        stream = await anyio.connect_tcp(host, int(port))
        async with stream:
            assert (await stream.receive()).startswith(b"HTTP/1.1 403 ")


async def test_strangers_that_leave_at_once_cannot_harm_a_worker(tmp_path: Path) -> None:
    """Whether they ask for its next invocation, report its failure or crowd its endpoint, the same process goes on."""
    source = """
        import os
        def handler(event, context): return [os.getpid(), os.environ["AWS_LAMBDA_RUNTIME_API"]]
    """
    async with python_function(tmp_path / "code", source) as function:
        pid, address = value(await run(function))
        assert function._pool is not None
        (worker,) = function._pool._living
        await until(lambda: worker.available)
        before = set(worker._endpoint._connections)
        host, port = address.split(":")
        for call in (b"GET /2018-06-01/runtime/invocation/next", b"POST /2018-06-01/runtime/init/error"):
            for _ in range(20):
                with socket.create_connection((host, int(port))) as stranger:
                    stranger.sendall(call + b" HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        crowd = [await anyio.connect_tcp(host, int(port)) for _ in range(100)]
        for one in crowd:  # each is answered, so that all of them have been dealt with
            async with one:
                assert (await one.receive()).startswith(b"HTTP/1.1 403 ")
        assert value(await run(function)) == [pid, address]
        assert set(worker._endpoint._connections) == before, "the worker had to connect again, which few clients do"


async def test_garbage_and_floods_of_output_do_no_harm(tmp_path: Path) -> None:
    """Bytes that are no text, a line of a mebibyte, no newline at the end, and a hundred thousand lines."""
    source = """
        import os, sys
        def handler(event, context):
            os.write(1, b"\\xff\\x00\\n")
            os.write(2, b"x" * 1024 * 1024 + b"\\n")
            if event:
                os.write(1, b"flood\\n" * 100_000)
            os.write(1, b"no newline")
            return event
    """
    async with python_function(tmp_path / "code", source) as function:
        quiet = await run(function)
        assert quiet.result == Payload(b"null")
        assert "\\xff\\x00" in quiet.log
        assert (
            "x" * log_lines.LINE_LIMIT_BYTES + f"... [{1024 * 1024 - log_lines.LINE_LIMIT_BYTES} more bytes]"
            in quiet.log
        )
        flooded = await run(function, 1)
        assert flooded.result == Payload(b"1")
        assert len(flooded.log) <= worker_logs.TAIL_LINES
        assert any(line.endswith(" lines dropped: more than 1000 a second]") for line in flooded.log)
        assert 0 < function.status().log_lines_dropped_total < 100_000


async def test_a_worker_that_holds_more_memory_than_allowed_is_killed(tmp_path: Path) -> None:
    """Lambda's own error; a child's memory counts as the worker's, also one's that left its session and its parents."""
    source = """
        import os, subprocess, sys, time
        def handler(event, context):
            if event == "child":
                subprocess.run([sys.executable, "-c", "x = bytearray(300 * 2**20); import time; time.sleep(60)"])
            elif event == "away":
                if not os.fork():
                    os.setsid()
                    if os.fork():
                        os._exit(0)
                    x = bytearray(300 * 2**20)
                    time.sleep(600)
                    os._exit(0)
                time.sleep(60)
            elif event:
                x = bytearray(event * 2**20)
                time.sleep(60 if event > 128 else 0.3)
            return "fine"
    """
    async with python_function(tmp_path / "code", source, memory_size=128, timeout=30) as function:
        assert value(await run(function, 50)) == "fine"
        invocation = await run(function, 300)
        error = failed(invocation)
        assert (error.error_type, error.message) == (
            "Runtime.OutOfMemory",
            "RequestId: r-1 Error: Runtime exited with error: signal: killed",
        )
        assert "\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory\t" in invocation.log[-1]
        assert failed(await run(function, "child")).error_type == "Runtime.OutOfMemory"
        assert failed(await run(function, "away")).error_type == "Runtime.OutOfMemory"


async def test_memory_that_grows_between_invocations_counts(tmp_path: Path) -> None:
    """What a process that the worker left running takes while no invocation runs: the next one gets a new worker."""
    source = """
        import os, time
        def handler(event, context):
            if event and not os.fork():
                os.setsid()
                while os.path.exists(event):
                    time.sleep(0.01)
                x = bytearray(300 * 2**20)
                time.sleep(600)
                os._exit(0)
            return os.getpid()
    """
    waits = tmp_path / "waits"
    waits.touch()
    async with python_function(tmp_path / "code", source, memory_size=128, timeout=30) as function:
        first = value(await run(function, str(waits)))
        assert function.status().workers == 1
        waits.unlink()
        await until(lambda: function.status().workers == 0)
        assert value(await run(function, None)) != first
        assert not alive(first)


async def test_processes_that_multiply_and_run_away_are_all_killed(tmp_path: Path) -> None:
    """Children that fork on and on, in the worker's group and out of it, are gone when the invocation has failed."""
    runaway = """
        import os, sys, time
        if sys.argv[2] == "away":
            os.setsid()
        for _ in range(2000):
            with open(sys.argv[1], "a") as file:
                file.write(f"{os.getpid()}\\n")
            time.sleep(0.005)
            if os.fork():
                os._exit(0)
    """
    source = """
        import subprocess, sys, time
        def handler(event, context):
            for where in ("away", "here") * 4:
                subprocess.Popen([sys.executable, "runaway.py", event, where])
            time.sleep(600)
    """
    marks = tmp_path / "marks"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "runaway.py").write_text(textwrap.dedent(runaway))
    for timeout in TIMEOUTS:
        async with python_function(tmp_path / "code", source, timeout=timeout) as function:
            assert failed(await run(function, str(marks))).error_type == "Sandbox.Timedout"
            assert processes_about(str(marks)) == []
        if marks.exists() and len(marks.read_text().split()) > 20:
            return
    pytest.fail("they never multiplied")


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
