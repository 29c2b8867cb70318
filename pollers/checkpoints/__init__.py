"""Checkpoints: how far each shard is done, kept durably, written by nobody but the shard's owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.checkpoints.errors import CheckpointError, LeaseLost, StoreBusy, StoreUnreadable, StoreUnwritable
from pollers.checkpoints.memory import MemoryStore
from pollers.checkpoints.sqlite import SqliteStore
from pollers.checkpoints.store import (
    TRIM_HORIZON,
    CheckpointStore,
    Lease,
    MappingCheckpoints,
    Opened,
    OpenWindow,
    ShardCheckpoint,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.clock import Clock

__all__ = [
    "TRIM_HORIZON",
    "CheckpointError",
    "CheckpointStore",
    "Lease",
    "LeaseLost",
    "MappingCheckpoints",
    "MemoryStore",
    "OpenWindow",
    "Opened",
    "ShardCheckpoint",
    "SqliteStore",
    "StoreBusy",
    "StoreUnreadable",
    "StoreUnwritable",
    "make_store",
]


def make_store(address: str, *, folder: Path, clock: Clock | None = None) -> CheckpointStore:
    """The store that ``runtime.checkpoints`` names, not yet entered. A relative path is taken from ``folder``.

    Raises ValueError for an address of no known kind.
    """
    kind, _, rest = address.partition(":")
    if kind != "sqlite" or not rest:
        raise ValueError(f"runtime.checkpoints: {address!r} is not sqlite:PATH")
    return SqliteStore(folder / rest, clock=clock)
