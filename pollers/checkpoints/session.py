"""The writing thread's end of the checkpoint file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.checkpoints import layout, schema
from pollers.storage.session import StoreSession

if TYPE_CHECKING:
    from pathlib import Path


class SqliteSession(StoreSession):
    """Holds the checkpoint file from :meth:`start` to :meth:`stop`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, layout.CHECKPOINTS, schema.connect, layout.count_commit)
