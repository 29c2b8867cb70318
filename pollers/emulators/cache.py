"""Where emulators are installed. Each is installed once, also when several processes need it at the same time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pollers.emulators.errors import InstallFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


STEP_TIMEOUT_SECONDS = 900
LOG_TAIL_CHARACTERS = 2000


class Installable(Protocol):
    """Something that is installed into a folder of the cache."""

    @property
    def name(self) -> str:
        """A word for folders and messages."""

    @property
    def version(self) -> str:
        """The one version that is installed."""

    @property
    def revision(self) -> str:
        """Changes when the steps of :meth:`install` do."""

    def install(self, folder: Path) -> None:
        """Install into ``folder``, which exists and is empty. Raises :class:`pollers.emulators.InstallFailed`."""


def cache_folder() -> Path:
    """``$HEADRACE_CACHE``, else ``.cache`` of a source checkout, else ``headrace`` in the user's cache folder (XDG)."""
    if named := os.environ.get("HEADRACE_CACHE"):
        return Path(named).absolute()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "Makefile").is_file():
        return checkout / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"


def installed(recipe: Installable) -> Path:
    """The folder that ``recipe`` is installed in; installs it first if that has not been done yet.

    Raises :class:`InstallFailed`. A process that calls this while another one installs waits for it.
    """
    emulators = cache_folder() / "emulators"
    emulators.mkdir(parents=True, exist_ok=True)
    # Another revision has a folder of its own, so a process that runs it is not disturbed.
    label = f"{recipe.name}-{recipe.version}-{recipe.revision}"
    folder = emulators / label
    stamp = folder / ".installed"
    # The interpreter is part of the stamp: a virtual environment does not work without it, nor in another folder.
    wanted = f"{sys.version}\n{Path(sys.executable).resolve()}\n{folder}\n"
    with _locked(emulators / f"{label}.lock"):
        if not (stamp.is_file() and stamp.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            recipe.install(folder)
            stamp.write_text(wanted)
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, which the kernel drops if this process dies."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def step(arguments: Sequence[str | Path], *, folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run one command of an installation in ``folder``, with its output in ``install.log``. Raises InstallFailed."""
    command = [str(argument) for argument in arguments]
    variables = {**os.environ, **(environment or {})}
    program = shutil.which(command[0], path=variables.get("PATH"))
    if program is None:
        raise InstallFailed(
            f"{folder.name} cannot be installed: {command[0]!r} is not on the PATH (needed: {' '.join(command)})"
        )
    log = folder / "install.log"
    with log.open("a") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        try:
            code = subprocess.run(  # noqa: S603 - the commands are this package's own
                [program, *command[1:]],
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=STEP_TIMEOUT_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise InstallFailed(
                f"{folder.name} cannot be installed: {command[0]} took over {STEP_TIMEOUT_SECONDS} s (log: {log})"
            ) from None
    if code != 0:
        raise InstallFailed(
            f"{folder.name} cannot be installed: {' '.join(command)} exited with {code} (log: {log})\n{tail(log)}"
        )


def tail(log: Path) -> str:
    """The end of a log, for an error message."""
    return log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:] if log.is_file() else ""
