"""The benchmark that the README shows, in short: it runs, and its goal is met."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_whole_mapping_takes_less_cpu_than_a_plain_loop() -> None:
    """At least 1.4 times the messages per CPU-second of ten lines of aiobotocore: the benchmark itself says so."""
    command = [sys.executable, "-m", "benchmarks.sqs_throughput", "--rounds", "1", "--seconds", "2"]
    command += ["--only", "headrace", "--only", "plain"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Headrace" in done.stdout
    assert "below the goal" not in done.stdout
