"""File descriptors: the limit is raised, workers keep theirs, and running out of them is a slow-down, never a traceback."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest

from pollers.emulators import Emulator
from tests.e2e import hanging as service
from tests.e2e.hanging import hanging
from tests.e2e.harness import Workplace, ended, terminate, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def limited(workplace: Workplace, soft: int, hard: int) -> Iterator[subprocess.Popen[bytes]]:
    """``headrace run`` with these limits of open files."""
    command = [sys.executable, "-m", "pollers", "run", str(workplace.folder / "headrace.yaml")]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    with workplace.log.open("ab") as log:
        process = subprocess.Popen(
            ["sh", "-c", f'ulimit -Sn {soft}; ulimit -Hn {hard}; exec "$@"', "sh", *command],
            stderr=log,
            stdout=log,
            env={**os.environ, **keys, "JOURNAL": str(workplace.journal)},
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


async def test_the_limit_is_raised_and_workers_keep_theirs(tmp_path: Path) -> None:
    """Said at the start; a function that uses select() finds the numbers that it had before."""
    hard = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 4_096)
    async with hanging({**service.SQS, "ReceiveMessage": [{"Messages": [service.MESSAGE]}]}) as scripted:
        scripted.answers["DeleteMessageBatch"] = service.confirmed
        workplace = Workplace(tmp_path, Emulator("scripted", scripted.port, tmp_path / "emulator"))
        workplace.function(
            "import resource\ndef handler(event, context): note(id='ran', limits=resource.getrlimit(resource.RLIMIT_NOFILE))"
        )
        workplace.configure({"m": {"event_source_arn": service.QUEUE}})
        with limited(workplace, 512, hard) as process:
            await until(lambda: scripted.asked["DeleteMessageBatch"], running=process, what="the delete")
            terminate(process)
            assert await ended(process) == 0
    [said] = workplace.logged("file descriptors")
    assert (said["limit"], said["before"]) == (hard, 512)
    [note] = workplace.notes()
    assert note["limits"] == [512, hard]


async def test_with_fewer_descriptors_than_mappings_headrace_goes_on(tmp_path: Path) -> None:
    """Some mappings wait for a connection; the others poll, health answers, and no traceback is logged."""
    async with hanging({**service.SQS}) as scripted:
        port = free_port()
        workplace = Workplace(tmp_path, Emulator("scripted", scripted.port, tmp_path / "emulator"))
        workplace.function("def handler(event, context): pass")
        mappings = {f"m{number}": {"event_source_arn": f"{service.QUEUE}-{number}"} for number in range(150)}
        workplace.configure(mappings, runtime={"http": {"port": port}})

        def healthy() -> int:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60) as reply:
                status: int = reply.status
                return status

        with limited(workplace, 100, 100) as process:
            await until(lambda: "Too many open files" in workplace.log.read_text(), running=process, what="running out")
            await until(
                lambda: scripted.asked["ReceiveMessage"] > 20, running=process, what="polling of those that got one"
            )
            for _ in range(20):
                assert await anyio.to_thread.run_sync(healthy) == 200
            terminate(process)
            assert await ended(process, within=30) == 0
    text = workplace.log.read_text()
    print(f"{scripted.asked['ReceiveMessage']} of 150 mappings polled")
    assert "Traceback" not in text
    assert '"exception"' not in text
    [said] = [line for line in workplace.logged() if line["event"].startswith("few file descriptors")]
    assert said["limit"] == 100


async def test_with_fewer_descriptors_than_mappings_each_has_its_turn(tmp_path: Path) -> None:
    """Connections that are kept between long polls are not those mappings' for ever."""
    polled = set[str]()

    def url(request: dict[str, Any]) -> dict[str, Any]:
        return {"QueueUrl": f"http://127.0.0.1/000000000000/{request['QueueName']}"}

    def nothing(request: dict[str, Any]) -> dict[str, Any]:
        polled.add(request["QueueUrl"])
        return {}

    async with hanging({**service.SQS, "GetQueueUrl": url, "ReceiveMessage": nothing}) as scripted:
        scripted.takes_seconds["ReceiveMessage"] = 5.0
        workplace = Workplace(tmp_path, Emulator("scripted", scripted.port, tmp_path / "emulator"))
        workplace.function("def handler(event, context): pass")
        workplace.configure({f"m{number}": {"event_source_arn": f"{service.QUEUE}-{number}"} for number in range(150)})
        with limited(workplace, 100, 100) as process:
            await until(lambda: len(polled) == 150, running=process, what="every queue's poll")
            terminate(process)
            assert await ended(process) == 0
    assert "Traceback" not in workplace.log.read_text()


async def test_workers_that_cannot_have_descriptors_are_started_later(tmp_path: Path) -> None:
    """Messages stay where they are meanwhile; nothing is logged as a fault of ours, and the stop is in order."""
    answers = {**service.SQS, "ReceiveMessage": service.another_message, "DeleteMessageBatch": service.confirmed}
    async with hanging({**answers, "ChangeMessageVisibilityBatch": service.confirmed}) as scripted:
        workplace = Workplace(tmp_path, Emulator("scripted", scripted.port, tmp_path / "emulator"))
        workplace.function("def handler(event, context): time.sleep(0.05)")
        mappings = {f"m{number}": {"event_source_arn": f"{service.QUEUE}-{number}"} for number in range(40)}
        workplace.configure(mappings, function={"concurrency": 30})
        with limited(workplace, 90, 90) as process:
            await until(lambda: "Too many open files" in workplace.log.read_text(), running=process, what="running out")
            await until(
                lambda: scripted.asked["DeleteMessageBatch"] > 50, running=process, what="work done all the same"
            )
            terminate(process)
            await ended(process, within=60)
    assert "Traceback" not in workplace.log.read_text()
    assert '"exception"' not in workplace.log.read_text()
