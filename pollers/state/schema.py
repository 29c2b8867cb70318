"""The state's file: how it is made, recognised, migrated and refused.

Each room has a version of its own in ``rooms``, so that a room changes its tables without knowing of the others. The file's version
is that of ``store`` and ``rooms`` themselves.
"""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from pollers.storage import StoreKind, StoreUnreadable, database, files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pollers.state.tables import Tables
    from pollers.storage.lock import Memory, OwnerLock

FILE = "state.db"
VERSION = 1
LEAST_FREE_PAGES = 1_000
"""4 MB: below that, giving room back is not worth a write."""
STATE = StoreKind(
    application_id=0x48647273,  # "Hdrs"
    versions=(1, VERSION),
    file="state file",
    option="runtime.state",
    place="folder",
    unwritten="nothing of it was kept",
    afresh="give up what it held (accepted events, what was made through the API, when schedules ran): move "
    f"{FILE}, {FILE}-wal and {FILE}.lock away",
)
_OWN_TABLES = (
    "CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), commits INTEGER NOT NULL)",
    "CREATE TABLE rooms (name TEXT PRIMARY KEY, version INTEGER NOT NULL)",
)


def connect(path: Path, lock: OwnerLock, tables: Sequence[Tables]) -> tuple[sqlite3.Connection, int]:
    """Open the file for its one writer, made or migrated where need be; the connection, and the file's count of commits.

    Raises StoreDamaged or StoreUnreadable for a file that is not as it was written, newer or not Headrace's (it is left as it is),
    StoreUnwritable when the file system does not let us.
    """
    with database.refusals(path, STATE):
        database.roll_back_interrupted_write(path)
        commits = _examine(path, lock.memory, tables)
        if commits is None:
            files.put(path, partial(_fill, tables=tables), shrinks=True)
            commits = 1
        lock.remember(commits)
        connection = database.open_to_write(path, "SELECT commits FROM store")
        try:
            commits = _migrate(connection, commits, tables)
            _give_back_room(connection)
        except BaseException:
            connection.close()
            raise
    lock.remember(commits)
    return connection, commits


def count_commit(connection: sqlite3.Connection, commits: int) -> None:
    """Enter the number of the transaction that is about to be committed."""
    connection.execute("UPDATE store SET commits = ? WHERE one = 1", (commits,))


def _fill(connection: sqlite3.Connection, tables: Sequence[Tables]) -> None:
    for statement in _OWN_TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO store VALUES (1, 1)")
    for one in tables:
        _step(connection, one, 0)
    connection.execute(f"PRAGMA application_id = {STATE.application_id}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _step(connection: sqlite3.Connection, tables: Tables, version: int) -> None:
    """Bring a room's tables from ``version`` to the present one."""
    for step in tables.steps[version:]:
        for statement in step:
            connection.execute(statement)
    connection.execute("INSERT OR REPLACE INTO rooms VALUES (?, ?)", (tables.room, tables.version))


def _examine(path: Path, memory: Memory, tables: Sequence[Tables]) -> int | None:
    """The file's count of commits; None when there is no file yet and there need not be one. Writes nothing."""
    if not database.there_is_one(path, memory, STATE):
        return None
    with closing(database.open_to_read(path)) as connection:
        connection.execute("BEGIN")
        if STATE.recognise(connection, path) is None:
            database.without_tables(path, memory, STATE)
            return None
        try:
            versions = {
                str(name): int(version) for name, version in connection.execute("SELECT name, version FROM rooms")
            }
            [(commits,)] = connection.execute("SELECT commits FROM store").fetchall()
            # Not each index against its rows, which takes much longer: the queue may be large, and a start must not take minutes.
            faults = database.unsound(connection, "quick_check")
            found = database.structure(connection)
        except (ValueError, TypeError) as error:  # rows that are missing, or are not of our types any more
            raise STATE.damaged(path, str(error)) from error
    _refuse_newer(path, versions, tables)
    if found != _expected(versions, tables):
        faults.append("its tables are not as Headrace makes them")
    if older := database.older_than(path, commits, memory):
        faults.append(older)
    if faults:
        raise STATE.damaged(path, "; ".join(faults))
    return int(commits)


def _refuse_newer(path: Path, versions: Mapping[str, int], tables: Sequence[Tables]) -> None:
    """A room that is not known, or has more versions than are known, is a newer Headrace's."""
    known = {one.room: one.version for one in tables}
    for room, version in versions.items():
        if not 0 < version <= known.get(room, 0):
            raise StoreUnreadable(
                f"{path} was written by a newer Headrace ({room} in it has version {version}, this one reads "
                f"{known.get(room, 'none')}); it was left as it is. Use that Headrace, or name another folder ({STATE.option})"
            )


def _expected(versions: Mapping[str, int], tables: Sequence[Tables]) -> list[tuple[object, ...]]:
    """The structure of a sound file whose rooms have these versions."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in _OWN_TABLES:
            connection.execute(statement)
        for one in tables:
            for step in one.steps[: versions.get(one.room, 0)]:
                for statement in step:
                    connection.execute(statement)
        return database.structure(connection)


def _migrate(connection: sqlite3.Connection, commits: int, tables: Sequence[Tables]) -> int:
    """Bring every room to its present version, all in one transaction: a crash leaves the file as it was. The count of commits."""
    versions = dict(connection.execute("SELECT name, version FROM rooms").fetchall())
    behind = [one for one in tables if versions.get(one.room, 0) < one.version]
    if not behind:
        return commits
    connection.execute("BEGIN IMMEDIATE")
    try:
        for one in behind:
            _step(connection, one, versions.get(one.room, 0))
        count_commit(connection, commits + 1)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return commits + 1


def _give_back_room(connection: sqlite3.Connection) -> None:
    """Shorten a file that a long queue has left mostly empty. Writes nothing else, and counts as no write."""
    [pages], [free] = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count"))
    if free > max(pages // 2, LEAST_FREE_PAGES):
        with contextlib.suppress(sqlite3.OperationalError):  # it needs some room itself, and can wait for another start
            # As a script: it returns a row without columns for each page, and ``execute`` stops at the first.
            connection.executescript("PRAGMA incremental_vacuum")
