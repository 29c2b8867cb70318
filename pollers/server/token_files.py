"""The token that is made at the start where the configuration names none: in a file that its user's commands find by themselves.

The file lies in a folder of the user's own (mode 0700) among the system's temporary files, so that a command finds it by the
address alone, in whatever folder it is run, also where Headrace may write nowhere else. It is named for the address, so
that several Headraces do not get into each other's way.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
import socket
import stat
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

_LIMIT_BYTES = 256
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,200}")


def new_token() -> str:
    """256 bits of chance."""
    return secrets.token_urlsafe(32)


class TokenFile:
    """A token in its file, for a server that listens on ``host`` (a loopback address) and ``port``. Its methods touch the disk."""

    def __init__(self, host: str, port: int, token: str, *, temporary: Path | None = None) -> None:
        self._folder = _folder(temporary or Path(tempfile.gettempdir()), os.geteuid())
        self.path = self._folder / _name(host, port)
        self._token = token

    def keep(self) -> None:
        """Write the file unless it is there: systems remove temporary files that lie long untouched. Raises OSError."""
        if _read(self.path, os.geteuid()) != self._token:
            self._make_folder()
            self._write()

    def remove(self) -> None:
        """Remove it, unless another one has taken its place."""
        with contextlib.suppress(OSError):
            if _read(self.path, os.geteuid()) == self._token:
                self.path.unlink()

    def _make_folder(self) -> None:
        with contextlib.suppress(FileExistsError):
            self._folder.mkdir(mode=0o700)
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{self._folder} is not a folder of this user")
        if stat.S_IMODE(found.st_mode) & 0o077:
            self._folder.chmod(0o700)

    def _write(self) -> None:
        """Whole or not at all: whoever reads it finds the old one or the new one."""
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".token-")  # mkstemp's mode is 0600
        try:
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(self._token + "\n")
            Path(name).rename(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def tokens_for(url: str, *, temporary: Path | None = None) -> list[str]:
    """The tokens that may be those of a Headrace at ``url`` on this machine: this user's, and for root everybody's."""
    found = []
    for folder, user in _folders(temporary):
        for name in _names(url):
            token = _read(folder / name, user)
            if token is not None and token not in found:
                found.append(token)
    return found


def _folders(temporary: Path | None) -> list[tuple[Path, int]]:
    roots = [temporary] if temporary else dict.fromkeys([Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")])  # noqa: S108
    me = os.geteuid()
    found = [(_folder(root, me), me) for root in roots]
    if me == 0:
        for root in roots:
            numbered = ((path, path.name.rpartition("-")[2]) for path in sorted(root.glob("headrace-*")))
            found += [(path, int(user)) for path, user in numbered if user.isdecimal() and int(user) != me]
    return found


def _folder(temporary: Path, user: int) -> Path:
    return temporary / f"headrace-{user}"


def _name(host: str, port: int) -> str:
    return f"{host.replace(':', '_')}-{port}.token"


def _names(url: str) -> list[str]:
    """The names of files for the loopback addresses that ``url`` leads to: a token is sent nowhere else."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return []
    hosts = [str(ending[0]) for *_, ending in found]
    return [
        _name(host, port) for host in dict.fromkeys(hosts) if ipaddress.ip_address(host.partition("%")[0]).is_loopback
    ]


def _read(path: Path, user: int) -> str | None:
    """The token in a file; None for anything but a file of ``user``'s own that nobody else can read, with a token in it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
            return None
        text = file.read(_LIMIT_BYTES).decode("ascii", "replace").strip()
    return text if _TOKEN.fullmatch(text) else None
