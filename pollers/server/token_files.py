"""The token that is made at the start where the configuration names none: in a file that its user's commands find by themselves.

The file lies in a folder of the user's own (mode 0700) among the system's temporary files, so that a command finds it by the
address alone, in whatever folder it is run, also where Headrace may write nowhere else. It is named for the address, so
that several Headraces do not get into each other's way. Where the two have different temporary folders, the answer that
refuses a change tells the command the file's path.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIMIT_BYTES = 256
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,200}")


def new_token() -> str:
    """A token of 256 random bits."""
    return secrets.token_urlsafe(32)


@dataclass(slots=True)
class MadeToken:
    """A token that was made at the start, and where its file is, once it has one."""

    text: str = field(default_factory=new_token, repr=False)
    path: Path | None = None


class TokenFile:
    """A token's file, for a server that listens on ``host`` (a loopback address) and ``port``. Its methods touch the disk."""

    def __init__(self, host: str, port: int, made: MadeToken, *, temporary: Sequence[Path] | None = None) -> None:
        self._name = _name(host, port)
        self._temporary = temporary
        self._made = made

    def keep(self) -> None:
        """Write the file unless it is there: systems remove temporary files that have not been used for a long time.

        The first usable folder for temporary files is taken. One may be read-only or full, or hold a folder of our name that
        belongs to another user. Raises the first folder's OSError when none can be used.
        """
        if self._made.path is not None and _read(self._made.path, os.geteuid()) == self._made.text:
            return
        problem: OSError | None = None
        for temporary in self._temporary or temporary_folders():
            path = _folder(temporary, os.geteuid()) / self._name
            try:
                _make_folder(path.parent)
                _write(path, self._made.text)
            except OSError as error:
                problem = problem or error
            else:
                self._made.path = path
                return
        assert problem is not None  # noqa: S101 - there always is a folder to try
        raise problem

    def remove(self) -> None:
        """Remove the file, unless another Headrace has replaced it."""
        path = self._made.path
        with contextlib.suppress(OSError):
            if path is not None and _read(path, os.geteuid()) == self._made.text:
                path.unlink()


def temporary_folders() -> list[Path]:
    """The folders for temporary files: the one that can be written to (``gettempdir`` tries), then those that may only be read."""
    found = [os.environ["TMPDIR"]] if os.environ.get("TMPDIR") else []
    with contextlib.suppress(OSError):
        found.insert(0, tempfile.gettempdir())
    return [Path(folder) for folder in dict.fromkeys([*found, "/tmp", "/var/tmp"])]  # noqa: S108


def _make_folder(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    # Anybody may create this name in /tmp before us: a folder of another user, or a link, would hand the token to them.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def _write(path: Path, token: str) -> None:
    """Write a new file and rename it: a reader finds the old token or the new one, never a part."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".token-")  # mkstemp's mode is 0600
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class Found(NamedTuple):
    """A token, and the URL that it may be sent to. The URL has an address, as a name may lead to several."""

    url: str
    token: str


def tokens_for(url: str, *, temporary: Sequence[Path] | None = None) -> list[Found]:
    """The tokens that a Headrace at ``url`` on this machine may have: those of this user, for root those of all users."""
    found = []
    for folder, user in _folders(temporary or temporary_folders()):
        for name, address in _names(url).items():
            token = _read(folder / name, user)
            if token is not None and Found(address, token) not in found:
                found.append(Found(address, token))
    return found


def token_in(url: str, path: str) -> list[Found]:
    """The token in the file that a Headrace at ``url`` names as its own.

    Another program may answer at that address and name any file, to have its content sent. So only the name that a token's file
    for this very address has is accepted.
    """
    file = Path(path)
    user = file.parent.name.removeprefix("headrace-")
    address = _names(url).get(file.name)
    if address is None or not user.isdecimal() or file.parent.name != f"headrace-{int(user)}":
        return []
    token = _read(file, int(user)) if os.geteuid() in (0, int(user)) else None
    return [] if token is None else [Found(address, token)]


def _folders(roots: Sequence[Path]) -> list[tuple[Path, int]]:
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


def _names(url: str) -> dict[str, str]:
    """The names of the token files for the loopback addresses that ``url`` leads to, each with the URL by that address.

    A token is sent nowhere else: at another address of the same name, another program may listen.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return {}
    names = {}
    for host in dict.fromkeys(str(ending[0]) for *_, ending in found):
        if ipaddress.ip_address(host.partition("%")[0]).is_loopback:
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            by_name = parts.scheme == "https"  # a certificate is valid for the name, not for the address
            names[_name(host, port)] = url if by_name else parts._replace(netloc=place).geturl()
    return names


def _read(path: Path, user: int) -> str | None:
    """The token in a file; None unless the file belongs to ``user``, only that user can read it, and it holds a token."""
    # The open file is checked, not its path, which may be replaced between check and use. O_NONBLOCK: opening a pipe would wait.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):  # a path that a server names may hold any character
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
            return None
        text = file.read(_LIMIT_BYTES).decode("ascii", "replace").strip()
    return text if _TOKEN.fullmatch(text) else None
