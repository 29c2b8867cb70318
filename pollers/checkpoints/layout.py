"""The tables of the SQLite file, and the triggers that keep the sums of their rows' checksums.

Each row has a ``seal``, a checksum over everything in it but its lease (leases last no longer than their process). A stream's
``shards_sum`` is the sum of its shards' seals, the store's ``rows_sum`` that of all mappings' and streams' seals. A changed row
is noticed by its own seal; a row that is missing, doubled or older than the others by the sum. The store's only row also counts
the transactions that wrote anything (``commits``), which the lock's file remembers: see :mod:`pollers.storage.lock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.storage.kind import StoreKind
from pollers.storage.seals import SEAL_MASK, seal

if TYPE_CHECKING:
    import sqlite3

APPLICATION_ID = 0x48647263
"""Marks the file as Headrace's own ("Hdrc")."""
SCHEMA_VERSION = 2
"""Raised with every change that an older Headrace could not read."""
OLDEST_VERSION = 1
"""The oldest version that is migrated."""
CHECKPOINTS = StoreKind(
    application_id=APPLICATION_ID,
    versions=(OLDEST_VERSION, SCHEMA_VERSION),
    file="checkpoint file",
    option="runtime.checkpoints",
    place="file",
    unwritten="no checkpoint was moved",
    afresh="start every mapping afresh: headrace checkpoints reset CONFIG",
)

CHECKPOINT_COLUMNS = (
    "sequence_number, start_kind, start_sequence_number, start_timestamp, ended, "
    "window_start, window_end, window_state, parents"
)
"""What version 1 had; since version 2 ``ahead`` follows."""
SHARD_COLUMNS = f"stream, shard_id, {CHECKPOINT_COLUMNS}, ahead, updated_at"
STREAM_COLUMNS = "id, mapping, identity, pinned, opened_at, openings"
MAPPING_COLUMNS = "name, reset_kind, reset_timestamp"
"""What the seals of the tables cover, in this order."""

_TABLES = (
    """CREATE TABLE store (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        commits INTEGER NOT NULL,
        seal INTEGER NOT NULL,
        rows_sum INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE mappings (
        name TEXT PRIMARY KEY,
        reset_kind TEXT,
        reset_timestamp REAL,
        seal INTEGER NOT NULL
    )""",
    """CREATE TABLE streams (
        id INTEGER PRIMARY KEY,
        mapping TEXT NOT NULL REFERENCES mappings (name),
        identity TEXT NOT NULL,
        pinned INTEGER NOT NULL,
        opened_at REAL NOT NULL,
        openings INTEGER NOT NULL,
        seal INTEGER NOT NULL,
        shards_sum INTEGER NOT NULL DEFAULT 0,
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
        ahead TEXT,
        updated_at REAL NOT NULL,
        seal INTEGER NOT NULL,
        lease_counter INTEGER NOT NULL DEFAULT 0,
        lease_owner TEXT,
        PRIMARY KEY (stream, shard_id)
    )""",
)


def _sums(table: str, holder: str, total: str, whose: str) -> tuple[str, ...]:
    """Triggers that keep ``total`` the sum of the seals of ``table``. ``whose``: in which row of ``holder``, for the row ``%``."""

    def trigger(name: str, event: str, change: str, row: str) -> str:
        update = f"UPDATE {holder} SET {total} = ({total} {change}) & {SEAL_MASK}"  # noqa: S608 - constants
        where = whose.replace("%", row)
        return f"CREATE TRIGGER {table}_{name} AFTER {event} ON {table} BEGIN {update} WHERE {where}; END"

    return (
        trigger("inserted", "INSERT", "+ NEW.seal", "NEW"),
        trigger("deleted", "DELETE", "- OLD.seal", "OLD"),
        trigger("sealed", "UPDATE OF seal", "- OLD.seal + NEW.seal", "NEW"),
    )


STATEMENTS = (
    *_TABLES,
    *_sums("shards", "streams", "shards_sum", "id = %.stream"),
    *_sums("streams", "store", "rows_sum", "one = 1"),
    *_sums("mappings", "store", "rows_sum", "one = 1"),
)


def create(connection: sqlite3.Connection, commits: int) -> None:
    """Make the tables of an empty database, inside a transaction."""
    for statement in STATEMENTS:
        connection.execute(statement)
    connection.execute("INSERT INTO store (one, commits, seal) VALUES (1, ?, ?)", (commits, seal("store", commits)))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def count_commit(connection: sqlite3.Connection, commits: int) -> None:
    """Enter the number of the transaction that is about to be committed."""
    connection.execute("UPDATE store SET commits = ?, seal = ? WHERE one = 1", (commits, seal("store", commits)))


def seal_mapping(connection: sqlite3.Connection, mapping: str) -> None:
    """Seal a mapping's row after a change."""
    _reseal(connection, "mappings", MAPPING_COLUMNS, "name", mapping)


def seal_stream(connection: sqlite3.Connection, stream: int) -> None:
    """Seal a stream's row after a change."""
    _reseal(connection, "streams", STREAM_COLUMNS, "id", stream)


def _reseal(connection: sqlite3.Connection, table: str, columns: str, key: str, value: str | int) -> None:
    row = connection.execute(f"SELECT {columns} FROM {table} WHERE {key} = ?", (value,)).fetchone()  # noqa: S608 - constants
    if row is not None:
        connection.execute(f"UPDATE {table} SET seal = ? WHERE {key} = ?", (seal(table, *row), value))  # noqa: S608 - constants
