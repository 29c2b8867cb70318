"""Checkpoints as rows: the statements of the SQLite store, each an operation on a connection inside a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pollers.aws.api import StartAt
from pollers.checkpoints.errors import LeaseLost, StoreUnreadable
from pollers.checkpoints.store import OpenWindow, ShardCheckpoint

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

CHECKPOINT_COLUMNS = (
    "sequence_number, start_kind, start_sequence_number, start_timestamp, ended, "
    "window_start, window_end, window_state, parents"
)
_UPDATE = (
    f"UPDATE shards SET ({CHECKPOINT_COLUMNS}, updated_at) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - constants
    "WHERE stream = ? AND shard_id = ? AND lease_counter = ?"
)
_INSERT = (
    f"INSERT INTO shards (stream, shard_id, {CHECKPOINT_COLUMNS}, updated_at) "  # noqa: S608 - constants
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_SELECT = f"SELECT shard_id, {CHECKPOINT_COLUMNS} FROM shards WHERE stream = ?"  # noqa: S608 - constants


def checkpoint_of(row: tuple[Any, ...]) -> ShardCheckpoint:
    """A checkpoint from its columns. Raises StoreUnreadable for values that Headrace never wrote."""
    try:
        sequence_number, kind, start_number, start_timestamp, ended, opens, closes, state, parents = row
        window = None if state is None else OpenWindow(opens, closes, bytes(state))
        start = StartAt(kind, start_number, start_timestamp)
        return ShardCheckpoint(sequence_number, start, bool(ended), window, tuple(orjson.loads(parents)))
    except (TypeError, ValueError) as error:
        raise StoreUnreadable(f"the checkpoint file is damaged: a shard's row cannot be read ({error})") from error


def load(connection: sqlite3.Connection, stream: int) -> dict[str, ShardCheckpoint]:
    """Every shard's checkpoint of a stream."""
    return {row[0]: checkpoint_of(row[1:]) for row in connection.execute(_SELECT, (stream,))}


def add(connection: sqlite3.Connection, stream: int, shards: Mapping[str, ShardCheckpoint], now: float) -> None:
    """Insert the shards that have no row yet."""
    connection.executemany(_INSERT, [(stream, shard_id, *_columns(shards[shard_id]), now) for shard_id in shards])


def pin(connection: sqlite3.Connection, stream: int, shards: Mapping[str, ShardCheckpoint], now: float) -> None:
    """Insert the first shards, and use up the position that a reset asked for."""
    add(connection, stream, shards, now)
    connection.execute("UPDATE streams SET pinned = 1 WHERE id = ?", (stream,))
    connection.execute(
        "UPDATE mappings SET reset_kind = NULL, reset_timestamp = NULL "
        "WHERE name = (SELECT mapping FROM streams WHERE id = ?)",
        (stream,),
    )


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
    changed = connection.execute(_UPDATE, (*_columns(checkpoint), now, stream, shard_id, counter))
    if changed.rowcount != 1:
        raise LeaseLost(f"the lease of shard {shard_id} was taken by another owner")
    if children:
        add(connection, stream, children, now)


def take(connection: sqlite3.Connection, stream: int, shard_ids: Iterable[str], owner: str) -> dict[str, int]:
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
    """Raise the counters of leases that are still current, so that nobody holds them."""
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
    start, window = checkpoint.start, checkpoint.window
    return (
        checkpoint.sequence_number,
        start.kind,
        start.sequence_number,
        start.timestamp,
        checkpoint.ended,
        *((None, None, None) if window is None else (window.start, window.end, window.state)),
        orjson.dumps(checkpoint.parents).decode(),
    )
