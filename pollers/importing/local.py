"""What is on this machine under a name that a file gives, which may be any text: too long, with a null character, out of bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def is_folder(path: Path) -> bool:
    """Whether there is a folder; not where the name can be none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file; not where the name can be none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_code(path: Path) -> bool:
    """Whether there is a folder or a .zip archive."""
    return is_folder(path) or (path.suffix == ".zip" and is_file(path))


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path stays in a folder, links followed."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False
