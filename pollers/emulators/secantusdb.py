"""SecantusDB: a server that speaks MongoDB's protocol, for change streams."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.emulators.errors import InstallFailed
from pollers.emulators.pinned import environment_python, install_pinned, pins_digest
from pollers.emulators.recipes import Launch

if TYPE_CHECKING:
    from pathlib import Path

NEWEST_PYTHON = (3, 13)
MACHINES = ("x86_64", "amd64", "aarch64", "arm64")


@dataclass(frozen=True, slots=True)
class SecantusDB:
    """A replica set of one node with collections, change streams and transactions, in a second or two.

    Every acknowledged write is on the disk, also after SIGKILL: the same ``storage`` can be started again. It takes
    ``configureFailPoint``. ``users``: commands need one of the users that were made in the storage before. ``certificate`` is a
    PEM file with the chain and the key: it then speaks TLS only. ``log_entries``: how many entries the log of changes keeps.
    """

    storage: Path | None = None
    users: bool = False
    certificate: Path | None = None
    log_entries: int | None = None
    name: str = "secantusdb"
    version: str = "0.7.0b3"
    health_path: None = None
    start_seconds: float = 60

    @property
    def revision(self) -> str:
        """Changes when other versions are pinned."""
        return f"1-{pins_digest(self.name)}"

    def install(self, folder: Path) -> None:
        """In an environment of its own: its licence (GPL-2.0) lets it run beside Headrace, as a process, and not be part of it."""
        if reason := secantusdb_unsupported():
            raise InstallFailed(f"{self.name} cannot be installed: {reason}")
        install_pinned(self.name, f"secantusdb=={self.version}", folder)

    def launch(self, folder: Path, port: int, spare_port: int, state: Path) -> Launch:
        """Its console script; no configuration file of the machine's is read."""
        (state / "none.toml").touch()
        options = ["--config", state / "none.toml", "--host", "127.0.0.1", "--port", port, "--cache-size", "64M"]
        options += ["--storage-path", self.storage or state / "storage", "--sync-on-commit", "--enable-test-commands"]
        if self.users:
            options += ["--auth"]
        if self.certificate is not None:
            options += ["--tls-cert-file", self.certificate, "--tls-key-file", self.certificate]
        if self.log_entries is not None:
            options += ["--oplog-max-entries", self.log_entries]
        program = folder / "venv" / "bin" / "secantusd-py"
        return Launch((str(environment_python(folder)), str(program), *map(str, options)), state)


def secantusdb_unsupported() -> str | None:
    """Why there is no package for this machine, or None."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] > NEWEST_PYTHON or "t" in sys.abiflags:
        newest = ".".join(map(str, NEWEST_PYTHON))
        found = f"{platform.python_implementation()} {platform.python_version()}{sys.abiflags}"
        return f"its packages are for CPython up to {newest}, not free-threaded; this is {found}"
    if platform.machine().lower() not in MACHINES:
        return f"its packages are for {' and '.join(MACHINES[::2])}; this is {platform.machine()}"
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        return "its packages are for Linux with glibc and for macOS"
    return None
