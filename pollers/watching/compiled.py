"""Python's compiled files, which may hide a change."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def forget_compiled(files: Iterable[str]) -> None:
    """Remove what Python compiled of these sources, of whichever version.

    It knows a source by its size and the second of its time: code that is saved twice in a second, with a digit changed, would
    go on as it was before.
    """
    for file in files:
        path = Path(file)
        if path.suffix == ".py":
            for compiled in (path.parent / "__pycache__").glob(f"{_literal(path.stem)}.*.pyc"):
                with suppress(OSError):
                    compiled.unlink()


def _literal(text: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in text)
