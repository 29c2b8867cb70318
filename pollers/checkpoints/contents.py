"""All rows of a checkpoint file, as far as they can be read, and which of them are damaged."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pollers.checkpoints import layout
from pollers.checkpoints.layout import CHECKPOINT_COLUMNS, MAPPING_COLUMNS, SHARD_COLUMNS, STREAM_COLUMNS
from pollers.storage.seals import SEAL_MASK, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = tuple[Any, ...]

_MAPPINGS = f"SELECT {MAPPING_COLUMNS}, seal FROM mappings"  # noqa: S608 - constants, as below
_STREAMS = f"SELECT {STREAM_COLUMNS}, seal, shards_sum FROM streams"  # noqa: S608
_SHARDS = f"SELECT {SHARD_COLUMNS}, seal, lease_counter FROM shards"  # noqa: S608
_FIRST_MAPPINGS = f"SELECT {MAPPING_COLUMNS} FROM mappings"  # noqa: S608
_FIRST_STREAMS = f"SELECT {STREAM_COLUMNS} FROM streams"  # noqa: S608
_FIRST_SHARDS = f"SELECT stream, shard_id, {CHECKPOINT_COLUMNS}, NULL, updated_at FROM shards"  # noqa: S608


@dataclass(slots=True)
class Contents:
    """Rows without their seals: ``mappings`` by name, ``streams`` by id, ``shards`` by stream and shard id.

    ``commits``: how many transactions have written the file.

    ``faults``: what is wrong with each mapping's rows, by name. ``unplaced``: what is wrong where it is not known
    which mapping's rows it concerns.
    ``changed``: the shards whose rows are not as they were written.
    """

    mappings: dict[str, Row] = field(default_factory=dict)
    streams: dict[int, Row] = field(default_factory=dict)
    shards: dict[int, dict[str, Row]] = field(default_factory=dict)
    commits: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    changed: set[tuple[int, str]] = field(default_factory=set)

    @property
    def sound(self) -> bool:
        """Whether every row is as it was written, and all are there."""
        return not (self.faults or self.unplaced)

    def problems(self) -> Iterator[str]:
        """What is wrong, a sentence for each place."""
        yield from self.unplaced
        for mapping, faults in self.faults.items():
            yield f"mapping {mapping}: {'; '.join(faults)}"

    def blame(self, mapping: object, fault: str) -> None:
        """Something is wrong with a row of ``mapping``."""
        if isinstance(mapping, str):
            self.faults.setdefault(mapping, []).append(fault)
        else:
            self.unplaced.append(fault)

    def of(self, mapping: str) -> list[tuple[int, Row]]:
        """The mapping's streams, the one that was opened last first."""
        mine = [(stream, row) for stream, row in self.streams.items() if row[1] == mapping]
        return sorted(mine, key=lambda found: (_number(found[1][4]), found[0]), reverse=True)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def read(connection: sqlite3.Connection, version: int) -> Contents:
    """All rows of a file of this version (1 has no checksums). What cannot be read at all is among the faults."""
    contents = Contents()
    if version == 1:
        _read_first_version(connection, contents)
        return contents
    found = contents.unplaced
    rows_sum = 0
    for *row, sealed in _rows(connection, _MAPPINGS, found):
        contents.mappings[row[0]] = tuple(row)
        rows_sum += _check(contents, "mappings", row, sealed, row[0], "its own row is not as it was written")
    shards_sums = {}
    for *row, sealed, shards_sum in _rows(connection, _STREAMS, found):
        contents.streams[row[0]] = tuple(row)
        shards_sums[row[0]] = shards_sum
        rows_sum += _check(contents, "streams", row, sealed, row[1], "the row of a stream is not as it was written")
    _read_shards(connection, contents, shards_sums)
    _read_store(connection, contents, rows_sum)
    return contents


def _rows(connection: sqlite3.Connection, query: str, faults: list[str]) -> Iterator[Row]:
    try:
        yield from connection.execute(query)
    except (sqlite3.Error, UnicodeError, ValueError, OverflowError) as error:
        faults.append(f"rows cannot be read ({error})")


def _check(contents: Contents, table: str, row: list[Any], sealed: object, mapping: object, fault: str) -> int:
    """The row's checksum; 0 when it is wrong, which is added to the faults."""
    if seal(table, *row) == sealed:
        return int(sealed)
    contents.blame(mapping, fault)
    return 0


def _read_shards(connection: sqlite3.Connection, contents: Contents, shards_sums: dict[int, object]) -> None:
    sums = dict.fromkeys(shards_sums, 0)
    for *row, sealed, counter in _rows(connection, _SHARDS, contents.unplaced):
        stream, shard_id = row[0], row[1]
        if stream not in sums:
            contents.unplaced.append(f"shard {shard_id} belongs to no stream")
            continue
        contents.shards.setdefault(stream, {})[shard_id] = tuple(row)
        sums[stream] += sealed if isinstance(sealed, int) else 0
        if seal("shards", *row) != sealed or not isinstance(counter, int):
            contents.changed.add((stream, shard_id))
            contents.blame(contents.streams[stream][1], f"the row of shard {shard_id} is not as it was written")
    # A seal covers only its own row. A row that was deleted, or restored from an older copy, is found by the sum of all seals.
    for stream, total in sums.items():
        if total & SEAL_MASK != shards_sums[stream]:
            contents.blame(contents.streams[stream][1], "the row of a shard is missing or from another time")


def _read_store(connection: sqlite3.Connection, contents: Contents, rows_sum: int) -> None:
    found = list(_rows(connection, "SELECT commits, seal, rows_sum FROM store", contents.unplaced))
    if len(found) != 1 or seal("store", found[0][0]) != found[0][1]:
        contents.unplaced.append("the file's own row is missing or not as it was written")
        return
    contents.commits = found[0][0]
    # A row that is known to be damaged already explains why the sums differ: it is reported once, with its mapping.
    if not contents.faults and rows_sum & SEAL_MASK != found[0][2]:
        contents.unplaced.append("the row of a mapping or stream is missing or from another time")


def _read_first_version(connection: sqlite3.Connection, contents: Contents) -> None:
    for row in _rows(connection, _FIRST_MAPPINGS, contents.unplaced):
        contents.mappings[row[0]] = row
    for row in _rows(connection, _FIRST_STREAMS, contents.unplaced):
        contents.streams[row[0]] = row
    for row in _rows(connection, _FIRST_SHARDS, contents.unplaced):
        contents.shards.setdefault(row[0], {})[row[1]] = row


def write(connection: sqlite3.Connection, contents: Contents) -> None:
    """Fill an empty database with these rows, inside a transaction."""
    layout.create(connection, contents.commits)
    _insert(connection, "mappings", MAPPING_COLUMNS, list(contents.mappings.values()))
    _insert(connection, "streams", STREAM_COLUMNS, list(contents.streams.values()))
    for shards in contents.shards.values():
        _insert(connection, "shards", SHARD_COLUMNS, list(shards.values()))


def _insert(connection: sqlite3.Connection, table: str, columns: str, rows: list[Row]) -> None:
    places = ", ".join("?" * (columns.count(",") + 2))
    connection.executemany(
        f"INSERT INTO {table} ({columns}, seal) VALUES ({places})",  # noqa: S608 - constants
        [(*row, seal(table, *row)) for row in rows],
    )
