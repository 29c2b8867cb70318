"""What is not watched: what no function runs, and what changes by itself. A decider."""

from __future__ import annotations

import os
import re

FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", ".jj", ".headrace"),
        *("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".cache", ".tox", ".nox"),
        *(".venv", "venv", "node_modules", ".idea", ".vscode", ".terraform", ".serverless", ".aws-sam", "cdk.out"),
    }
)
"""Folders inside a function's code. One that is the code folder itself is watched, whatever it is called."""
ENVIRONMENT_MARK = "pyvenv.cfg"
"""The file that makes a folder a virtual environment, whatever it is called."""
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


def own_files(checkpoints: str, state_folder: str) -> frozenset[str]:
    """What Headrace itself writes: checkpoints with what SQLite puts beside them, and the folder of the state.

    As absolute paths.
    """
    found = {*(checkpoints + end for end in _BESIDE), state_folder}
    return frozenset(os.path.abspath(path) for path in found)
