"""Only the user who runs Headrace may read its state: its files and its own folder are made without rights for others."""

from __future__ import annotations

import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OURS = ".headrace"
"""The default folder. A folder with another name may hold other things too, so its rights stay as they are."""
_OTHERS = 0o077


def make_folder(path: Path) -> None:
    """Make the folder and its missing parents; remove others' rights on ``.headrace``. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.absolute().name == OURS:
        _close(path, stat.S_IFDIR, 0o700)


def close_files(path: Path, *, made: bool) -> None:
    """Remove others' rights on a database and on SQLite's files beside it, if it was just ``made`` or lies in our own folder."""
    if made or path.absolute().parent.name == OURS:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            _close(path.with_name(name), stat.S_IFREG, 0o600)


def _close(path: Path, kind: int, mode: int) -> None:
    """Errors are ignored: another user's file cannot be changed. ``lstat``, as a link may lead to any file."""
    with suppress(OSError):
        found = path.lstat()
        if stat.S_IFMT(found.st_mode) == kind and stat.S_IMODE(found.st_mode) & _OTHERS:
            path.chmod(mode)
