"""A store's file as a file on the disk.

A new file is written completely under another name and then renamed. A crash so leaves the old file or the new one, never a part.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAGIC = b"SQLite format 3\0"
FILE_MODE = 0o600
_HEADER = ((18, (1, 2)), (19, (1, 2)), (21, (64,)), (22, (32,)), (23, (32,)))
"""Bytes of the header that have few sound values (SQLite's file format, 1.3): versions and fractions."""


def beside(path: Path, ending: str) -> Path:
    """The file that SQLite or Headrace keeps beside ``path``."""
    return path.with_name(path.name + ending)


def size(path: Path) -> int | None:
    """The file's length in bytes, or None where there is none. Raises OSError."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def foreign(path: Path) -> str | None:
    """Why a file that is not empty is not a database. SQLite would treat a file of a few bytes as an empty database."""
    with path.open("rb") as file:
        head = file.read(100)
    if head[: len(MAGIC)] != MAGIC or len(head) < 100:
        return "it does not begin as a database does"
    if any(head[place] not in sound for place, sound in _HEADER):
        return "its header is not as it was written"
    return None


def put(path: Path, fill: Callable[[sqlite3.Connection], None], *, shrinks: bool = False) -> None:
    """Replace ``path`` with a file that ``fill`` has filled. Raises OSError and sqlite3.Error; then nothing has changed.

    ``shrinks``: the file can give pages that are free back to the disk later (``PRAGMA incremental_vacuum``).
    """
    new = beside(path, ".new")
    for ending in ("", "-wal", "-shm", "-journal"):
        beside(new, ending).unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        if shrinks:  # only before the first table is made
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("BEGIN IMMEDIATE")
        fill(connection)
        connection.execute("COMMIT")
        # Before the rename: a kill while the mode is changed leaves a journal, which only a writer can undo.
        connection.execute("PRAGMA journal_mode = WAL")
    # SQLite would apply a log that the replaced file has left to the new file.
    for ending in ("-wal", "-shm"):
        beside(path, ending).unlink(missing_ok=True)
    new.replace(path)
    # The rename is in the folder, not in the file: without this a power loss may bring the old name back.
    sync_folder(path)


def keep_copy(path: Path) -> Path:
    """Copy a damaged file and its log before it is replaced; the path of the copy."""
    number = 1
    while beside(path, f".damaged-{number}").exists():
        number += 1
    copy = beside(path, f".damaged-{number}")
    for ending in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(beside(path, ending), beside(copy, ending))
    return copy


def sync_folder(path: Path) -> None:
    """Make the names in the file's folder durable."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
