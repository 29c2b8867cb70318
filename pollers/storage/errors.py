"""The errors of stores on this disk, each named for what its reader must do next. The message names the store."""

from __future__ import annotations

from pollers.errors import PollerError


class StoreError(PollerError):
    """Root of the errors of stores."""


class StoreBusy(StoreError):  # noqa: N818 - named for what the reader must do next: use another file or end the owner
    """Another process owns the store. ``pid`` is its process id where that is known."""

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class StoreUnreadable(StoreError):  # noqa: N818 - named for what the reader must do next: repair or move the file
    """The store is damaged, foreign or of a newer version. It has not been touched and nothing has been lost."""


class StoreDamaged(StoreUnreadable):
    """The store has changed since it was written, or is gone."""


class StoreUnwritable(StoreError):  # noqa: N818 - named for what the reader must do next: make room, then try again
    """The write did not happen (disk full, read-only file system, I/O error). Trying it again later may work."""
