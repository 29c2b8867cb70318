"""What Lambda's own API costs: ``python -m benchmarks.invoke_api [--quick]``.

A no-op function at 1 KB, in one run: by itself (``Function.invoke`` in a process without a server), synchronously by a client that
keeps its connection, through its function URL, and asynchronously (``Event``: the 202 comes when the event is on the disk; then
with the run that follows, until nothing is queued). Beside it AWS's Runtime Interface Emulator and ministack's Lambda, where they
can be had. Printed are medians, Headrace's CPU time for each, and what is added. The client is in the benchmark's own process, so
what Headrace's process spends is Headrace's.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import uvloop
from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table

import config.models as models
from benchmarks.invocations import latencies as own_latencies
from benchmarks.raw_http import latencies, load, request
from handlers.factory import make_function
from pollers.emulators import EmulatorUnavailable, Ministack, started
from pollers.telemetry.logging import configure_logging
from tests.contract.rie import RuntimeInterfaceEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
EVENT = json.dumps({"Records": [{"body": "x" * 970}]}).encode()
HOST = {"Host": "127.0.0.1"}
CONNECTIONS = 32
INVOKERS = 4
"""As many as a function's concurrency allows: a throttle is no invocation."""
CONFIG = """\
runtime: {http: false}
lambda_api: {port: 0}
functions:
  worker: {code: CODE, handler: plain.handler, timeout: 60, function_url: {auth_type: NONE}}
  inside: {runtime: in_process, code: CODE, handler: app.handler, timeout: 60, function_url: {auth_type: NONE}}
  asleep: {runtime: in_process, code: CODE, handler: asleep.handler, timeout: 900, concurrency: 1}
"""
ADDED_MS = 0.5
ACCEPTED_A_CPU_SECOND = 2_000
URL_TO_INVOKE = 1.5
TURNS = 6


@dataclass(frozen=True, slots=True)
class Served:
    """A running Headrace."""

    pid: int
    port: int
    state: Path

    def cpu_seconds(self) -> float:
        """User and system time of its own process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def headrace(folder: Path) -> Iterator[Served]:
    """``headrace run`` with the functions of the benchmark."""
    (folder / "headrace.yaml").write_text(CONFIG.replace("CODE", str(HERE / "noop")))
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "pollers", "run", str(folder / "headrace.yaml")]
        process = subprocess.Popen(command, stderr=log, cwd=HERE.parent)
        try:
            yield Served(process.pid, _port(process, folder / "log"), folder / ".headrace" / "state.db")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("{") and (said := json.loads(line)).get("event") == "Lambda's API is served":
                return int(said["url"].rpartition(":")[2])
        time.sleep(0.05)
    raise SystemExit(f"headrace did not start: {log.read_text()[-2000:]}")


async def own(seconds: float) -> dict[str, float]:
    """The runtimes' own medians, in milliseconds."""
    noop = HERE / "noop"
    made: dict[str, models.FunctionModel] = {
        "worker": models.PythonFunction(code=noop, handler="plain.handler", timeout=60),
        "inside": models.InProcessFunction(runtime="in_process", code=noop, handler="app.handler", timeout=60),
    }
    found = {}
    for name, model in made.items():
        async with make_function(name, model) as function:
            await own_latencies(function, EVENT, seconds / 4)
            found[name] = statistics.median(await own_latencies(function, EVENT, seconds))
    return found


def invoke_request(function: str, kind: str = "RequestResponse") -> bytes:
    """A call of Invoke."""
    path = f"/2015-03-31/functions/{function}/invocations"
    return request("POST", path, EVENT, {**HOST, "X-Amz-Invocation-Type": kind})


def url_request(function: str) -> bytes:
    """A call of a function URL."""
    return request("POST", f"/function-urls/{function}/", EVENT, {**HOST, "Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class Row:
    """One way in."""

    way: str
    median_ms: float | None
    cpu_us: float | None
    per_second: float | None


def measure(served: Served, ways: dict[str, bytes], expected: int, seconds: float) -> list[Row]:
    """Of each way its median with one caller, and its CPU time with many.

    They take turns, so that whatever else the machine does slows all of them alike.
    """
    alone: dict[str, list[float]] = {way: [] for way in ways}
    spent, replies, took = (dict.fromkeys(ways, 0.0) for _ in range(3))
    for sent in ways.values():
        # As many callers as there will be, so that every worker has been started.
        load(served.port, partial(bytes, sent), expected, INVOKERS, seconds / 4)
    for _ in range(TURNS):
        for way, sent in ways.items():
            alone[way] += latencies(served.port, sent, expected, seconds / TURNS)
            cpu = served.cpu_seconds()
            busy = load(served.port, partial(bytes, sent), expected, INVOKERS, seconds / TURNS)
            spent[way] += served.cpu_seconds() - cpu
            replies[way] += busy.replies
            took[way] += busy.seconds
            if busy.wrong:
                raise SystemExit(f"{way}: {busy.wrong} of {busy.replies} replies were not as expected")
    return [
        Row(way, statistics.median(alone[way]), spent[way] / replies[way] * 1e6, replies[way] / took[way])
        for way in ways
    ]


def accepted(served: Served, seconds: float) -> Row:
    """Durable acceptances of events for a function that is busy, so that nothing else runs."""
    sent = invoke_request("asleep", "Event")
    alone = statistics.median(latencies(served.port, sent, 202, seconds / 4))
    cpu = served.cpu_seconds()
    busy = load(served.port, lambda: sent, 202, CONNECTIONS, seconds)
    spent = served.cpu_seconds() - cpu
    if busy.wrong:
        raise SystemExit(f"{busy.wrong} of {busy.replies} events were not accepted")
    return Row("Event (202)", alone, spent / busy.replies * 1e6, busy.replies / busy.seconds)


def queued(served: Served, function: str, seconds: float) -> Row:
    """Events that are accepted, run and forgotten."""
    sent = invoke_request(function, "Event")
    cpu, began = served.cpu_seconds(), time.perf_counter()
    busy = load(served.port, lambda: sent, 202, INVOKERS, seconds)
    with closing(sqlite3.connect(f"{served.state.as_uri()}?mode=ro", uri=True)) as state:
        while state.execute("SELECT EXISTS (SELECT 1 FROM invocations WHERE function = ?)", (function,)).fetchone()[0]:
            time.sleep(0.01)
    spent = served.cpu_seconds() - cpu
    return Row(
        f"Event and run {function}", None, spent / busy.replies * 1e6, busy.replies / (time.perf_counter() - began)
    )


def emulator(seconds: float) -> Row | None:
    """AWS's Runtime Interface Emulator, which runs one call at a time."""
    try:
        with started(RuntimeInterfaceEmulator(HERE / "noop", 60)) as running:
            port = int(running.endpoint_url.rpartition(":")[2])
            sent = request("POST", "/2015-03-31/functions/function/invocations", EVENT, HOST)
            latencies(port, sent, 200, seconds / 4)
            return Row(
                "AWS's Runtime Interface Emulator", statistics.median(latencies(port, sent, 200, seconds)), None, None
            )
    except (EmulatorUnavailable, ConnectionError) as unavailable:
        print(f"without the Runtime Interface Emulator: {unavailable}", file=sys.stderr)
        return None


def ministack(seconds: float) -> Row | None:
    """The Invoke of an AWS emulator, which runs the same function in a process of its own."""
    try:
        with started(Ministack()) as running:
            code = io.BytesIO()
            with zipfile.ZipFile(code, "w") as archive:
                archive.write(HERE / "noop" / "plain.py", "plain.py")
            session = botocore.session.Session()
            session.set_credentials("test", "test")
            session.create_client(
                "lambda", region_name=running.region, endpoint_url=running.endpoint_url
            ).create_function(
                FunctionName="noop",
                Runtime="python3.11",
                Role="arn:aws:iam::000000000000:role/none",
                Handler="plain.handler",
                Code={"ZipFile": code.getvalue()},
                Timeout=60,
            )
            port, sent = int(running.endpoint_url.rpartition(":")[2]), invoke_request("noop")
            latencies(port, sent, 200, seconds / 4)
            return Row("ministack's Lambda", statistics.median(latencies(port, sent, 200, seconds)), None, None)
    except (EmulatorUnavailable, ConnectionError, ClientError) as unavailable:
        print(f"without ministack: {unavailable}", file=sys.stderr)
        return None


def compare(seconds: float, console: Console) -> bool:
    """Measure and print; whether every goal is met."""
    with open(os.devnull, "w") as nowhere:
        configure_logging("info", stream=nowhere)
        medians = uvloop.run(own(seconds))
    with tempfile.TemporaryDirectory() as folder, headrace(Path(folder)) as served:
        rows = [
            row
            for name in medians
            for row in measure(
                served, {f"Invoke {name}": invoke_request(name), f"URL {name}": url_request(name)}, 200, seconds
            )
        ]
        rows += [queued(served, name, seconds) for name in medians]
        rows.append(accepted(served, seconds))
    rows += [peer for peer in (emulator(seconds), ministack(seconds)) if peer is not None]
    table = Table(title="Ways into a no-op function, 1 KB")
    for heading in ("way", "median ms", "CPU µs each", "a second"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for name, median in medians.items():
        table.add_row(f"Function.invoke {name}", f"{median:.3f}", "", "")
    for row in rows:
        figures = (row.median_ms, 3), (row.cpu_us, 0), (row.per_second, 0)
        table.add_row(row.way, *("" if value is None else f"{value:,.{digits}f}" for value, digits in figures))
    console.print(table)
    return judge(medians, {row.way: row for row in rows}, console)


def judge(medians: dict[str, float], rows: dict[str, Row], console: Console) -> bool:
    """Print each goal with what was reached."""
    met = []

    def goal(text: str, reached: bool) -> None:
        met.append(reached)
        console.print(f"{'met' if reached else 'NOT MET'}: {text}")

    for name, own_ms in medians.items():
        invoke, url = rows[f"Invoke {name}"].median_ms or 0, rows[f"URL {name}"].median_ms or 0
        goal(
            f"Invoke {name} adds {invoke - own_ms:.3f} ms to {own_ms:.3f} (at most {ADDED_MS})",
            invoke - own_ms <= ADDED_MS,
        )
        goal(
            f"URL {name} takes {url / invoke:.2f} times an Invoke (at most {URL_TO_INVOKE})",
            url <= URL_TO_INVOKE * invoke,
        )
    each = rows["Event (202)"].cpu_us or 0
    goal(
        f"{1e6 / each:,.0f} events accepted a CPU-second (at least {ACCEPTED_A_CPU_SECOND:,})",
        1e6 / each >= ACCEPTED_A_CPU_SECOND,
    )
    return all(met)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a second for each figure, to see whether it works")
    arguments = parser.parse_args()
    sys.exit(0 if compare(1.0 if arguments.quick else 6.0, Console()) else 1)


if __name__ == "__main__":
    main()
