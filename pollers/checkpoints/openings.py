"""Opening and resetting a mapping in the SQLite store: which streams it has read, and which one it read last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.aws.api import StartAt
from pollers.checkpoints.layout import seal_mapping, seal_stream
from pollers.storage.seals import seal

if TYPE_CHECKING:
    import sqlite3

KEPT_STREAMS = 20
"""How many streams a mapping keeps checkpoints of. A mapping that was pointed at another stream by mistake can so go back."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What the store has of a mapping on a stream; ``stream`` is the id of its row, ``number`` counts its openings."""

    stream: int
    number: int
    fresh: bool
    previous_identity: str | None
    start: StartAt | None


def open_stream(connection: sqlite3.Connection, mapping: str, identity: str, now: float) -> Opening:
    """Find or make the mapping's row for this stream, and revoke all leases of the mapping, on whatever stream."""
    connection.execute(
        "INSERT INTO mappings (name, seal) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (mapping, seal("mappings", mapping, None, None)),
    )
    connection.execute(
        "UPDATE shards SET lease_counter = lease_counter + 1, lease_owner = NULL "
        "WHERE stream IN (SELECT id FROM streams WHERE mapping = ?)",
        (mapping,),
    )
    stream, pinned, number = connection.execute(
        "INSERT INTO streams (mapping, identity, pinned, opened_at, openings, seal) VALUES (?, ?, 0, ?, 1, 0) "
        "ON CONFLICT DO UPDATE SET opened_at = excluded.opened_at, openings = openings + 1 "
        "RETURNING id, pinned, openings",
        (mapping, identity, _after_earlier(connection, mapping, now)),
    ).fetchone()
    seal_stream(connection, stream)
    _drop_oldest(connection, mapping)
    if pinned:
        return Opening(stream, number, fresh=False, previous_identity=None, start=None)
    return Opening(
        stream,
        number,
        fresh=True,
        previous_identity=_previous(connection, mapping, stream),
        start=_reset_to(connection, mapping),
    )


def _after_earlier(connection: sqlite3.Connection, mapping: str, now: float) -> float:
    """A time after every earlier opening. The clock may have been set back, but what is opened now must be the newest."""
    latest = connection.execute("SELECT max(opened_at) FROM streams WHERE mapping = ?", (mapping,)).fetchone()[0]
    return now if latest is None else max(now, float(latest) + 0.001)


def reset_mapping(connection: sqlite3.Connection, mapping: str, start: StartAt | None) -> None:
    """Forget every checkpoint of the mapping; it is pinned at ``start`` (or as configured) when it is next opened."""
    connection.execute("DELETE FROM streams WHERE mapping = ?", (mapping,))
    kind, timestamp = (None, None) if start is None else (start.kind, start.timestamp)
    connection.execute(
        "INSERT INTO mappings (name, reset_kind, reset_timestamp, seal) VALUES (?, ?, ?, 0) "
        "ON CONFLICT DO UPDATE SET reset_kind = excluded.reset_kind, reset_timestamp = excluded.reset_timestamp",
        (mapping, kind, timestamp),
    )
    seal_mapping(connection, mapping)


def forget_mapping(connection: sqlite3.Connection, mapping: str) -> None:
    """Drop the mapping with all that it has read: it never comes back under this name."""
    connection.execute("DELETE FROM streams WHERE mapping = ?", (mapping,))
    connection.execute("DELETE FROM mappings WHERE name = ?", (mapping,))


def _previous(connection: sqlite3.Connection, mapping: str, stream: int) -> str | None:
    row = connection.execute(
        "SELECT identity FROM streams WHERE mapping = ? AND id != ? AND pinned ORDER BY opened_at DESC, id DESC LIMIT 1",
        (mapping, stream),
    ).fetchone()
    return None if row is None else str(row[0])


def _reset_to(connection: sqlite3.Connection, mapping: str) -> StartAt | None:
    kind, timestamp = connection.execute(
        "SELECT reset_kind, reset_timestamp FROM mappings WHERE name = ?", (mapping,)
    ).fetchone()
    return None if kind is None else StartAt(kind, timestamp=timestamp)


def _drop_oldest(connection: sqlite3.Connection, mapping: str) -> None:
    connection.execute(
        "DELETE FROM streams WHERE mapping = ? AND id NOT IN "
        "(SELECT id FROM streams WHERE mapping = ? ORDER BY opened_at DESC, id DESC LIMIT ?)",
        (mapping, mapping, KEPT_STREAMS),
    )
