"""The SQLite file: how it is recognised, created and refused, and what its errors mean."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from pollers.checkpoints.errors import CheckpointError, StoreUnreadable, StoreUnwritable

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 0x48647263
"""Marks the file as Headrace's own ("Hdrc")."""

SCHEMA_VERSION = 1
"""Raised with every change that an older Headrace could not read."""

_BUSY_SECONDS = 5.0
_MAGIC = b"SQLite format 3\0"

_TABLES = (
    """CREATE TABLE mappings (
        name TEXT PRIMARY KEY,
        reset_kind TEXT,
        reset_timestamp REAL
    )""",
    """CREATE TABLE streams (
        id INTEGER PRIMARY KEY,
        mapping TEXT NOT NULL REFERENCES mappings (name),
        identity TEXT NOT NULL,
        pinned INTEGER NOT NULL DEFAULT 0,
        opened_at REAL NOT NULL,
        openings INTEGER NOT NULL DEFAULT 0,
        UNIQUE (mapping, identity)
    )""",
    """CREATE TABLE shards (
        stream INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
        shard_id TEXT NOT NULL,
        sequence_number TEXT,
        start_kind TEXT NOT NULL,
        start_sequence_number TEXT,
        start_timestamp REAL,
        ended INTEGER NOT NULL,
        window_start REAL,
        window_end REAL,
        window_state BLOB,
        parents TEXT NOT NULL,
        lease_counter INTEGER NOT NULL DEFAULT 0,
        lease_owner TEXT,
        updated_at REAL NOT NULL,
        PRIMARY KEY (stream, shard_id)
    )""",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for its one writer, creating it where there is none. Call it only while holding the owner's lock.

    Raises StoreUnreadable for a file that is damaged, newer or not Headrace's (it is left as it is), StoreUnwritable when
    the file system does not let us.
    """
    _require_database(path)
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    except sqlite3.Error as error:
        raise translated(error, path) from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise translated(error, path) from error
    except CheckpointError:
        connection.close()
        raise
    return connection


def connect_to_look(path: Path) -> sqlite3.Connection | None:
    """Open an existing file for reading only; another process may be writing it. None: that process is still creating it."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
    except sqlite3.Error as error:
        raise translated(error, path) from error
    try:
        if _is_new(connection):
            connection.close()
            return None
        _recognise(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise translated(error, path) from error
    except CheckpointError:
        connection.close()
        raise
    return connection


def _require_database(path: Path) -> None:
    """Refuse what does not begin as a database does; SQLite itself takes a few bytes of anything for an empty one."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreUnwritable(f"{path} cannot be read ({error.strerror})") from error
    if head not in (b"", _MAGIC):
        raise _damaged(path, "it does not begin as a database does")


def translated(error: sqlite3.Error, path: Path) -> CheckpointError:
    """The error of ours that says what to do about one of SQLite's."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
        return _damaged(path, str(error))
    return StoreUnwritable(f"{path} could not be written ({error}); no checkpoint was moved")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Recognise or create the tables, then choose how it is written.

    In WAL mode with synchronous=FULL each commit is one fsync of the log: a checkpoint that was reported written survives
    a power loss. Nothing is written to a file that is not ours.
    """
    if _is_new(connection):
        _choose_modes(connection)
        _create(connection)
    else:
        _recognise(connection, path)
        _choose_modes(connection)


def _choose_modes(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _is_new(connection: sqlite3.Connection) -> bool:
    """Whether the file is empty: also one whose creation was cut short."""
    return _pragma(connection, "application_id") == 0 and _pragma(connection, "schema_version") == 0


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        connection.execute(table)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreUnreadable(f"{path} is another program's database, not a checkpoint file of Headrace; name another")
    version = _pragma(connection, "user_version")
    if version != SCHEMA_VERSION:
        raise StoreUnreadable(
            f"{path} was written by a newer Headrace (its version is {version}, this one reads {SCHEMA_VERSION}); "
            "use that one, or name another file"
        )
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path, str(found))


def _damaged(path: Path, why: str) -> StoreUnreadable:
    return StoreUnreadable(
        f"{path} is damaged, or no checkpoint file of Headrace ({why}); it was left as it is. "
        "Restore it, or move it away to start afresh from each mapping's starting position"
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
