"""What is not watched: what no function runs, and what changes by itself. A decider."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

from handlers.copies import FOLDERS

_FILES = re.compile(
    r".*(\.py[co]|\.log|~|\.swp|\.swo|\.swx|\.tmp|\.orig|\.bak|\.part|\.crdownload|___jb_(tmp|old)___)"
    r"|\.#.*|#.*#|4913|\.DS_Store|\.goutputstream-.*|.*\.lock"
)
"""Editors' temporary files (4913 is Vim's), compiled Python, logs and locks."""
_BESIDE = ("", "-wal", "-shm", "-journal")


def ignored_folder(name: str) -> bool:
    """Whether a folder inside a function's code is left out by its name."""
    return name in FOLDERS


def ignored_file(name: str) -> bool:
    """Whether a file is left out by its name."""
    return _FILES.fullmatch(name) is not None


def own_files(checkpoints: Path | None, state_folder: Path) -> frozenset[str]:
    """What Headrace itself writes: checkpoints in a file with what SQLite puts beside it, and the folder of the state.

    As absolute paths.
    """
    files = () if checkpoints is None else (f"{checkpoints}{end}" for end in _BESIDE)
    found = {*files, str(state_folder)}
    return frozenset(os.path.abspath(path) for path in found)
