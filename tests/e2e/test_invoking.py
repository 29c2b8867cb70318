"""docs/invoking.md, command by command: its example on an emulator, called in all five ways."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import unused_port
from anyio import to_thread

from pollers.emulators.cache import installed
from tests.e2e.chromium import page
from tests.e2e.documents import Shell, alike, steps
from tests.e2e.harness import ended, terminate, until
from tests.emulators import ENVIRONMENT
from tests.lambda_clients import AwsCli, Boto3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
RUN = "headrace run "


@dataclass
class Reader:
    """Somebody who goes through the document: with other ports than it has, since those may be taken."""

    folder: Path
    emulator: Emulator
    api_port: int

    @property
    def environment(self) -> dict[str, str]:
        """The commands of the document on the PATH, and boto3 beside Headrace's own code."""
        return {
            **os.environ,
            **ENVIRONMENT,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{installed(Boto3())}",
            "AWS_ENDPOINT_URL": self.emulator.endpoint_url,
            "HEADRACE_API_PORT": str(self.api_port),
            "HEADRACE_PORT": str(unused_port()),
        }

    def here(self, text: str) -> str:
        """A command of the document, as it is typed here."""
        return text.replace("http://localhost:4566", self.emulator.endpoint_url).replace(":9001", f":{self.api_port}")

    @property
    def log(self) -> list[dict[str, Any]]:
        """What Headrace logged."""
        text = (self.folder / "log").read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def taken(self) -> list[str]:
        """The orders that the function took."""
        events = [str(line["event"]) for line in self.log if line.get("function") == "orders"]
        return [event.split()[1] for event in events if event.endswith(" taken")]

    @contextmanager
    def running(self, config: str) -> Iterator[subprocess.Popen[bytes]]:
        """``headrace run``; killed at the end if it still runs."""
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pollers", "run", config],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)


@pytest.fixture
def reader(tmp_path: Path, ministack: Emulator) -> Reader:
    """With the example, ``headrace`` and ``aws`` in a folder of its own."""
    shutil.copytree(ROOT / "examples" / "every_way_in", tmp_path / "examples" / "every_way_in")
    cli = installed(AwsCli()) / "venv" / "bin"
    programs = {
        "aws": f"{cli / 'python'} {cli / 'aws'}",
        "headrace": f"{sys.executable} -m pollers",
        "python3": sys.executable,
    }
    (tmp_path / "bin").mkdir()
    for name, program in programs.items():
        command = tmp_path / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        command.chmod(0o755)
    return Reader(tmp_path, ministack, unused_port())


async def test_every_command_of_the_document_prints_what_it_says(reader: Reader) -> None:
    """Then a browser sends the page's form, the function has had what came in each way, and the books balance."""
    everything = list(steps((ROOT / "docs" / "invoking.md").read_text(encoding="utf-8")))
    start = next(place for place, step in enumerate(everything) if step.command.startswith(RUN))
    shell = Shell(reader.folder, reader.environment)
    try:
        for step in everything[:start]:
            assert await to_thread.run_sync(shell.run, reader.here(step.command)) == step.output
        with reader.running(everything[start].command.removeprefix(RUN)) as process:
            await until(lambda: any(line["event"] == "headrace started" for line in reader.log), running=process)
            for step in everything[start + 1 :]:
                printed = await to_thread.run_sync(shell.run, reader.here(step.command))
                assert alike(printed) == alike(step.output), step.command
            await send_the_form(reader)
            await until(lambda: "7" in reader.taken(), what="the message of the queue", running=process)
            terminate(process)
            assert await ended(process) == 0
    finally:
        shell.close()
    assert sorted(reader.taken()) == ["1", "10", "3", "4", "4", "6", "7", "standing"]
    ledgers = [line for line in reader.log if line["event"] == "shutdown 7: ledger"]
    assert [line["balanced"] for line in ledgers] == [True] * len(ledgers)
    assert {"mapping", "service"} <= {key for line in ledgers for key in line}


async def send_the_form(reader: Reader) -> None:
    """In a browser, by the host name that the document gives."""
    async with page(reader.folder) as seen:
        await seen.open(reader.here("http://orders.lambda-url.us-east-1.localhost:9001/"))
        await seen.value("document.querySelector('[name=id]').focus()")
        await seen.type("10")
        await seen.press("Enter")
        await seen.until("document.getElementById('answer')?.textContent === 'The total is 1.25.'")
