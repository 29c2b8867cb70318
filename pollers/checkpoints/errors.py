"""The errors of checkpoint stores, each named for what its reader must do next."""

from __future__ import annotations

from pollers.errors import PollerError


class CheckpointError(PollerError):
    """Root of the errors of checkpoint stores."""


class LeaseLost(CheckpointError):  # noqa: N818 - named for what the reader must do next: stop the shard's reader
    """Another owner holds the shard now: nothing was written, and nothing that this owner does for the shard counts any more."""


class StoreBusy(CheckpointError):  # noqa: N818 - named for what the reader must do next: use another file or end the owner
    """Another process owns the store. ``pid`` is its process id where that is known."""

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class StoreUnreadable(CheckpointError):  # noqa: N818 - named for what the reader must do next: repair or move the file
    """The store is damaged, foreign or of a newer version. It has not been touched and nothing has been lost."""


class StoreDamaged(StoreUnreadable):
    """The store has changed since it was written, or is gone. What is left can be inspected, and its mappings can be reset."""


class StoreUnwritable(CheckpointError):  # noqa: N818 - named for what the reader must do next: make room, then try again
    """The write did not happen (disk full, read-only file system, I/O error). Trying it again later may work."""
