"""The smallest store: notes in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.storage import StoreKind, database, files
from pollers.storage.session import StoreSession

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from pollers.storage.lock import OwnerLock

VERSION = 2
NOTES = StoreKind(
    application_id=7,
    versions=(1, VERSION),
    file="notebook",
    option="runtime.notes",
    place="folder",
    unwritten="no note was taken",
    afresh="burn the notebook",
)


def fill(connection: sqlite3.Connection) -> None:
    """The tables of an empty notebook."""
    connection.execute("CREATE TABLE notes (text TEXT UNIQUE)")
    connection.execute("CREATE TABLE store (commits INTEGER)")
    connection.execute("INSERT INTO store VALUES (1)")
    connection.execute(f"PRAGMA application_id = {NOTES.application_id}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def connect(path: Path, lock: OwnerLock) -> tuple[sqlite3.Connection, int]:
    """See ``StoreSession``."""
    with database.refusals(path, NOTES):
        if not database.there_is_one(path, lock.memory, NOTES):
            files.put(path, fill)
        connection = database.open_to_write(path, "SELECT commits FROM store")
    [commits] = connection.execute("SELECT commits FROM store").fetchone()
    lock.remember(commits)
    return connection, commits


def count_commit(connection: sqlite3.Connection, commits: int) -> None:
    """See ``StoreSession``."""
    connection.execute("UPDATE store SET commits = ?", (commits,))


def session(path: Path) -> StoreSession:
    """The writing thread's end of a notebook."""
    return StoreSession(path, NOTES, connect, count_commit)


def note(connection: sqlite3.Connection, text: str) -> None:
    """Take a note."""
    connection.execute("INSERT INTO notes VALUES (?)", (text,))


def notes(connection: sqlite3.Connection) -> list[str]:
    """Every note."""
    return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY rowid")]
