"""Looking at a checkpoint file, and resetting a mapping in it, from outside a running Headrace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.aws.api import StartAt
from pollers.checkpoints import openings, rows, schema
from pollers.checkpoints.lock import OwnerLock

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.checkpoints.store import ShardCheckpoint


@dataclass(frozen=True, slots=True)
class ShardFound:
    """One shard's checkpoint, and when it was last written (seconds since the epoch)."""

    shard_id: str
    checkpoint: ShardCheckpoint
    updated_at: float


@dataclass(frozen=True, slots=True)
class MappingFound:
    """A mapping's checkpoints on the stream that it read last; ``identity`` is None when there are none (after a reset)."""

    name: str
    identity: str | None
    shards: tuple[ShardFound, ...]
    reset_to: StartAt | None


def look(path: Path) -> list[MappingFound]:
    """Every mapping of a checkpoint file, by name. Works beside a running owner, and writes nothing.

    There is none in a file whose creation is under way or was cut short.
    Raises StoreUnreadable and StoreUnwritable as entering the store does.
    """
    opened = schema.connect_to_look(path)
    if opened is None:
        return []
    with closing(opened) as connection:
        try:
            connection.execute("BEGIN")
            mappings = connection.execute("SELECT name, reset_kind, reset_timestamp FROM mappings ORDER BY name")
            return [
                _mapping(connection, name, None if kind is None else StartAt(kind, timestamp=timestamp))
                for name, kind, timestamp in mappings.fetchall()
            ]
        except sqlite3.Error as error:
            raise schema.translated(error, path) from error


def reset(path: Path, mappings: list[str], start: StartAt | None) -> None:
    """Forget the checkpoints of ``mappings``, all or none; they begin at ``start`` (None: as configured) when next started.

    Raises StoreBusy while a running Headrace owns the file.
    """
    with OwnerLock(path), closing(schema.connect(path)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for mapping in mappings:
                openings.reset_mapping(connection, mapping, start)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise schema.translated(error, path) from error


def _mapping(connection: sqlite3.Connection, name: str, reset_to: StartAt | None) -> MappingFound:
    stream = connection.execute(
        "SELECT id, identity FROM streams WHERE mapping = ? ORDER BY opened_at DESC, id DESC LIMIT 1", (name,)
    ).fetchone()
    if stream is None:
        return MappingFound(name, None, (), reset_to)
    return MappingFound(name, stream[1], tuple(_shards(connection, stream[0])), reset_to)


def _shards(connection: sqlite3.Connection, stream: int) -> list[ShardFound]:
    found = connection.execute(
        f"SELECT shard_id, updated_at, {rows.CHECKPOINT_COLUMNS} FROM shards "  # noqa: S608 - constants
        "WHERE stream = ? ORDER BY shard_id",
        (stream,),
    )
    return [ShardFound(row[0], rows.checkpoint_of(row[2:]), row[1]) for row in found]
