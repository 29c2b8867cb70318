"""``headrace run`` as a user runs it: a process, a configuration file, functions on disk, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import yaml

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from pollers.emulators import Emulator

JOURNALING = """
import json, os, time

def note(**what):
    line = json.dumps({**what, "pid": os.getpid()}) + "\\n"
    fd = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)
"""
"""Put before every test function: ``note(...)`` appends one line to the journal, whole, whatever happens afterwards."""


PATIENCE_SECONDS = 240.0
"""For what takes seconds alone: on a busy machine it may take many times as long. Shorter bounds are what a test is about."""


@dataclass(slots=True)
class Workplace:
    """A folder with a configuration, functions and a journal, against one emulator."""

    folder: Path
    emulator: Emulator

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def function(self, source: str, *, name: str = "app") -> None:
        """Write ``functions/NAME.py``, with :data:`JOURNALING` in front."""
        code = self.folder / "functions"
        code.mkdir(exist_ok=True)
        (code / f"{name}.py").write_text(JOURNALING + textwrap.dedent(source))

    def configure(self, mappings: dict[str, Any], *, function: dict[str, Any] | None = None, **parts: Any) -> Path:  # noqa: ANN401 - YAML
        """Write ``headrace.yaml`` with one function ``work`` and these mappings."""
        settings = {
            "code": "./functions",
            "handler": "app.handler",
            "timeout": 10,
            "environment": {"JOURNAL": str(self.journal)},
        }
        path = self.folder / "headrace.yaml"
        path.write_text(
            yaml.safe_dump(
                {
                    "aws": {"region": self.emulator.region, "endpoint_url": self.emulator.endpoint_url},
                    "runtime": {
                        "http": False,
                        "checkpoints": f"sqlite:{self.folder / 'checkpoints.db'}",
                        **parts.pop("runtime", {}),
                    },
                    "functions": {"work": {**settings, **(function or {})}},
                    "event_source_mappings": {
                        name: {"function_name": "work", **mapping} for name, mapping in mappings.items()
                    },
                    **parts,
                }
            )
        )
        return path

    def notes(self) -> list[dict[str, Any]]:
        """What the functions noted so far."""
        if not self.journal.exists():
            return []
        text = self.journal.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def count(self, key: str = "id", **where: object) -> Counter[str]:
        """How often each value of ``key`` was noted, among notes with these members."""
        return Counter(
            note[key] for note in self.notes() if key in note and all(note.get(k) == v for k, v in where.items())
        )

    def logged(self, event: str | None = None) -> list[dict[str, Any]]:
        """The log's lines, as JSON; those of one event."""
        if not self.log.exists():
            return []
        text = self.log.read_text()
        whole = text[: text.rfind("\n") + 1]
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if event is None or line.get("event") == event]

    @contextmanager
    def headrace(self, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """``headrace run`` in a session of its own, its log in :attr:`log`; killed at the end if it still runs."""
        command = [sys.executable, "-m", "pollers", "run", str(self.folder / "headrace.yaml"), *arguments]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stderr=log,
                stdout=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "JOURNAL": str(self.journal), **(environment or {})},
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)

    def workers(self) -> set[int]:
        """The pids that noted anything and are still alive."""
        return {pid for pid in {note["pid"] for note in self.notes()} if _alive(pid)}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(
    condition: Callable[[], Any],
    *,
    within: float = PATIENCE_SECONDS,
    what: str = "the condition",
    running: subprocess.Popen[bytes] | None = None,
) -> None:
    """Poll until ``condition()`` is true; fails after ``within`` seconds, or when ``running`` has ended before."""
    deadline = time.monotonic() + within
    while not condition():
        assert running is None or running.poll() is None, f"headrace ended with {running.poll()} before {what}"
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s")
        await anyio.sleep(0.05)


async def until_true(
    condition: Callable[[], Awaitable[bool]], *, within: float = PATIENCE_SECONDS, what: str = "the condition"
) -> None:
    """As :func:`until`, for a condition that asks AWS."""
    deadline = time.monotonic() + within
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s")
        await anyio.sleep(0.2)


async def ended(process: subprocess.Popen[bytes], *, within: float = PATIENCE_SECONDS) -> int:
    """Wait for the process and return its exit code."""
    await until(lambda: process.poll() is not None, within=within, what="the end of headrace")
    return process.returncode


def terminate(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, as an orchestrator sends it."""
    process.send_signal(signal.SIGTERM)
