"""Where something stands in the files, and the way to it through the options."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""The way to an option: names of options and numbers of list items, in the models' own (snake_case) spelling."""


class Place(NamedTuple):
    """A line of a file; the first line is 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def dotted(path: Path) -> str:
    """A path as text: ``filters[0].pattern``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text
