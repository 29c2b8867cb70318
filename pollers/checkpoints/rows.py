"""Checkpoints as rows: the statements of the SQLite store, each an operation on a connection inside a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pollers.aws.api import StartAt
from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.layout import CHECKPOINT_COLUMNS, SHARD_COLUMNS, seal_mapping, seal_stream
from pollers.checkpoints.store import LanesDone, OpenWindow, ShardCheckpoint
from pollers.storage.errors import StoreDamaged
from pollers.storage.seals import seal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

_COLUMNS = f"{CHECKPOINT_COLUMNS}, ahead, updated_at"
_UPDATE = (
    f"UPDATE shards SET ({_COLUMNS}, seal) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - constants
    "WHERE stream = ? AND shard_id = ? AND lease_counter = ?"
)
_INSERT = (
    f"INSERT INTO shards ({SHARD_COLUMNS}, seal) "  # noqa: S608 - constants
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_SELECT = f"SELECT {SHARD_COLUMNS}, seal FROM shards WHERE stream = ?"  # noqa: S608 - constants


def checkpoint_of(row: tuple[Any, ...]) -> ShardCheckpoint:
    """A checkpoint from a row of ``SHARD_COLUMNS``. Raises StoreDamaged for values that Headrace never wrote."""
    try:
        _, _, sequence_number, kind, start_number, start_timestamp, ended, opens, closes, state, parents, ahead, _ = row
        window = None if state is None else OpenWindow(opens, closes, bytes(state))
        start = StartAt(kind, start_number, start_timestamp)
        done = () if ahead is None else tuple(LanesDone(tuple(upto)) for upto in orjson.loads(ahead))
        return ShardCheckpoint(sequence_number, start, bool(ended), window, tuple(orjson.loads(parents)), done)
    except (TypeError, ValueError) as error:
        raise StoreDamaged(f"the checkpoint file is damaged: a shard's row cannot be read ({error})") from error


def load(connection: sqlite3.Connection, stream: int) -> dict[str, ShardCheckpoint]:
    """Every shard's checkpoint of a stream. Raises StoreDamaged."""
    loaded = {}
    for *row, sealed in connection.execute(_SELECT, (stream,)):
        if seal("shards", *row) != sealed:
            raise StoreDamaged(f"the checkpoint file is damaged: the row of shard {row[1]} is not as it was written")
        loaded[row[1]] = checkpoint_of(tuple(row))
    return loaded


def add(connection: sqlite3.Connection, stream: int, shards: Mapping[str, ShardCheckpoint], now: float) -> None:
    """Insert the shards that have no row yet."""
    rows = [(stream, shard_id, *_columns(checkpoint), now) for shard_id, checkpoint in shards.items()]
    connection.executemany(_INSERT, [(*row, seal("shards", *row)) for row in rows])


def pin(
    connection: sqlite3.Connection, stream: int, shards: Mapping[str, ShardCheckpoint], now: float
) -> frozenset[str]:
    """Insert the first shards, and use up the position that a reset asked for. Returns those that were not there."""
    known = {shard_id for (shard_id,) in connection.execute("SELECT shard_id FROM shards WHERE stream = ?", (stream,))}
    add(connection, stream, shards, now)
    connection.execute("UPDATE streams SET pinned = 1 WHERE id = ?", (stream,))
    seal_stream(connection, stream)
    (mapping,) = connection.execute("SELECT mapping FROM streams WHERE id = ?", (stream,)).fetchone()
    connection.execute("UPDATE mappings SET reset_kind = NULL, reset_timestamp = NULL WHERE name = ?", (mapping,))
    seal_mapping(connection, mapping)
    return frozenset(shards.keys() - known)


def save_and_add(
    connection: sqlite3.Connection,
    stream: int,
    shard_id: str,
    counter: int,
    checkpoint: ShardCheckpoint,
    children: Mapping[str, ShardCheckpoint],
    now: float,
) -> None:
    """Write a shard's checkpoint, and insert its children, if the lease's counter is the current one.

    Otherwise writes nothing and raises LeaseLost.
    """
    columns = (*_columns(checkpoint), now)
    sealed = seal("shards", stream, shard_id, *columns)
    # The fence: the counter is compared in the statement that writes, so no other owner can come in between.
    changed = connection.execute(_UPDATE, (*columns, sealed, stream, shard_id, counter))
    if changed.rowcount != 1:
        raise LeaseLost(f"the lease of shard {shard_id} was taken by another owner")
    if children:
        add(connection, stream, children, now)


def take_leases(connection: sqlite3.Connection, stream: int, shard_ids: Iterable[str], owner: str) -> dict[str, int]:
    """Raise the lease counters of the shards that have rows; the new counters."""
    counters: dict[str, int] = {}
    for shard_id in shard_ids:
        row = connection.execute(
            "UPDATE shards SET lease_counter = lease_counter + 1, lease_owner = ? "
            "WHERE stream = ? AND shard_id = ? RETURNING lease_counter",
            (owner, stream, shard_id),
        ).fetchone()
        if row is not None:
            counters[shard_id] = row[0]
    return counters


def release(connection: sqlite3.Connection, stream: int, counters: Mapping[str, int]) -> None:
    """Raise the counters of leases that are still current, so that they are no longer valid."""
    connection.executemany(
        "UPDATE shards SET lease_counter = lease_counter + 1, lease_owner = NULL "
        "WHERE stream = ? AND shard_id = ? AND lease_counter = ?",
        [(stream, shard_id, counter) for shard_id, counter in counters.items()],
    )


def forget(connection: sqlite3.Connection, stream: int, shard_ids: Iterable[str]) -> None:
    """Delete the shards' rows."""
    connection.executemany(
        "DELETE FROM shards WHERE stream = ? AND shard_id = ?", [(stream, shard_id) for shard_id in shard_ids]
    )


def _columns(checkpoint: ShardCheckpoint) -> tuple[Any, ...]:
    """The values with the types in which SQLite gives them back: the checksum is made from those."""
    start, window, ahead = checkpoint.start, checkpoint.window, checkpoint.ahead
    return (
        checkpoint.sequence_number,
        start.kind,
        start.sequence_number,
        None if start.timestamp is None else float(start.timestamp),
        int(checkpoint.ended),
        *((None, None, None) if window is None else (float(window.start), float(window.end), bytes(window.state))),
        orjson.dumps(checkpoint.parents).decode(),
        orjson.dumps([done.upto for done in ahead]).decode() if ahead else None,
    )
