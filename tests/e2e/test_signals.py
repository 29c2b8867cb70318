"""Bad moments: signals while the process starts or a function's code loads, a process that cannot move. No emulator is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pollers.emulators import Emulator
from tests.e2e.harness import Workplace, ended, terminate, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

QUEUE = {"event_source_arn": "arn:aws:sqs:us-east-1:000000000000:never-asked"}


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """Against an endpoint where nobody listens."""
    return Workplace(tmp_path, Emulator("nobody", 1, tmp_path / "emulator"))


def reader_waits(fifo: Path, opened: list[int]) -> bool:
    """Whether somebody waits for what the FIFO brings; the end to write to is then kept open, so that he waits on."""
    try:
        opened.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


async def test_a_stop_while_starting_ends_at_once_with_exit_0(workplace: Workplace) -> None:
    """It heeds SIGTERM before anything runs, as the first process of a container else never would; SIGHUP does not kill it."""
    configuration, opened = workplace.folder / "headrace.yaml", list[int]()
    os.mkfifo(configuration)
    with workplace.headrace() as process:
        await until(lambda: reader_waits(configuration, opened), running=process, what="reading the configuration")
        process.send_signal(signal.SIGHUP)
        terminate(process)
        assert await ended(process) == 0
    os.close(opened[0])


IMPORTING = """
import os, signal, sys

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Slow())
sys.argv = ["headrace", "run", "nowhere.yaml"]
from pollers.entry import main
main()
"""


def test_a_stop_in_the_moment_of_the_start_ends_at_once_with_exit_0() -> None:
    """Before the first import that takes time: process 1 of a container never gets a signal that it does not heed."""
    assert subprocess.run([sys.executable, "-c", IMPORTING], timeout=60, check=False).returncode == 0


async def test_a_stop_while_code_inside_headrace_is_imported_is_in_order(workplace: Workplace) -> None:
    """An import that takes minutes holds nothing up: the numbered shutdown runs to its end."""
    folder = workplace.folder / "slow"
    folder.mkdir()
    (folder / "app.py").write_text(
        f"open({str(workplace.journal)!r}, 'w').close()\nimport time\ntime.sleep(600)\nhandler = 0\n"
    )
    slow = {"runtime": "in_process", "code": str(folder), "handler": "app.handler"}
    workplace.configure({"q": {**QUEUE, "function_name": "slow"}}, functions={"slow": slow})
    with workplace.headrace() as process:
        await until(workplace.journal.exists, running=process, what="the import")
        terminate(process)
        assert await ended(process) == 0, workplace.log.read_text()
    [ledger] = workplace.logged("shutdown 7: ledger")
    assert ledger["balanced"]


STANDSTILL = """
import sys
from pollers.cli import main
from pollers.commands import run

run.STANDSTILL_SECONDS = 1.0
main(["run", sys.argv[1]])
"""


@contextmanager
def watched_closely(workplace: Workplace, configuration: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``headrace run`` that takes a second without a sign of life for a standstill."""
    with workplace.log.open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", STANDSTILL, str(configuration)], stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


async def test_code_that_stops_the_whole_process_is_told_of(workplace: Workplace) -> None:
    """Nothing gets through while Python's global lock is kept, but which code keeps it is on stderr all the same."""
    folder = workplace.folder / "stuck"
    folder.mkdir()
    (folder / "app.py").write_text("import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')\n")
    stuck = {"runtime": "in_process", "code": str(folder), "handler": "app.handler"}
    configuration = workplace.configure({"q": {**QUEUE, "function_name": "stuck"}}, functions={"stuck": stuck})
    with watched_closely(workplace, configuration) as process:
        await until(lambda: str(folder / "app.py") in workplace.log.read_text(), running=process, what="the stacks")
