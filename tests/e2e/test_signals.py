"""Signals that come at a bad moment: while the process starts, while a function's code loads. No emulator is needed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from pollers.emulators import Emulator
from tests.e2e.harness import Workplace, ended, terminate, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

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
        assert await ended(process, within=20) == 0
    os.close(opened[0])


async def test_a_stop_while_code_inside_headrace_is_imported_is_in_order(workplace: Workplace) -> None:
    """An import that takes minutes holds nothing up: the numbered shutdown runs to its end."""
    folder = workplace.folder / "slow"
    folder.mkdir()
    (folder / "app.py").write_text(f"open({str(workplace.journal)!r}, 'w').close()\nimport time\ntime.sleep(600)\n")
    slow = {"runtime": "in_process", "code": str(folder), "handler": "app.handler"}
    workplace.configure({"q": {**QUEUE, "function_name": "slow"}}, functions={"slow": slow})
    with workplace.headrace() as process:
        await until(workplace.journal.exists, running=process, what="the import")
        terminate(process)
        assert await ended(process, within=20) == 0, workplace.log.read_text()
    [ledger] = workplace.logged("shutdown 7: ledger")
    assert ledger["balanced"]
