"""Opening a store's SQLite file: for its one writer, and to look at it without changing it."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from pollers.storage import files
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pollers.storage.kind import StoreKind
    from pollers.storage.lock import Memory

BUSY_SECONDS = 5.0
INTEGRITY_ROWS = 5
"""Findings of SQLite's own check that are read."""


@contextlib.contextmanager
def refusals(path: Path, kind: StoreKind) -> Iterator[None]:
    """Errors of SQLite and of the operating system become ours. For opening a file."""
    try:
        yield
    except sqlite3.Error as error:
        raise kind.translated(error, path) from error
    except OSError as error:
        mounted = "it is a mount of its own; mount its folder, since its log lies beside it"
        reason = mounted if error.errno == errno.EBUSY else error.strerror
        raise StoreUnwritable(f"{path} cannot be written ({reason})") from error


def open_to_write(path: Path, probe: str) -> sqlite3.Connection:
    """WAL mode with synchronous=FULL: each commit is one fsync of the log, and then survives a power loss.

    ``probe`` is a query that a sound file answers. Raises sqlite3.Error.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(probe).fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing. Raises sqlite3.Error.

    One that may write would move the log into the file when it is closed, also when the file is damaged.
    """
    uri = f"{path.absolute().as_uri()}?{_reading(path)}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def fold_log(path: Path) -> None:
    """Move the content of an older file's log into the file, so that no log is left for the file that replaces it."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        unfinished, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if unfinished:
        raise StoreUnwritable(f"{path} could not be brought up to date, since another program is reading it")


def roll_back_interrupted_write(path: Path) -> None:
    """Roll back a transaction that a kill interrupted outside WAL mode.

    Files are made outside WAL mode. A kill then leaves a journal, and only a connection that may write can apply it. Not where
    there is a log: such a connection would also move the log into the file, which may be damaged.
    """
    if files.size(path) and files.size(files.beside(path, "-journal")) and not files.size(files.beside(path, "-wal")):
        with (
            contextlib.suppress(sqlite3.Error),  # the next reader finds and reports the same fault
            closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection,
        ):
            connection.execute("PRAGMA schema_version").fetchone()


def there_is_one(path: Path, memory: Memory, kind: StoreKind) -> bool:
    """Whether there is a file that may be a database; False when there is none and there need not be one.

    ``memory`` is what the lock remembers. Raises StoreDamaged when one should be there, or what is there is no database, and
    StoreUnwritable when the file system does not let us look.
    """
    try:
        length = files.size(path)
        log = files.size(files.beside(path, "-wal"))
        why = files.foreign(path) if length else _absent(length, log, memory)
    except OSError as error:
        raise StoreUnwritable(f"{path} cannot be read ({error.strerror})") from error
    if why is not None:
        raise kind.damaged(path, why)
    return bool(length)


def without_tables(path: Path, memory: Memory, kind: StoreKind) -> None:
    """A database without a table: one whose making was cut short. Raises StoreDamaged when it has been written before."""
    if memory.commits:
        raise kind.damaged(path, f"it has no tables, though Headrace has written it {memory.commits} times")


def older_than(path: Path, commits: int, memory: Memory) -> str | None:
    """What is wrong with a file that has been written ``commits`` times, when the lock remembers more."""
    if memory.commits is None or commits >= memory.commits:
        return None
    return (
        f"it is older than what Headrace wrote last (write {memory.commits}, and the file has {commits}): "
        "its -wal was removed or damaged, or an older copy was put in its place. To go on from what it has, and do again "
        f"what was done since, remove {path.name}.lock"
    )


def unsound(connection: sqlite3.Connection, check: str = "integrity_check") -> list[str]:
    """What SQLite's own check finds."""
    found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}({INTEGRITY_ROWS})")]
    return [] if found == ["ok"] else found


def structure(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """The tables, indexes and triggers, as they were made."""
    # ANALYZE, which some database browsers run, leaves tables of statistics, which do no harm.
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name"
    return connection.execute(query).fetchall()


def _absent(length: int | None, log: int | None, memory: Memory) -> str | None:
    """Why a file that is missing or empty should be there; None when it need not be."""
    what = "it is gone" if length is None else "it is empty"
    if memory.commits:
        return f"{what}, though Headrace has written it {memory.commits} times"
    if log:
        return f"{what}, though its log (-wal) is there"
    if length == 0 and not memory.fresh:
        return f"{what}, though its .lock says that there was one"
    return None


def _reading(path: Path) -> str:
    """The mode in which to open the file for reading. In a read-only folder (a snapshot) SQLite cannot make its -shm file."""
    alone = not files.size(files.beside(path, "-wal")) and not os.access(path.parent, os.W_OK)
    return "immutable=1" if alone else "mode=ro"
