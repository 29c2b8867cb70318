"""Inspect a checkpoint file, and reset mappings in it, without starting Headrace; also when the file is damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.aws.api import StartAt
from pollers.checkpoints import layout, openings, rows, schema
from pollers.checkpoints.contents import Contents
from pollers.checkpoints.layout import CHECKPOINTS
from pollers.checkpoints.store import ShardCheckpoint
from pollers.storage import files
from pollers.storage.errors import StoreDamaged, StoreUnwritable
from pollers.storage.lock import OwnerLock, memory_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ShardFound:
    """One shard's checkpoint, and when it was last written (seconds since the epoch).

    ``damaged``: its row has changed since it was written. What cannot be read of it has its default.
    """

    shard_id: str
    checkpoint: ShardCheckpoint
    updated_at: float
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class MappingFound:
    """A mapping's checkpoints on the stream that it read last; ``identity`` is None when there are none (after a reset).

    ``faults``: what is wrong with its rows.
    """

    name: str
    identity: str | None
    shards: tuple[ShardFound, ...]
    reset_to: StartAt | None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFound:
    """A checkpoint file: its mappings by name, and what is wrong with it apart from their rows."""

    mappings: tuple[MappingFound, ...] = ()
    faults: tuple[str, ...] = ()


def look(path: Path) -> list[MappingFound]:
    """Every mapping of a sound checkpoint file, by name. Raises what :func:`inspect` raises, and StoreDamaged
    for a damaged file.
    """
    found = inspect(path)
    if found.faults:
        raise CHECKPOINTS.damaged(path, "; ".join(found.faults))
    return list(found.mappings)


def inspect(path: Path) -> FileFound:
    """What is in a checkpoint file, as far as it can be read. Works beside a running owner, and writes nothing.

    A file that is being created, or whose creation was interrupted, has no mappings. Raises StoreDamaged when nothing at all can
    be read, StoreUnreadable for a file that is newer or another program's, and StoreUnwritable.
    """
    memory = memory_of(path)
    try:
        found = schema.examine(path, memory)
    except sqlite3.Error as error:
        raise CHECKPOINTS.translated(error, path) from error
    if found is None:
        return FileFound()
    contents = found[1]
    names = sorted({str(name) for name in (*contents.mappings, *contents.faults)})
    return FileFound(tuple(_mapping(contents, name) for name in names), tuple(contents.unplaced))


def reset(path: Path, mappings: Collection[str], start: StartAt | None, *, everything: bool = False) -> None:
    """Forget the checkpoints of ``mappings``, all or none; they begin at ``start`` (None: as configured) when next started.

    A damaged file is first copied, then replaced by a new file with the rows that are sound. Where it is not known which
    mapping's rows are damaged, that needs ``everything``, which says that ``mappings`` are all that there are. Raises
    StoreBusy while a running Headrace owns the file, and StoreDamaged when more than these mappings must be reset.
    """
    with OwnerLock(path, CHECKPOINTS) as lock:
        try:
            connection, commits = schema.connect(path, lock)
        except StoreDamaged as damage:
            _replace(path, lock, _without(path, lock, mappings, damage, everything=everything), mappings, start)
            return
        with closing(connection):
            # One transaction with the count of commits, as every write has: a file without it would look like an older copy.
            try:
                connection.execute("BEGIN IMMEDIATE")
                for mapping in mappings:
                    openings.reset_mapping(connection, mapping, start)
                layout.count_commit(connection, commits + 1)
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise CHECKPOINTS.translated(error, path) from error
        lock.remember(commits + 1)


def _without(
    path: Path, lock: OwnerLock, mappings: Collection[str], damage: StoreDamaged, *, everything: bool
) -> Contents:
    """The sound rows of a damaged file, without these mappings. Raises StoreDamaged when other mappings are damaged too."""
    try:
        found = schema.examine(path, lock.memory)
    except (sqlite3.Error, StoreDamaged):
        found = None
    contents = Contents() if found is None else found[1]
    if everything and (found is None or contents.unplaced):
        return Contents(commits=contents.commits)
    if found is None or contents.unplaced:
        raise StoreDamaged(
            f"{damage}. It cannot be told whose rows are sound: leave MAPPING out, to reset every mapping"
        )
    others = [name for name in contents.faults if name not in mappings]
    if others and not everything:
        raise StoreDamaged(
            f"{damage}. The rows of {', '.join(others)} are damaged too: leave MAPPING out, to reset every mapping"
        )
    gone = {*mappings, *others}
    streams = {stream: row for stream, row in contents.streams.items() if row[1] not in gone}
    return Contents(
        {name: row for name, row in contents.mappings.items() if name not in gone},
        streams,
        {stream: shards for stream, shards in contents.shards.items() if stream in streams},
        contents.commits,
    )


def _replace(path: Path, lock: OwnerLock, sound: Contents, mappings: Collection[str], start: StartAt | None) -> None:
    """Replace a damaged file with one that holds what is sound, and in which these mappings are reset."""
    kind, timestamp = (None, None) if start is None else (start.kind, start.timestamp)
    for mapping in mappings:
        sound.mappings[mapping] = (mapping, kind, None if timestamp is None else float(timestamp))
    sound.commits = max(sound.commits, lock.memory.commits or 0) + 1
    try:
        files.keep_copy(path)
        schema.put(path, sound)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnwritable(f"{path} could not be made anew ({error}); it was left as it is") from error
    lock.remember(sound.commits)


def _mapping(contents: Contents, name: str) -> MappingFound:
    faults = tuple(contents.faults.get(name, ()))
    row = contents.mappings.get(name)
    reset_to = None if row is None or not isinstance(row[1], str) else StartAt(row[1], timestamp=row[2])
    streams = contents.of(name)
    if not streams:
        return MappingFound(name, None, (), reset_to, faults)
    stream, opened = streams[0]
    shards = sorted(contents.shards.get(stream, {}).items(), key=lambda item: str(item[0]))
    found = tuple(_shard(shard_id, row, damaged=(stream, shard_id) in contents.changed) for shard_id, row in shards)
    return MappingFound(name, str(opened[2]), found, reset_to, faults)


def _shard(shard_id: str, row: tuple[object, ...], *, damaged: bool) -> ShardFound:
    updated_at = row[-1]
    try:
        checkpoint = rows.checkpoint_of(row)
    except StoreDamaged:
        checkpoint, damaged = ShardCheckpoint(), True
    return ShardFound(str(shard_id), checkpoint, updated_at if isinstance(updated_at, float) else 0.0, damaged)
