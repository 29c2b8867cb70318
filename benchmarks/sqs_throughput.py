"""Messages per CPU-second: Headrace beside a plain aiobotocore loop and npm's sqs-consumer, in one run, on one endpoint.

``python -m benchmarks.sqs_throughput [--seconds 6] [--rounds 2] [--only NAME]``. The canned endpoint runs on one core, the
clients one after the other on another, in turns, so that a noisy machine is noisy for all. What counts is the CPU time of
the client's process: receive 10, invoke a function that does nothing, delete 10, with ten receives at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.sqs_clients import RECEIVES
from pollers.emulators import InstallFailed, installed
from pollers.emulators.cache import step

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
GOAL = 1.4
"""Times the plain loop, at least."""
HEADRACE, PLAIN, NODE = "headrace", "plain", "sqs-consumer"
TITLES = {HEADRACE: "Headrace", PLAIN: "plain aiobotocore loop", NODE: "npm sqs-consumer"}


@dataclass(frozen=True, slots=True)
class SqsConsumer:
    """npm's most used SQS consumer, the newest that runs on Node 20."""

    name: str = "sqs-consumer"
    version: str = "14.2.8"
    revision: str = "2"

    def install(self, folder: Path) -> None:
        """With AWS's SDK for JavaScript."""
        step(
            [
                *("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", folder),
                # What these need, as of a day: the same on every later one.
                *("--before", "2026-11-28"),
                *(f"sqs-consumer@{self.version}", "@aws-sdk/client-sqs@3.1169.0", "@smithy/node-http-handler@4.14.2"),
            ],
            folder=folder,
        )
        shutil.copy(HERE / "sqs_consumer.mjs", folder)


@dataclass(frozen=True, slots=True)
class Run:
    """One client's measurement."""

    messages: int
    cpu_seconds: float
    wall_seconds: float

    @property
    def per_cpu_second(self) -> float:
        """Messages received, handled and deleted in a second of the client's CPU time."""
        return self.messages / self.cpu_seconds


def cores() -> tuple[set[int], set[int]]:
    """One core for the client, another for the endpoint; the same where there is only one."""
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (set(available[:1]), set(available[1:2] or available[:1]))


def pin(pid: int, where: set[int]) -> None:
    """Keep a process on ``where``, on systems that can."""
    if where and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, where)


@contextmanager
def canned_endpoint(where: set[int]) -> Iterator[int]:
    """The endpoint in a process of its own; its port."""
    command = [sys.executable, "-m", "benchmarks.canned_sqs"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent
    ) as endpoint:
        assert endpoint.stdout is not None
        pin(endpoint.pid, where)
        yield int(endpoint.stdout.readline())
        endpoint.communicate()


def measure(client: str, port: int, seconds: float, where: set[int]) -> Run:
    """Run one client to its end."""
    if client == NODE:
        folder = installed(SqsConsumer())
        shutil.copy(HERE / "sqs_consumer.mjs", folder)
        command = ["node", str(folder / "sqs_consumer.mjs"), str(port), str(seconds), str(RECEIVES)]
    else:
        command = [sys.executable, "-m", "benchmarks.sqs_clients", client, str(port), str(seconds)]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "NODE_ENV": "production"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent, env=environment) as process:
        pin(process.pid, where)
        output, _ = process.communicate(timeout=seconds + 60)
    if process.returncode != 0:
        raise SystemExit(f"{client} failed with {process.returncode}")
    return Run(**json.loads(output.splitlines()[-1]))


def main() -> int:
    """Measure, print the table, say whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="measured for each client and round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=list(TITLES), action="append", help="one client alone; may be repeated")
    options = parser.parse_args()
    clients = options.only or list(TITLES)
    try:
        if NODE in clients:
            installed(SqsConsumer())
    except InstallFailed as failed:
        print(f"without {NODE}: {failed}", file=sys.stderr)
        clients.remove(NODE)
    client_core, endpoint_core = cores()
    runs: dict[str, list[Run]] = {client: [] for client in clients}
    with canned_endpoint(endpoint_core) as port:
        for _ in range(options.rounds):
            for client in clients:
                runs[client].append(measure(client, port, options.seconds, client_core))
    return report(runs)


def report(runs: dict[str, list[Run]]) -> int:
    """One line a client: the median of its rounds, and its ratio to the plain loop."""
    rates = {client: statistics.median(run.per_cpu_second for run in found) for client, found in runs.items()}
    print(f"{'':<24}{'messages / CPU-second':>24}{'µs / message':>16}{'messages / s':>16}{'to plain loop':>16}")
    for client, found in runs.items():
        rate = rates[client]
        per_second = statistics.median(run.messages / run.wall_seconds for run in found)
        ratio = f"{rate / rates[PLAIN]:.2f} x" if PLAIN in rates else "-"
        print(f"{TITLES[client]:<24}{rate:>24,.0f}{1e6 / rate:>16.1f}{per_second:>16,.0f}{ratio:>16}")
    if PLAIN in rates and HEADRACE in rates and rates[HEADRACE] < GOAL * rates[PLAIN]:
        print(f"below the goal of {GOAL} times the plain loop")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
