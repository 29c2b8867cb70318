"""The writing thread's end of a store: the lock, the connection, and transactions that many writes share."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, TypeAlias

from pollers.storage.errors import StoreError, StoreUnwritable
from pollers.storage.lock import OwnerLock
from pollers.storage.privacy import close_files
from pollers.storage.writer import Operation, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pollers.storage.kind import StoreKind

    Connect: TypeAlias = Callable[[Path, OwnerLock], tuple[sqlite3.Connection, int]]
    CountCommit: TypeAlias = Callable[[sqlite3.Connection, int], None]


class StoreSession:
    """Holds the file from :meth:`start` to :meth:`stop`; implements ``Session``. Everything happens in one thread.

    ``connect`` opens the file for its one writer, creating it where there is none, and tells how many transactions have written
    it. ``count_commit`` enters the number of the transaction that is about to be committed.
    """

    def __init__(self, path: Path, kind: StoreKind, connect: Connect, count_commit: CountCommit) -> None:
        self._path = path
        self._kind = kind
        self._connect = connect
        self._count_commit = count_commit
        self._open = ExitStack()
        self._lock: OwnerLock
        self._connection: sqlite3.Connection
        self._commits: int
        self._identity: tuple[int, int]

    def start(self) -> None:
        """Lock and open the file. Raises StoreBusy, StoreUnreadable or StoreUnwritable, and then holds nothing."""
        with ExitStack() as opening:
            self._lock = opening.enter_context(OwnerLock(self._path, self._kind))
            made = not self._path.exists()
            connection, self._commits = self._connect(self._path, self._lock)
            self._connection = opening.enter_context(closing(connection))
            close_files(self._path, made=made)
            self._identity = self._found()
            self._open = opening.pop_all()

    def stop(self) -> None:
        """Close the file (its log is folded into it) and give up the lock."""
        self._open.close()

    def run(self, operations: list[Operation[Any]]) -> list[Outcome]:
        """Run all in one transaction. If one of them fails with an unknown error, run each in a transaction of its own."""
        try:
            return self._transact(operations)
        except sqlite3.OperationalError as error:
            # The disk failed, no single operation: the transaction was rolled back, so all of them failed.
            return [Outcome(error=self._kind.translated(error, self._path)) for _ in operations]
        except StoreError as error:
            # Each caller gets an exception object of its own: raising one object in several tasks would mix their tracebacks.
            return [Outcome(error=type(error)(*error.args)) for _ in operations]
        except Exception as error:
            if len(operations) == 1:
                known = self._kind.translated(error, self._path) if isinstance(error, sqlite3.DatabaseError) else error
                return [Outcome(error=known)]
            return [outcome for operation in operations for outcome in self.run([operation])]

    def _transact(self, operations: list[Operation[Any]]) -> list[Outcome]:
        self._require_in_place()
        connection = self._connection
        before = connection.total_changes
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._one(operation) for operation in operations]
            changed = connection.total_changes != before
            if changed:
                # In the same transaction: the count is never ahead of or behind the rows that it counts.
                self._count_commit(connection, self._commits + 1)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        if changed:
            self._commits += 1
            # Only after the commit: a count in the lock that the file has not reached would make the file look too old.
            self._lock.remember(self._commits)
        return outcomes

    def _one(self, operation: Operation[Any]) -> Outcome:
        """Run one operation. A :class:`StoreError` (a lost lease) wrote nothing, so the others go on in this transaction."""
        try:
            return Outcome(operation(self._connection))
        except StoreError as error:
            return Outcome(error=error)

    def _require_in_place(self) -> None:
        """Refuse to write to a file that was removed or replaced: the writes would succeed, and no later process would see them."""
        if self._found() != self._identity:
            raise StoreUnwritable(
                f"{self._path} was removed or replaced while Headrace was using it; {self._kind.unwritten}. "
                f"Put it back, or stop Headrace and {self._kind.afresh}"
            )

    def _found(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)
