"""A running emulator: on a free port of 127.0.0.1, in a process group that ends when this process does."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pollers.emulators import keeper
from pollers.emulators.cache import cache_folder, installed, tail
from pollers.emulators.errors import StartFailed
from pollers.emulators.recipes import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.emulators.recipes import Launch, Recipe

STARTS_AT_MOST = 3
"""A port that was free may be in use when the emulator binds it."""
KEPT_LOGS = 20
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Emulator:
    """An emulator that answers at ``endpoint_url``. ``log`` holds its output, and stays when it has stopped."""

    name: str
    port: int
    log: Path
    account: str = ACCOUNT
    region: str = "us-east-1"
    process_group: int | None = None
    """Its processes, with the keeper that ends them, where this process has started it."""

    @property
    def endpoint_url(self) -> str:
        """The URL of all its services."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it by SIGKILL, as a machine ends that loses its power; returns when nothing of it runs."""
        if self.process_group is None:
            raise ValueError(f"{self.name} was not started here")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process_group, signal.SIGKILL)
        deadline = time.monotonic() + STOP_SECONDS
        while _listens(self.port):
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} still listens on port {self.port} after SIGKILL")
            time.sleep(0.01)

    def reset(self) -> None:
        """Drop all state (ministack only)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/_ministack/reset")
            connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def started(recipe: Recipe, *, port: int | None = None) -> Iterator[Emulator]:
    """Install ``recipe`` if necessary, start it, wait until it is healthy, and stop it at the end.

    ``port``: where it has to listen, as one does that was there before; otherwise any that is free.
    Raises :class:`pollers.emulators.EmulatorUnavailable` with the end of the log.
    """
    folder = installed(recipe)
    logs = cache_folder() / "emulators" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix=f"headrace-{recipe.name}-"))
    try:
        for attempt in range(1, STARTS_AT_MOST + 1):
            free, spare = _free_ports(2)
            chosen = port or free
            log = logs / f"{recipe.name}-{os.getpid()}-{chosen}.log"
            own_state = state / str(attempt)
            own_state.mkdir()
            process = _start(recipe.launch(folder, chosen, spare, own_state), log)
            try:
                if _healthy(recipe, chosen, process):
                    yield Emulator(recipe.name, chosen, log, process_group=process.pid)
                    return
            finally:
                _stop(process)
        raise StartFailed(f"{recipe.name} {recipe.version} did not become healthy (log: {log})\n{tail(log)}")
    finally:
        shutil.rmtree(state, ignore_errors=True)
        _forget_old_logs(logs, recipe.name)


def _free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that are free now."""
    with contextlib.ExitStack() as open_sockets:
        probes = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _start(launch: Launch, log: Path) -> subprocess.Popen[bytes]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "COV_"))}
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the commands are this package's own
            [sys.executable, "-I", "-S", keeper.__file__, *launch.arguments],
            cwd=launch.folder,
            env={**inherited, **launch.environment},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _healthy(recipe: Recipe, port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether the emulator answered in time; False as well when it ended."""
    deadline = time.monotonic() + recipe.start_seconds
    while time.monotonic() < deadline and process.poll() is None:
        if _listens(port) if recipe.health_path is None else _answers(port, recipe.health_path):
            return True
        time.sleep(0.05)
    return False


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe, which tells the keeper to stop, and wait until the whole group is gone."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _forget_old_logs(logs: Path, name: str) -> None:
    """Keep the newest logs of an emulator."""
    found = sorted(logs.glob(f"{name}-*.log"), key=lambda path: path.stat().st_mtime if path.exists() else 0.0)
    for old in found[:-KEPT_LOGS]:
        old.unlink(missing_ok=True)
