"""What Python worker processes cannot do to each other and to Headrace."""

from __future__ import annotations

import socket
import textwrap
from typing import TYPE_CHECKING

import anyio
import pytest

from handlers.function import Payload
from handlers.logs import lines as log_lines
from handlers.logs.tail import TAIL_LINES
from tests.e2e.functions import (
    TIMEOUTS,
    alive,
    processes_about,
    python_function,
    until,
)
from tests.e2e.python_workers import failed, nothing_left_behind, run, value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See ``nothing_left_behind``."""
    with nothing_left_behind(tmp_path, monkeypatch):
        yield


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
        assert len(flooded.log) <= TAIL_LINES
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
