"""Mappings that Lambda's API made, where the configuration has no ``lambda_api`` any more: they are kept and do not run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import structlog
from anyio import to_thread

from pollers.state import FILE
from pollers.storage import database

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.stdlib.get_logger(__name__)


async def say_unserved(state_folder: Path) -> None:
    """Say in one line how many there are, if any. Changes nothing; a state that cannot be read is for others to report."""
    path = state_folder / FILE
    count = await to_thread.run_sync(_count, path)
    if count:
        log.warning(
            "mappings that were made through Lambda's API do not run: the configuration has no section lambda_api",
            mappings=count,
            file=str(path),
            advice="put lambda_api back to run or delete them; what they held stays in their sources",
        )


def _count(path: Path) -> int:
    if not path.is_file():
        return 0
    try:
        with closing(database.open_to_read(path)) as connection:
            return int(connection.execute("SELECT count(*) FROM made_mappings").fetchone()[0])
    except (sqlite3.Error, OSError):
        return 0
