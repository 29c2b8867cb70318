"""What an invocation costs, for each way to run a function: ``python -m benchmarks.invocations [--quick] [NAME...]``.

A no-op function is invoked by as many callers as it has workers, with events of 1 KB and 1 MB. Printed are invocations
a second, how long one takes while nothing else runs (its overhead: the function itself takes no time), Headrace's own
CPU time for one, and how long a first invocation takes that has to start a worker. ``http`` and ``lambda`` answer from
a canned server in another process, so theirs is the cost of asking. Logs are written as in production, to nowhere.

Any ``handlers.function.Function`` can be added to :func:`contenders`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import uvloop
from rich.console import Console
from rich.table import Table

import config.models as models
from handlers.factory import make_function
from handlers.function import Payload
from handlers.runtime_api import Connection, Response
from pollers.telemetry.logging import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from handlers.function import Function
    from handlers.runtime_api import Request

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
SIZES = {"1 KB": 1_000, "1 MB": 1_000_000}
COLD_STARTS = 5


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to run the no-op function."""

    name: str
    make: Callable[[int], Function]
    """Makes the function, for so many invocations at a time."""
    seconds: float
    """For how long it is measured, for each row."""
    cold: bool = False
    """Whether a first invocation starts a process."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured."""

    per_second: float
    cpu_microseconds: float
    median_ms: float
    p99_ms: float


def contenders(server_port: int, seconds: float) -> list[Contender]:
    """Every runtime."""
    noop = HERE / "noop"
    server = f"http://127.0.0.1:{server_port}"
    arn = "arn:aws:lambda:us-east-1:000000000000:function:noop"

    def python(workers: int) -> Function:
        return make_function(
            "noop", models.PythonFunction(code=noop, handler="plain.handler", concurrency=workers, timeout=60)
        )

    def provided(workers: int) -> Function:
        return make_function(
            "noop",
            models.ProvidedFunction(
                runtime="provided",
                code=noop,
                command=[sys.executable, "-m", "awslambdaric", "plain.handler"],
                concurrency=workers,
                timeout=60,
            ),
        )

    def shell(workers: int) -> Function:
        return make_function(
            "noop",
            models.ProvidedFunction(
                runtime="provided",
                code=EXAMPLES / "bootstrap_shell",
                command=["./bootstrap"],
                handler="function.handle",
                concurrency=workers,
                timeout=60,
            ),
        )

    def in_process(handler: str) -> Callable[[int], Function]:
        return lambda workers: make_function(
            "noop",
            models.InProcessFunction(runtime="in_process", code=noop, handler=handler, concurrency=workers, timeout=60),
        )

    def http(workers: int) -> Function:
        return make_function(
            "noop", models.HttpFunction(runtime="http", url=f"{server}/events", concurrency=workers, timeout=60)
        )

    def aws_lambda(workers: int) -> Function:
        model = models.LambdaFunction(runtime="lambda", function_arn=arn, concurrency=workers, timeout=60)
        return make_function("noop", model, aws=models.Aws(endpoint_url=server))

    return [
        Contender("python", python, seconds, cold=True),
        Contender("provided (awslambdaric)", provided, seconds, cold=True),
        Contender("provided (shell, curl)", shell, seconds, cold=True),
        Contender("in_process (def)", in_process("plain.handler"), seconds),
        Contender("in_process (async def)", in_process("app.handler"), seconds),
        Contender("http", http, seconds),
        Contender("lambda", aws_lambda, seconds),
    ]


async def invoke(function: Function, event: bytes) -> None:
    """One invocation, which must succeed."""
    invocation = await function.invoke(event, request_id=str(uuid.uuid4()))
    if not isinstance(invocation.result, Payload):
        raise SystemExit(f"the no-op function failed: {invocation.result}")


async def callers(function: Function, event: bytes, count: int, seconds: float) -> tuple[int, float, float]:
    """``count`` callers, each invoking again and again: how many invocations, elapsed and CPU seconds."""
    done = 0
    began, cpu = time.perf_counter(), time.process_time()

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await invoke(function, event)
            done += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(caller)
    return done, time.perf_counter() - began, time.process_time() - cpu


async def latencies(function: Function, event: bytes, seconds: float) -> list[float]:
    """One caller: how many milliseconds each invocation took."""
    found: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        await invoke(function, event)
        found.append((time.perf_counter() - began) * 1000)
    return found


async def measure(contender: Contender, workers: int, size: int) -> Row:
    """One row of the table."""
    event = json.dumps({"Records": [{"body": "x" * (size - 30)}]}).encode()
    async with contender.make(workers) as function:
        await callers(function, event, workers, contender.seconds / 4)
        done, elapsed, cpu = await callers(function, event, workers, contender.seconds)
        alone = await latencies(function, event, contender.seconds / 2)
    alone.sort()
    return Row(
        done / elapsed, cpu / done * 1e6, statistics.median(alone), alone[min(len(alone) - 1, len(alone) * 99 // 100)]
    )


async def cold_start(contender: Contender) -> float:
    """How many milliseconds a first invocation takes: the median of some."""
    found = []
    for _ in range(COLD_STARTS):
        async with contender.make(1) as function:
            began = time.perf_counter()
            await invoke(function, b"{}")
            found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found)


async def compare(names: Sequence[str], seconds: float, console: Console) -> None:
    """Measure and print."""
    table = Table(title="Invocations of a no-op function")
    for heading in ("runtime", "workers", "event", "a second", "CPU µs each", "median ms", "p99 ms", "cold start ms"):
        table.add_column(heading, justify="left" if heading == "runtime" else "right")
    with canned_server() as port:
        for contender in contenders(port, seconds):
            if names and not any(name in contender.name for name in names):
                continue
            cold = f"{await cold_start(contender):.0f}" if contender.cold else ""
            for workers in (1, 4):
                for label, size in SIZES.items():
                    row = await measure(contender, workers, size)
                    numbers = f"{row.per_second:.0f}", f"{row.cpu_microseconds:.0f}"
                    times = f"{row.median_ms:.2f}", f"{row.p99_ms:.2f}"
                    table.add_row(contender.name, str(workers), label, *numbers, *times, cold)
                    cold = ""
    console.print(table)


class _Canned:
    """Answers ``null`` to everything, as the Invoke API and a web service would."""

    def handle(self, request: Request, connection: Connection) -> Response:
        return Response(HTTPStatus.OK, b"null")

    def allows(self, connection: Connection) -> bool:
        return True

    def closed(self, connection: Connection) -> None:
        """Nothing to do."""


async def serve() -> None:
    """The canned server: prints its port, and runs until it is killed."""
    open_connections: set[Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(_Canned(), 8 * 1024 * 1024, open_connections), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await anyio.sleep_forever()


@contextmanager
def canned_server() -> Iterator[int]:
    """The canned server in a process of its own; its port."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.invocations", "--serve"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only runtimes whose name contains one of these")
    parser.add_argument("--quick", action="store_true", help="measure for half a second each")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve())
        return
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "none")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "none")
    with open(os.devnull, "w") as nowhere:
        configure_logging("info", stream=nowhere)
        uvloop.run(compare(options.names, 0.5 if options.quick else 2.0, Console(width=120)))


if __name__ == "__main__":
    main()
