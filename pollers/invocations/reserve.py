"""Room on the disk that no event is accepted into, so that what is queued can still be worked off.

Forgetting an event is a write too: it takes room in the log before it gives any back. A queue that had filled the last of the disk
could neither run an event nor forget one, and would stay as it is until somebody else made room.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

KEPT_BYTES = 16 * 1024**2
"""The log holds 4 MB before it is folded into the file, and more after a large event; an end may have a large answer."""
KEPT_SHARE = 4
"""No more than one part in this many of a small disk."""
OF_ATTEMPTS = 2 / 3
"""The share of the reserve that attempts leave whose answers are to be told, while nobody takes reports."""
OF_ANSWERS = 1 / 3
"""The share that large answers leave: to write that a report was delivered takes some room, too."""


def disk_has_room(connection: sqlite3.Connection, folder: Path, more: int, share: float = 1.0) -> bool:
    """Whether the disk takes ``more`` bytes and keeps this ``share`` of its reserve. Unused pages of the file count as room."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return True  # the write itself says what is wrong
    kept = int(min(KEPT_BYTES, disk.f_blocks * disk.f_frsize // KEPT_SHARE) * share)
    # Twice: an event lies in the log before it lies in the file.
    missing = kept + 2 * more - disk.f_bavail * disk.f_frsize
    if missing <= 0:
        return True
    [pages], [size] = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_size"))
    return bool(pages * size >= missing)
