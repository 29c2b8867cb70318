"""Logs that nobody reads: polling goes on, health answers, a signal stops it in time, exit code 0 (docs/design, decision 15)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from pollers.emulators import Emulator
from tests.e2e import hanging as service
from tests.e2e.hanging import Service, hanging
from tests.e2e.harness import Workplace, ended, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

BOUND_SECONDS = 25.0
ROUNDS = 60
"""So many messages are handled after the log has stalled; each writes more than a hundred bytes of it, and a pipe takes 4,096."""
ENDLESS = {
    **service.SQS,
    "ReceiveMessage": service.another_message,
    "DeleteMessageBatch": service.confirmed,
    "ChangeMessageVisibilityBatch": service.confirmed,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Loud:
    """A Headrace that handles one message after the other, with a worker that prints; its streams are the test's business."""

    def __init__(
        self, folder: Path, scripted: Service, *, prints: str = "handling " + "x" * 100, **runtime: object
    ) -> None:
        self.scripted = scripted
        self.port = free_port()
        self.place = Workplace(folder, Emulator("scripted", scripted.port, folder / "emulator"))
        self.place.function(f"def handler(event, context): print({prints!r})")
        settings = {"http": {"port": self.port}, **runtime}
        self.place.configure({"m": {"event_source_arn": service.QUEUE}}, runtime=settings)

    @contextmanager
    def started(self, stdout: int, stderr: int, shell: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """``headrace run``; ``shell`` is what a shell appends to the command, to close streams."""
        command = [sys.executable, "-m", "pollers", "run", str(self.place.folder / "headrace.yaml")]
        if shell:
            command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env={**os.environ, **keys})
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)

    async def works_on(self, process: subprocess.Popen[bytes], what: str) -> None:
        """It handles messages, answers health checks, and a signal stops it."""
        before = self.scripted.asked["DeleteMessageBatch"]
        await until(
            lambda: self.scripted.asked["DeleteMessageBatch"] > before + ROUNDS,
            running=process,
            what=f"polling with {what}",
        )
        health = await anyio.to_thread.run_sync(self._health)
        assert health == 200
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = await ended(process, within=BOUND_SECONDS)
        print(f"stopped in {time.monotonic() - began:.2f} s: {what}")
        assert code == 0

    def _health(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=60) as reply:
            status: int = reply.status
            return status


async def test_a_pipe_that_nobody_reads_freezes_nothing(tmp_path: Path) -> None:
    """Both streams lead to a pipe of 4,096 bytes whose reader sleeps."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4_096)
    async with hanging(dict(ENDLESS)) as scripted:
        loud = Loud(tmp_path, scripted)
        with loud.started(writable, writable) as process:
            await loud.works_on(process, "a full pipe")
    os.close(readable)
    os.close(writable)


async def test_a_terminal_that_somebody_has_stopped_freezes_nothing(tmp_path: Path) -> None:
    """Ctrl-S."""
    master, terminal = pty.openpty()
    async with hanging(dict(ENDLESS)) as scripted:
        loud = Loud(tmp_path, scripted)
        with loud.started(terminal, terminal) as process:
            termios.tcflow(terminal, termios.TCOOFF)
            await loud.works_on(process, "a stopped terminal")
    termios.tcflow(terminal, termios.TCOON)
    os.close(terminal)
    os.close(master)


async def test_a_reader_that_ends_ends_nothing_else(tmp_path: Path) -> None:
    """``headrace run 2>&1 | head -1``."""
    readable, writable = os.pipe()
    async with hanging(dict(ENDLESS)) as scripted:
        loud = Loud(tmp_path, scripted)
        with loud.started(writable, writable) as process:
            os.close(writable)
            await anyio.to_thread.run_sync(os.read, readable, 100)
            os.close(readable)
            await loud.works_on(process, "a reader that ended")


@pytest.mark.parametrize("shell", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
async def test_streams_that_are_closed_or_full_change_nothing(tmp_path: Path, shell: str) -> None:
    """What the process opens does not get the numbers of closed ones, so that nothing is written where it does not belong."""
    async with hanging(dict(ENDLESS)) as scripted:
        loud = Loud(tmp_path, scripted)
        with loud.started(subprocess.DEVNULL, subprocess.DEVNULL, shell) as process:
            await until(lambda: scripted.asked["DeleteMessageBatch"], running=process, what="polling")
            with contextlib.suppress(PermissionError):  # its memory is private, and that with it, but for root
                for number in range(3):
                    where = os.readlink(f"/proc/{process.pid}/fd/{number}")
                    assert where.startswith("/dev/"), (number, where)
            await loud.works_on(process, shell)


METRIC = '{"_aws":{"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[[]],"Metrics":[{"Name":"p"}]}]},"p":1}'


async def test_metrics_that_nobody_reads_freeze_nothing_and_the_log_goes_on(tmp_path: Path) -> None:
    """An agent that sleeps: functions' metrics go to a full pipe, and the log on standard error is whole."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4_096)
    async with hanging(dict(ENDLESS)) as scripted:
        loud = Loud(tmp_path, scripted, prints=METRIC, embedded_metrics="stdout")
        with loud.place.log.open("wb") as log, loud.started(writable, log.fileno()) as process:
            await loud.works_on(process, "metrics that nobody reads")
    assert os.read(readable, 100).startswith(METRIC[:100].encode())
    assert len([line for line in loud.place.logged() if "REPORT" in line["event"]]) > ROUNDS
    os.close(readable)
    os.close(writable)


@pytest.mark.parametrize("shell", [">&-", ">/dev/full"])
async def test_metrics_without_a_standard_output_change_nothing(tmp_path: Path, shell: str) -> None:
    """They are lost; the log is not, and nothing of them is written where it does not belong."""
    async with hanging(dict(ENDLESS)) as scripted:
        loud = Loud(tmp_path, scripted, prints=METRIC, embedded_metrics="stdout")
        with loud.place.log.open("wb") as log, loud.started(subprocess.DEVNULL, log.fileno(), shell) as process:
            await loud.works_on(process, f"metrics to {shell}")
    assert len([line for line in loud.place.logged() if "REPORT" in line["event"]]) > ROUNDS
    assert "CloudWatchMetrics" not in loud.place.log.read_text()
