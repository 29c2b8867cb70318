"""The SQLite file: how it is recognised, created, migrated and refused, and what SQLite's errors mean."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING

from pollers.checkpoints import files, layout
from pollers.checkpoints.contents import Contents, read
from pollers.checkpoints.errors import CheckpointError, StoreDamaged, StoreUnreadable, StoreUnwritable
from pollers.checkpoints.layout import APPLICATION_ID, SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.checkpoints.lock import Memory, OwnerLock

OLDEST_VERSION = 1
"""The oldest version that is migrated."""
BUSY_SECONDS = 5.0
_NOT_SOUND = (0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT)
"""Codes that mean damaged content. 0 is Python's own, for a text that is not valid UTF-8."""
INTEGRITY_ROWS = 5
"""Findings of SQLite's own check that are read."""


def connect(path: Path, lock: OwnerLock) -> tuple[sqlite3.Connection, int]:
    """Open the file for its one writer, creating it where there is none; the connection, and the file's count of commits.

    Raises StoreDamaged or StoreUnreadable for a file that is not as it was written, newer or not Headrace's (it is left as it is),
    StoreUnwritable when the file system does not let us.
    """
    try:
        commits = _prepare(path, lock)
        lock.remember(commits)
        return _open_to_write(path), commits
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except OSError as error:
        mounted = "it is a mount of its own; mount its folder, since its log lies beside it"
        reason = mounted if error.errno == errno.EBUSY else error.strerror
        raise StoreUnwritable(f"{path} cannot be written ({reason})") from error


def _prepare(path: Path, lock: OwnerLock) -> int:
    """Make sure that there is a sound file of this version; its count of commits."""
    _roll_back_interrupted_write(path)
    found = examine(path, lock.memory)
    if found is None:
        files.put(path, Contents(commits=1))
        return 1
    version, rows = found
    if not rows.sound:
        raise _refused(path, rows)
    if version != SCHEMA_VERSION:
        # A new file takes the old one's place, so that a crash on the way leaves the old one, whole.
        _fold_log(path)
        rows.commits = 1
        files.put(path, rows)
    return rows.commits


def _open_to_write(path: Path) -> sqlite3.Connection:
    """WAL mode with synchronous=FULL: each commit is one fsync of the log, and then survives a power loss."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("SELECT commits FROM store").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _fold_log(path: Path) -> None:
    """Move the content of an older file's log into the file, so that no log is left for the file that replaces it."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        unfinished, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if unfinished:
        raise StoreUnwritable(f"{path} could not be brought up to date, since another program is reading it")


def _roll_back_interrupted_write(path: Path) -> None:
    """Roll back a transaction that a kill interrupted outside WAL mode.

    An earlier Headrace made files outside WAL mode. A kill then leaves a journal, and only a connection that may write can
    apply it. Not where there is a log: such a connection would also move the log into the file, which may be damaged.
    """
    if files.size(path) and files.size(files.beside(path, "-journal")) and not files.size(files.beside(path, "-wal")):
        with (
            contextlib.suppress(sqlite3.Error),  # the next reader finds and reports the same fault
            closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection,
        ):
            connection.execute("PRAGMA schema_version").fetchone()


def examine(path: Path, memory: Memory) -> tuple[int, Contents] | None:
    """The file's version and rows, with their faults; None when there is no file yet and there need not be one.

    Writes nothing, and works beside a running owner. Raises StoreDamaged when nothing can be read, StoreUnreadable for a file that
    is newer or not Headrace's, StoreUnwritable when the file system does not let us, and sqlite3.Error.
    """
    try:
        length = files.size(path)
        log = files.size(files.beside(path, "-wal"))
        why = files.foreign(path) if length else _absent(length, log, memory)
    except OSError as error:
        raise StoreUnwritable(f"{path} cannot be read ({error.strerror})") from error
    if why is not None:
        raise damaged(path, why)
    return _examine(path, memory) if length else None


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


def _examine(path: Path, memory: Memory) -> tuple[int, Contents] | None:
    # A connection that may write would move the log into the file when it is closed, also when the file is damaged.
    uri = f"{path.absolute().as_uri()}?{_reading(path)}"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN")
            version = _recognise(connection, path)
            if version is None:
                return None if not memory.commits else _nothing(path, memory)
            rows = read(connection, version)
            if connection.execute("PRAGMA encoding").fetchone()[0] != "UTF-8":
                rows.unplaced.append("its text is not in UTF-8")
            rows.unplaced += _structure(connection, version)
        except sqlite3.Error as error:
            known = translated(error, path)
            raise known from error
        except ValueError as error:  # names and messages that are not valid text any more
            raise damaged(path, str(error)) from error
    if version == SCHEMA_VERSION and memory.commits is not None and rows.commits < memory.commits and rows.sound:
        rows.unplaced.append(
            f"it is older than what Headrace wrote last (write {memory.commits}, and the file has {rows.commits}): "
            "its -wal was removed or damaged, or an older copy was put in its place. To go on from what it has, and do again "
            f"what was done since, remove {path.name}.lock"
        )
    return version, rows


def _reading(path: Path) -> str:
    """The mode in which to open the file for reading. In a read-only folder (a snapshot) SQLite cannot make its -shm file."""
    alone = not files.size(files.beside(path, "-wal")) and not os.access(path.parent, os.W_OK)
    return "immutable=1" if alone else "mode=ro"


def _nothing(path: Path, memory: Memory) -> tuple[int, Contents]:
    raise damaged(path, f"it has no tables, though Headrace has written it {memory.commits} times")


def _recognise(connection: sqlite3.Connection, path: Path) -> int | None:
    """The file's version, None for an empty database. Raises StoreUnreadable for a newer file or another program's."""
    application = _pragma(connection, "application_id")
    if application == 0 and _pragma(connection, "schema_version") == 0:
        return None
    if application != APPLICATION_ID:
        raise StoreUnreadable(
            f"{path} is another program's database, not a checkpoint file of Headrace (or its header is damaged); it was left as "
            "it is. Name another file (runtime.checkpoints), or restore it"
        )
    version = _pragma(connection, "user_version")
    if not OLDEST_VERSION <= version <= SCHEMA_VERSION:
        raise StoreUnreadable(
            f"{path} was written by a newer Headrace (its version is {version}, this one reads {SCHEMA_VERSION}), or its header "
            "is damaged; it was left as it is. Use that Headrace, restore the file, or name another (runtime.checkpoints)"
        )
    return version


def _structure(connection: sqlite3.Connection, version: int) -> list[str]:
    """What SQLite's own check finds, and whether the tables differ from ours."""
    found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({INTEGRITY_ROWS})")]
    faults = [] if found == ["ok"] else found
    if version == SCHEMA_VERSION and _tables(connection) != _our_tables():
        faults.append("its tables are not as Headrace makes them")
    return faults


def _tables(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    # ANALYZE, which some database browsers run, leaves tables of statistics, which do no harm.
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name"
    return connection.execute(query).fetchall()


@lru_cache(maxsize=1)
def _our_tables() -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        layout.create(connection, 0)
        return _tables(connection)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def translated(error: sqlite3.Error, path: Path) -> CheckpointError:
    """Our error for one of SQLite's errors."""
    extended = getattr(error, "sqlite_errorcode", 0)
    if extended == sqlite3.SQLITE_READONLY_ROLLBACK:
        return StoreUnwritable(f"the last change of {path} was cut short; it is undone when Headrace is started next")
    code = extended & 0xFF
    if code in _NOT_SOUND:
        return damaged(path, str(error))
    return StoreUnwritable(f"{path} could not be written ({error}); no checkpoint was moved")


def damaged(path: Path, why: str) -> StoreDamaged:
    """The error for a file of which nothing can be relied on."""
    return StoreDamaged(
        f"{path} is damaged, or no checkpoint file of Headrace ({why}); it was left as it is. Restore a copy (with its -wal, "
        f"if it had one, and without {path.name}.lock), or start every mapping afresh: headrace checkpoints reset CONFIG"
    )


def _refused(path: Path, rows: Contents) -> StoreDamaged:
    problems = list(rows.problems())
    shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
    if rows.unplaced:
        return damaged(path, shown)
    names = " or ".join(rows.faults)
    return StoreDamaged(
        f"{path} is damaged ({shown}); it was left as it is. Restore a copy (without {path.name}.lock), or start "
        f"{names} afresh: headrace checkpoints reset CONFIG {next(iter(rows.faults))}"
    )
