"""docs/developing.md, command by command: its project on an emulator, watched, debugged, tested and imported again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp.test_utils import unused_port
from anyio import to_thread

from pollers.emulators.cache import installed
from tests.e2e.debugger import Debugger
from tests.e2e.documents import Shell, Step, steps
from tests.e2e.harness import ended, terminate, until
from tests.emulators import ENVIRONMENT
from tests.lambda_clients import AwsCli

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "developing.md").read_text(encoding="utf-8")
RUN = "headrace run "


@dataclass
class Developer:
    """Somebody who goes through the document, with other ports than it has."""

    folder: Path
    emulator: Emulator

    @property
    def project(self) -> Path:
        return self.folder / "shop"

    @property
    def environment(self) -> dict[str, str]:
        found = {
            **os.environ,
            **ENVIRONMENT,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "AWS_REGION": "us-east-1",
            "AWS_ACCOUNT_ID": "000000000000",
            "AWS_ENDPOINT_URL": self.emulator.endpoint_url,
        }
        return {name: value for name, value in found.items() if name not in ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST")}

    def here(self, text: str) -> str:
        """A command of the document, as it is typed here."""
        return text.replace("http://localhost:4566", self.emulator.endpoint_url)

    @property
    def log(self) -> list[dict[str, Any]]:
        """What Headrace logged."""
        text = (self.folder / "log").read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Lines of one event, which may be what the function printed."""
        return [line for line in self.log if line["event"] == event]

    @contextmanager
    def running(self, arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """``headrace run``; killed at the end if it still runs."""
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pollers", "run", *arguments.split()],
                cwd=self.project,
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
def developer(tmp_path: Path, ministack: Emulator) -> Developer:
    """With the example, ``headrace`` and ``aws`` in a folder of its own."""
    shutil.copytree(
        ROOT / "examples" / "developing",
        tmp_path / "examples" / "developing",
        ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"),
    )
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
    return Developer(tmp_path, ministack)


async def test_every_command_of_the_document_does_what_it_says(developer: Developer) -> None:
    """The imported mapping runs, saved code is applied, a handler stops at a breakpoint, and the template comes back."""
    everything = list(steps(DOCUMENT))
    start = next(place for place, step in enumerate(everything) if step.command.startswith(RUN))
    shell = Shell(developer.folder, developer.environment)

    async def do(*these: Step) -> None:
        for step in these:
            printed = await to_thread.run_sync(shell.run, developer.here(step.command))
            assert printed == step.output, step.command

    try:
        await do(*everything[:start])
        with developer.running(everything[start].command.removeprefix(RUN)) as process:

            async def logged(event: str) -> None:
                await until(lambda: developer.logged(event), what=event, running=process)

            await logged("watching code and configuration")
            define, first, change, second, *rest = everything[start + 1 :]
            await do(define, first)
            await logged("order 1 costs 8")
            await do(change)
            await logged("changed code is applied")
            await stop_at_a_breakpoint(developer, process, lambda: do(second))
            await do(rest[0], rest[1])
            before = len(developer.logged("configuration reloaded"))
            await do(*rest[2:])
            await until(
                lambda: len(developer.logged("configuration reloaded")) > before, what="a reload", running=process
            )
            terminate(process)
            assert await ended(process) == 0
    finally:
        shell.close()


async def stop_at_a_breakpoint(
    developer: Developer, process: subprocess.Popen[bytes], send: Callable[[], Awaitable[None]]
) -> None:
    """With the configuration that the document gives, and then without it again."""
    path, code = developer.project / "headrace.yaml", developer.project / "src" / "orders" / "app.py"
    configured = path.read_text()
    port = unused_port()
    (snippet,) = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    path.write_text(yaml.safe_dump(yaml.safe_load(configured) | yaml.safe_load(snippet.replace("5678", str(port)))))
    await until(lambda: developer.logged("configuration reloaded"), what="the reload", running=process)
    # The first event starts the worker.
    shell = Shell(developer.project, developer.environment)
    queue = f"--queue-url {developer.emulator.endpoint_url}/000000000000/orders"
    shell.run(
        f'aws --endpoint-url $AWS_ENDPOINT_URL sqs send-message {queue} --message-body \'{{"id": 9, "amount": 1}}\''
    )
    shell.close()
    await until(lambda: developer.logged("order 9 costs 3"), what="the first event", running=process)

    debugger = await to_thread.run_sync(Debugger, port)
    line = code.read_text().splitlines().index('    total = order["amount"] * 3') + 1
    await to_thread.run_sync(debugger.attach, str(code), line)
    await send()
    thread = await to_thread.run_sync(debugger.stopped)
    assert await to_thread.run_sync(debugger.variable, thread, "order") == "{'id': 2, 'amount': 4}"
    assert not developer.logged("order 2 costs 12")
    await to_thread.run_sync(debugger.go_on, thread)
    await until(lambda: developer.logged("order 2 costs 12"), what="going on", running=process)
    await to_thread.run_sync(debugger.close)

    reloads = len(developer.logged("configuration reloaded"))
    path.write_text(configured)
    await until(
        lambda: len(developer.logged("configuration reloaded")) > reloads, what="the end of it", running=process
    )
