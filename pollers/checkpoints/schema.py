"""The checkpoint file: how it is recognised, created, migrated and refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from pollers.checkpoints import layout
from pollers.checkpoints.contents import Contents, read, write
from pollers.checkpoints.layout import CHECKPOINTS, SCHEMA_VERSION
from pollers.storage import database, files
from pollers.storage.errors import StoreDamaged

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.storage.lock import Memory, OwnerLock


def connect(path: Path, lock: OwnerLock) -> tuple[sqlite3.Connection, int]:
    """Open the file for its one writer, creating it where there is none; the connection, and the file's count of commits.

    Raises StoreDamaged or StoreUnreadable for a file that is not as it was written, newer or not Headrace's (it is left as it is),
    StoreUnwritable when the file system does not let us.
    """
    with database.refusals(path, CHECKPOINTS):
        commits = _prepare(path, lock)
        lock.remember(commits)
        return database.open_to_write(path, "SELECT commits FROM store"), commits


def put(path: Path, rows: Contents) -> None:
    """Replace ``path`` with a file that holds these rows. Raises OSError and sqlite3.Error; then nothing has changed."""
    files.put(path, partial(write, contents=rows))


def _prepare(path: Path, lock: OwnerLock) -> int:
    """Make sure that there is a sound file of this version; its count of commits."""
    database.roll_back_interrupted_write(path)
    found = examine(path, lock.memory)
    if found is None:
        put(path, Contents(commits=1))
        return 1
    version, rows = found
    if not rows.sound:
        raise _refused(path, rows)
    if version != SCHEMA_VERSION:
        # A new file takes the old one's place, so that a crash on the way leaves the old one, whole.
        database.fold_log(path)
        rows.commits = 1
        put(path, rows)
    return rows.commits


def examine(path: Path, memory: Memory) -> tuple[int, Contents] | None:
    """The file's version and rows, with their faults; None when there is no file yet and there need not be one.

    Writes nothing, and works beside a running owner. Raises StoreDamaged when nothing can be read, StoreUnreadable for a file that
    is newer or not Headrace's, StoreUnwritable when the file system does not let us, and sqlite3.Error.
    """
    return _examine(path, memory) if database.there_is_one(path, memory, CHECKPOINTS) else None


def _examine(path: Path, memory: Memory) -> tuple[int, Contents] | None:
    with closing(database.open_to_read(path)) as connection:
        try:
            connection.execute("BEGIN")
            version = CHECKPOINTS.recognise(connection, path)
            if version is None:
                database.without_tables(path, memory, CHECKPOINTS)
                return None
            rows = read(connection, version)
            if connection.execute("PRAGMA encoding").fetchone()[0] != "UTF-8":
                rows.unplaced.append("its text is not in UTF-8")
            rows.unplaced += _structure(connection, version)
        except sqlite3.Error as error:
            known = CHECKPOINTS.translated(error, path)
            raise known from error
        except ValueError as error:  # names and messages that are not valid text any more
            raise CHECKPOINTS.damaged(path, str(error)) from error
    if version == SCHEMA_VERSION and rows.sound and (why := database.older_than(path, rows.commits, memory)):
        rows.unplaced.append(why)
    return version, rows


def _structure(connection: sqlite3.Connection, version: int) -> list[str]:
    """What SQLite's own check finds, and whether the tables differ from ours."""
    faults = database.unsound(connection)
    if version == SCHEMA_VERSION and database.structure(connection) != _our_tables():
        faults.append("its tables are not as Headrace makes them")
    return faults


@lru_cache(maxsize=1)
def _our_tables() -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        layout.create(connection, 0)
        return database.structure(connection)


def _refused(path: Path, rows: Contents) -> StoreDamaged:
    problems = list(rows.problems())
    shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
    if rows.unplaced:
        return CHECKPOINTS.damaged(path, shown)
    names = " or ".join(rows.faults)
    return StoreDamaged(
        f"{path} is damaged ({shown}); it was left as it is. Restore a copy (without {path.name}.lock), or start "
        f"{names} afresh: headrace checkpoints reset CONFIG {next(iter(rows.faults))}"
    )
