"""The error for an invalid event pattern."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

PatternPath: TypeAlias = tuple[str | int, ...]
"""Keys and positions that lead from a pattern's top to one of its parts."""

_PLAIN_KEY = re.compile(r"[^.\[\]\"\s]+")


class PatternError(ValueError):
    """An event pattern is invalid: ``path`` leads to the fault inside it, ``reason`` says what would be right."""

    def __init__(self, path: PatternPath, reason: str) -> None:
        super().__init__(f"{path_text(path)}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def path_text(path: PatternPath) -> str:
    """A path as text: ``detail.state[0].prefix``; keys that would be ambiguous are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step)}]"
    return text
