"""Resident memory while a backlog of a million records goes through a slow function.

``python -m benchmarks.stream_memory`` reads 1,000,000 Kinesis records of 300 B from a canned endpoint, as fast as the engine likes,
through a function that takes 20 ms for each batch of 1,000, and prints the curve; it fails above 150 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks.canned import served
from benchmarks.streams import ENVIRONMENT

if TYPE_CHECKING:
    from pollers.telemetry.facts import Fact

RECORDS = 1_000_000
BATCH = 1_000
HANDLER = """
import time


def handler(event, context):
    time.sleep(0.02)
"""
LIMIT_MB = 150
SAMPLE_SECONDS = 0.25
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_COLUMNS = 60


def resident_mb() -> float:
    """This process's resident memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6


class Curve:
    """Samples of memory and of what the poller holds."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.samples: list[tuple[float, float, int, int]] = []

    def sample(self, held: int, done: int) -> None:
        """Take one."""
        self.samples.append((time.monotonic() - self.began, resident_mb(), held, done))

    @property
    def peak_mb(self) -> float:
        """The most memory of all samples."""
        return max(sample[1] for sample in self.samples)

    def show(self) -> None:
        """Print a line for each of twenty samples, evenly spaced, and the peak's."""
        every = max(1, len(self.samples) // 20)
        peak = max(range(len(self.samples)), key=lambda index: self.samples[index][1])
        print(" seconds       done     held   resident")
        for index, (seconds, megabytes, held, done) in enumerate(self.samples):
            if index % every == 0 or index == peak:
                bar = "#" * round(megabytes / LIMIT_MB * _COLUMNS)
                note = "  peak" if index == peak else ""
                print(f"{seconds:8.1f} {done:10,} {held:8,} {megabytes:7.1f} MB |{bar:{_COLUMNS}}|{note}")


async def measure() -> int:
    """The run, in this process; the exit code."""
    from benchmarks.engine import engine
    from pollers.telemetry.facts import Checkpointed

    done = 0

    def sink(_mapping: str, fact: Fact) -> None:
        nonlocal done
        if isinstance(fact, Checkpointed):
            done += fact.count
            if done >= RECORDS:
                running.stop.request()

    async def watch() -> None:
        while True:
            curve.sample(running.poller.held(), done)
            await anyio.sleep(SAMPLE_SECONDS)

    endpoint = served("benchmarks.canned_streams", "kinesis", "10000", str(int(time.time()) - 60), str(RECORDS))
    with endpoint as endpoint_url, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(HANDLER)
        async with engine("kinesis", endpoint_url, Path(folder), batch_size=BATCH, sinks=(sink,)) as running:
            curve = Curve()
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                await running.poller.run()
                group.cancel_scope.cancel()
            assert running.ledger.checkpointed == RECORDS, running.ledger
    curve.show()
    print(f"peak {curve.peak_mb:.1f} MB of {LIMIT_MB} MB")
    return 0 if curve.peak_mb < LIMIT_MB else 1


def main() -> int:
    """Run in a fresh process, so that nothing but the engine is in it."""
    if sys.argv[1:] == ["--here"]:
        from pollers.commands.run import backend_options

        return anyio.run(measure, backend_options=backend_options())
    command = [sys.executable, "-m", "benchmarks.stream_memory", "--here"]
    return subprocess.run(command, env=os.environ | ENVIRONMENT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
