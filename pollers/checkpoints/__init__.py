"""Checkpoints: how far each shard is done, kept durably. Only the owner of a shard writes its checkpoint.

May import the types of :mod:`pollers.aws`, :mod:`pollers.clocks` and :mod:`pollers.storage`. :mod:`store` is the seam; behind it
are :mod:`sqlite` and :mod:`memory`. Of a SQLite file, :mod:`schema` decides whether it can be used, :mod:`contents` reads all of
it, :mod:`layout` makes its tables, and :mod:`rows` and :mod:`openings` hold the statements.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.memory import MemoryStore
from pollers.checkpoints.sqlite import SqliteStore
from pollers.checkpoints.store import (
    TRIM_HORIZON,
    CheckpointStore,
    CountedLease,
    ForgettingStore,
    LanesDone,
    Lease,
    MappingCheckpoints,
    Opened,
    OpenWindow,
    ShardCheckpoint,
    SoleOwner,
)
from pollers.checkpoints.when_needed import StoreWhenNeeded
from pollers.storage.errors import StoreBusy, StoreDamaged, StoreError, StoreUnreadable, StoreUnwritable

if TYPE_CHECKING:
    from pollers.clocks.clock import Clock

__all__ = [
    "TRIM_HORIZON",
    "CheckpointStore",
    "CountedLease",
    "ForgettingStore",
    "LanesDone",
    "Lease",
    "LeaseLost",
    "MappingCheckpoints",
    "MemoryStore",
    "OpenWindow",
    "Opened",
    "ShardCheckpoint",
    "SoleOwner",
    "SqliteStore",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreUnreadable",
    "StoreUnwritable",
    "StoreWhenNeeded",
    "open_store",
]


def open_store(address: str, *, clock: Clock | None = None) -> ForgettingStore:
    """The store that ``runtime.checkpoints`` names, not yet entered.

    Raises ValueError for an address of no known kind.
    """
    kind, _, path = address.partition(":")
    if kind != "sqlite" or not path:
        raise ValueError(f"runtime.checkpoints: {address!r} is not sqlite:PATH")
    return SqliteStore(Path(path), clock=clock)
