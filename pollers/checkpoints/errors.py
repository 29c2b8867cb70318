"""The error that only checkpoints have; the others are those of every store (:mod:`pollers.storage.errors`)."""

from __future__ import annotations

from pollers.storage.errors import StoreError


class LeaseLost(StoreError):  # noqa: N818 - named for what the reader must do next: stop the shard's reader
    """Another owner holds the shard now: nothing was written, and nothing that this owner does for the shard counts any more."""
