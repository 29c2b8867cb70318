"""One copy of a folder of code.

Hard links to the user's files would not do: an editor that writes in place changes them, too. Between two copies of one folder they
do, where nobody edits: of a large folder only what has changed is copied again.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.copies.aside import ENVIRONMENT_MARK, FOLDERS

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_BYTES = 512 * 1024**2
"""What is copied of one folder at most; Lambda's own limit for code with its layers is 250 MiB."""


KEPT = 3
"""So many earlier copies of a folder are known: the newest may be of code that was refused, which is removed at once."""


class NotCopied(Exception):  # noqa: N818 - the folder itself is used instead
    """The folder cannot be copied; says why."""


def copy_folder(folder: Path, target: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Copy what runs of ``folder`` to ``target``, which is made. Times and permissions stay, so compiled Python stays valid.

    Links to elsewhere become what they point at, since that is watched, too. Folders that are not watched (``node_modules``,
    virtual environments) become links to the original. Raises NotCopied; part of the copy may be there then.
    """
    with _lock:
        earlier = [copy for copy in _earlier.get(str(folder), ()) if os.path.isdir(copy.target)]
    copying = _Copying(str(folder), limit_bytes, earlier)
    try:
        copying.folder(str(folder), str(target), frozenset())
    except OSError as error:
        raise NotCopied(f"{folder} cannot be copied: {error}") from error
    with _lock:
        _earlier[str(folder)] = [_Copy(str(target), copying.marks), *earlier][:KEPT]


@dataclass(frozen=True, slots=True)
class _Copy:
    """An earlier copy, and what each file was like (by its path below the folder)."""

    target: str
    marks: dict[str, tuple[int, int, int, int]]


_earlier: dict[str, list[_Copy]] = {}
_lock = threading.Lock()


class _Copying:
    def __init__(self, root: str, limit_bytes: int, earlier: list[_Copy]) -> None:
        self.marks: dict[str, tuple[int, int, int, int]] = {}
        self._earlier = earlier
        self._root = root
        self._inside = os.path.realpath(root)
        self._limit = limit_bytes
        self._left = limit_bytes

    def folder(self, source: str, target: str, above: frozenset[tuple[int, int]]) -> None:
        status = os.stat(source)
        identity = (status.st_dev, status.st_ino)
        if identity in above:  # a link to a folder that it is in
            return
        os.makedirs(target, exist_ok=True)
        with os.scandir(source) as entries:
            for entry in entries:
                try:
                    self._entry(entry, os.path.join(target, entry.name), above | {identity})
                except (FileNotFoundError, NotADirectoryError):
                    continue  # it has just gone, as editors' temporary files do

    def _entry(self, entry: os.DirEntry[str], target: str, above: frozenset[tuple[int, int]]) -> None:
        if entry.is_symlink() and self._stays_inside(entry.path):
            os.symlink(os.readlink(entry.path), target)
        elif entry.is_dir():
            if _is_aside(entry):
                os.symlink(os.path.abspath(entry.path), target)
            else:
                self.folder(entry.path, target, above)
        else:
            self._file(entry.path, target)

    def _file(self, source: str, target: str) -> None:
        status = os.stat(source)
        if not stat.S_ISREG(status.st_mode):
            return  # a socket, a pipe
        self._left -= status.st_size
        if self._left < 0:
            raise NotCopied(f"{self._root} holds more than {self._limit // 1024**2} MiB")
        below = source[len(self._root) + 1 :]
        mark = self.marks[below] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        if self._linked(below, mark, target):
            return
        try:
            shutil.copy2(source, target)
        except PermissionError:
            os.symlink(os.path.abspath(source), target)  # whoever may not read it here may not there

    def _linked(self, below: str, mark: tuple[int, int, int, int], target: str) -> bool:
        for copy in self._earlier:
            if copy.marks.get(below) == mark:
                try:
                    os.link(os.path.join(copy.target, below), target, follow_symlinks=False)
                except OSError:
                    continue  # it has just been removed, or lies on another disk
                return True
        return False

    def _stays_inside(self, link: str) -> bool:
        if os.path.isabs(os.readlink(link)):
            return False
        return os.path.realpath(link).startswith(self._inside + os.sep)


def _is_aside(entry: os.DirEntry[str]) -> bool:
    # Compiled Python is copied: it would be compiled again otherwise, at the first start after each change.
    if entry.name == "__pycache__":
        return False
    return entry.name in FOLDERS or os.path.exists(os.path.join(entry.path, ENVIRONMENT_MARK))
