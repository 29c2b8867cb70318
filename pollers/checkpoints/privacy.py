"""Nobody but its user reads Headrace's state: what is made for it is made so, and the folder of ours by its name is closed."""

from __future__ import annotations

import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OURS = ".headrace"
"""The default folder. A folder by another name may be shared with something else, and is left as it is."""
_OTHERS = 0o077


def make_folder(path: Path) -> None:
    """Make the folder, and those above it that are missing; close ``.headrace`` if it is open to others. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.absolute().name == OURS:
        _close(path, stat.S_IFDIR, 0o700)


def close_files(path: Path, *, made: bool) -> None:
    """Close a database and what SQLite keeps beside it, if it was just ``made`` or lies in our own folder."""
    if made or path.absolute().parent.name == OURS:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            _close(path.with_name(name), stat.S_IFREG, 0o600)


def _close(path: Path, kind: int, mode: int) -> None:
    """Somebody else's is not ours to close; a link may lead anywhere."""
    with suppress(OSError):
        found = path.lstat()
        if stat.S_IFMT(found.st_mode) == kind and stat.S_IMODE(found.st_mode) & _OTHERS:
            path.chmod(mode)
