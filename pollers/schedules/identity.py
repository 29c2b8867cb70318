"""What follows from a schedule's name and a due time alone, so that a restart finds the same again. A decider."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid5

_RUNS = UUID("6f1d9c1e-8f0b-5d3a-9a55-5c1b4a0e7d21")
"""The namespace of request ids."""
_EVENTS = UUID("0b7e3f52-64c9-5f0e-8e0c-2b1f8e9d4c33")


def request_id(name: str, due: int) -> str:
    """The request id of the run: a second hand-over of it is recognised by that (docs/lambda 14.9)."""
    return str(uuid5(_RUNS, _key(name, due)))


def event_id(name: str, due: int) -> str:
    """The id in the default event."""
    return str(uuid5(_EVENTS, _key(name, due)))


def execution_id(name: str, due: int) -> str:
    """16 characters (docs/lambda 14.3)."""
    return uuid5(_RUNS, _key(name, due)).hex[:16]


def begins_after(name: str, due: int, window_seconds: int) -> int:
    """How many seconds after it is due a run begins: drawn from the flexible window, once for each due time."""
    if window_seconds <= 0:
        return 0
    drawn = hashlib.sha256(_key(name, due).encode()).digest()
    return int.from_bytes(drawn[:8], "big") % window_seconds


def _key(name: str, due: int) -> str:
    return f"{name}\n{due}"
