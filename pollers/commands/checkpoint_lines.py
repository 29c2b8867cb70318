"""Checkpoints and tables of them as lines for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pollers.aws.api import StartAt
    from pollers.checkpoints.store import ShardCheckpoint

POSITION_SHOWN = 64
"""Characters of a position that people are shown: all of a sequence number, but resume tokens may have hundreds."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def done_upto(checkpoint: ShardCheckpoint) -> str:
    """How far a shard is done, or where it begins."""
    if checkpoint.sequence_number is None:
        return f"nothing, from {beginning(checkpoint.start)}"
    return shown(checkpoint.sequence_number)


def shown(position: str) -> str:
    """A position, its middle left out where it is long: ends tell positions apart, and ``--json`` has all of it."""
    if len(position) <= POSITION_SHOWN:
        return position
    half = (POSITION_SHOWN - 1) // 2
    return f"{position[:half]}…{position[-half:]}"


def beginning(start: StartAt | None) -> str:
    """A starting position, for people."""
    if start is None:
        return "its configured starting position"
    if start.timestamp is not None:
        return datetime.fromtimestamp(start.timestamp, UTC).isoformat().replace("+00:00", "Z")
    if start.sequence_number is None:
        return start.kind
    position = shown(start.sequence_number)
    return f"behind {position}" if start.kind == "AFTER_SEQUENCE_NUMBER" else f"{start.kind} {position}"


def further(checkpoint: ShardCheckpoint) -> str:
    """How many lanes are ahead of the position shown; empty where none is."""
    lanes = sum(upto is not None for done in checkpoint.ahead for upto in done.upto)
    return f"{lanes} lane{'' if lanes == 1 else 's'} further" if lanes else ""


def age(seconds: float) -> str:
    """Seconds in the largest unit that fits."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows of text as lines, each column as wide as it must be."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
