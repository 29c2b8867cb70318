"""Checkpoints: how far each shard is done, kept durably, written by nobody but the shard's owner."""

from __future__ import annotations

from pollers.checkpoints.errors import CheckpointError, LeaseLost, StoreBusy, StoreUnreadable, StoreUnwritable
from pollers.checkpoints.memory import MemoryStore
from pollers.checkpoints.store import (
    TRIM_HORIZON,
    CheckpointStore,
    Lease,
    MappingCheckpoints,
    Opened,
    OpenWindow,
    ShardCheckpoint,
)

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
    "StoreBusy",
    "StoreUnreadable",
    "StoreUnwritable",
]
