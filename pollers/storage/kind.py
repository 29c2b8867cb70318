"""What kind of store a file is: how it is recognised, and the words and errors of its messages."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.storage.errors import StoreDamaged, StoreError, StoreUnreadable, StoreUnwritable

if TYPE_CHECKING:
    from pathlib import Path

_NOT_SOUND = (0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT)
"""Codes that mean damaged content. 0 is Python's own, for a text that is not valid UTF-8."""


@dataclass(frozen=True, slots=True)
class StoreKind:
    """One kind of store.

    ``application_id`` marks its files. ``versions``: the oldest that is migrated, and the present one, which is written.
    ``file``: what such a file is called. ``option``: where the configuration places it, which names a ``place`` ("file" or
    "folder"). ``unwritten``: what a write that failed has left undone. ``afresh``: how to go on without the file.
    """

    application_id: int
    versions: tuple[int, int]
    file: str
    option: str
    place: str
    unwritten: str
    afresh: str

    def recognise(self, connection: sqlite3.Connection, path: Path) -> int | None:
        """The file's version, None for an empty database. Raises StoreUnreadable for a newer file or another program's."""
        application = _pragma(connection, "application_id")
        if application == 0 and _pragma(connection, "schema_version") == 0:
            return None
        if application != self.application_id:
            raise StoreUnreadable(
                f"{path} is another program's database, not a {self.file} of Headrace (or its header is damaged); it was left "
                f"as it is. Name another {self.place} ({self.option}), or restore it"
            )
        version = _pragma(connection, "user_version")
        oldest, present = self.versions
        if not oldest <= version <= present:
            raise StoreUnreadable(
                f"{path} was written by a newer Headrace (its version is {version}, this one reads {present}), or its "
                f"header is damaged; it was left as it is. Use that Headrace, restore the file, or name another {self.place} "
                f"({self.option})"
            )
        return version

    def damaged(self, path: Path, why: str) -> StoreDamaged:
        """The error for a file of which nothing can be relied on."""
        return StoreDamaged(
            f"{path} is damaged, or no {self.file} of Headrace ({why}); it was left as it is. Restore a copy (with its -wal, "
            f"if it had one, and without {path.name}.lock), or {self.afresh}"
        )

    def translated(self, error: sqlite3.Error, path: Path) -> StoreError:
        """Our error for one of SQLite's errors."""
        extended = getattr(error, "sqlite_errorcode", 0)
        if extended == sqlite3.SQLITE_READONLY_ROLLBACK:
            return StoreUnwritable(
                f"the last change of {path} was cut short; it is undone when Headrace is started next"
            )
        if extended & 0xFF in _NOT_SOUND:
            return self.damaged(path, str(error))
        return StoreUnwritable(f"{path} could not be written ({error}); {self.unwritten}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
