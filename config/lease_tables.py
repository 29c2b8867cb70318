"""The tables that stream mappings keep their checkpoints in (``checkpoints: dynamodb:TABLE``), and that of schedules: their names.

A mapping has a table of its own, because the table of an application of the Kinesis Client Library is that. All schedules have one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEME = "dynamodb:"
MAPPING = "{mapping}"
"""Stands for the mapping's name."""
SCHEDULES = "schedules"
"""Stands in its place in the name of the table of schedules."""
_CHARACTERS = re.compile(r"[A-Za-z0-9_.-]*")
_LENGTH = range(3, 255 + 1)
"""Of a table's name. DynamoDB takes the characters above."""
_RIGHT = f"expected dynamodb:TABLE with TABLE of letters, digits, _, . and -, and {MAPPING} for the mapping's name"


def table_of(pattern: str, mapping: str) -> str:
    """The name of a mapping's table."""
    return pattern.replace(MAPPING, mapping)


def schedules_table(pattern: str) -> str:
    """The name of the table of schedules."""
    return table_of(pattern, SCHEDULES) if MAPPING in pattern else f"{pattern}-{SCHEDULES}"


def pattern_problem(pattern: str) -> str | None:
    """What is wrong with TABLE, whatever the mappings are called; None for nothing."""
    rest = pattern.replace(MAPPING, "")
    if not pattern or not _CHARACTERS.fullmatch(rest):
        return f"found {quoted(SCHEME + pattern)}, {_RIGHT}"
    if len(rest) > _LENGTH[-1] or (MAPPING not in pattern and len(rest) not in _LENGTH):
        return f"found a table name of {len(rest)} characters, expected {_LENGTH[0]} to {_LENGTH[-1]}"
    return None


def mapping_problems(pattern: str, mappings: Sequence[str]) -> Iterator[str]:
    """What is wrong with TABLE for these stream mappings. ``pattern`` is one that has no problem itself."""
    if MAPPING not in pattern and len(mappings) > 1:
        *most, last = mappings
        yield (
            f"found one table {quoted(pattern)} for the stream mappings {', '.join(most)} and {last}, expected {MAPPING} in its "
            f"name, such as {SCHEME}{pattern}-{MAPPING}: each mapping has a table of its own"
        )
    for mapping in mappings:
        if (length := len(table_of(pattern, mapping))) not in _LENGTH:
            yield (
                f"found {quoted(SCHEME + pattern)}, which is a table name of {length} characters for the mapping {mapping}, "
                f"expected {_LENGTH[0]} to {_LENGTH[-1]}"
            )


def schedules_problems(pattern: str, mappings: Sequence[str]) -> Iterator[str]:
    """What is wrong with TABLE where there are schedules beside these stream mappings. ``pattern`` has no problem itself."""
    table = schedules_table(pattern)
    if len(table) not in _LENGTH:
        yield (
            f"found {quoted(SCHEME + pattern)}, which is a table name of {len(table)} characters for schedules ({quoted(table)}), "
            f"expected {_LENGTH[0]} to {_LENGTH[-1]}"
        )
    if any(table_of(pattern, mapping) == table for mapping in mappings):
        yield (
            f"found the stream mapping {SCHEDULES}, whose table {quoted(table)} is that of the schedules, expected another name "
            "for the mapping"
        )
