"""Functions for end-to-end tests: real worker processes on code that a test writes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from config.models import ProvidedFunction, PythonFunction
from handlers.environment.world import World
from handlers.workers import WorkerFunction, prepare_provided, prepare_python

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_SECONDS = 60
"""A bound for what is waited for, on a machine that does many other things."""

TIMEOUT_SECONDS = 30
"""Of functions that are not to run into it."""

TIMEOUTS = (1.5, 6.0, 24.0)
"""For functions that are to run into it, once they have got as far as the test wants: on a busy machine that may take a while."""

REPOSITORY = Path(__file__).resolve().parents[2]


def python_function(
    folder: Path,
    source: str,
    /,
    metric_line: Callable[[str], None] | None = None,
    **settings: Any,  # noqa: ANN401 - a model's own
) -> WorkerFunction:
    """A Python function whose module ``app`` is ``source`` and whose handler is ``app.handler``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(textwrap.dedent(source))
    model = PythonFunction(**{"code": folder, "handler": "app.handler", "timeout": TIMEOUT_SECONDS, **settings})
    return WorkerFunction(
        "orders", model, prepare_python, world=World(headrace_environment(), "us-east-1"), metric_line=metric_line
    )


def provided_function(folder: Path, bootstrap: str, /, **settings: Any) -> WorkerFunction:  # noqa: ANN401 - as above
    """A function whose executable ``bootstrap`` is this script."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "bootstrap"
    script.write_text(textwrap.dedent(bootstrap))
    script.chmod(0o755)
    defaults = {"runtime": "provided", "code": folder, "command": ["./bootstrap"], "timeout": TIMEOUT_SECONDS}
    model = ProvidedFunction(**{**defaults, **settings})
    return WorkerFunction("shell", model, prepare_provided, world=World(headrace_environment(), "us-east-1"))


def headrace_environment() -> dict[str, str]:
    """What Headrace itself would be started with, on a machine with nobody's account."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


async def until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait until it is so, or fail."""
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process is running (a zombie is not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_about(word: str) -> list[int]:
    """Every process that has ``word`` in its command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if word.encode() in command:
                found.append(int(entry.name))
    return found


def children_of_this_process() -> list[int]:
    """Every process whose parent is this one, zombies included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == os.getpid():
                found.append(int(entry.name))
    return found


def exists(path: Path | str) -> bool:
    """Whether there is such a file or folder."""
    return Path(path).exists()


def python_process(program: str, *arguments: str, temporary: Path) -> subprocess.Popen[bytes]:
    """A process of its own that runs ``program`` with our packages."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
