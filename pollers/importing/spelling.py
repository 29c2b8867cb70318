"""Values as YAML that a person likes to read and every reader of YAML reads alike."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Plain: TypeAlias = "str | int | bool | list[Plain] | dict[str, Plain] | None"
"""What can be written: nothing unknown is left in it."""

WIDTH = 110
INDENT = "  "
_SAFE = re.compile(r"[A-Za-z_./$][A-Za-z0-9_./:@$*+()=<>-]*(?: [A-Za-z0-9_./@$*+()=<>-]+)*")
_SAFE_IN_BLOCK = re.compile(r"[A-Za-z_./$][A-Za-z0-9_./:@$*+(){}=<>,-]*(?: [A-Za-z0-9_./@$*+(){}?=<>,-]+)*")
_WORDS = re.compile(r"(?i:true|false|yes|no|on|off|y|n|null|nan|inf|~)|[-+.0-9][0-9_.:eExXoOa-fA-F+-]*|\.(?i:inf|nan)")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def scalar(value: str | int | bool | None, *, flow: bool = False) -> str:
    """A single value. ``flow`` is within brackets, where more must be quoted."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    plain = (_SAFE if flow else _SAFE_IN_BLOCK).fullmatch(value) and not _WORDS.fullmatch(value)
    return value if plain and ": " not in value and not value.endswith(":") else quoted(value)


def quoted(text: str) -> str:
    """A text in double quotes, on one line."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(text, ensure_ascii=False))


def flow(value: Plain) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key, flow=True)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value, flow=True)


def entry(key: str, value: Plain, depth: int) -> Iterator[str]:
    """The lines of one key and its value, ``depth`` levels in: on one line where that is short, else below one another."""
    margin = INDENT * depth
    name = scalar(key, flow=True)
    if not isinstance(value, dict | list):
        yield f"{margin}{name}: {scalar(value)}"
        return
    line = f"{margin}{name}: {flow(value)}"
    if len(line) <= WIDTH and (_flat(value) or not value):
        yield line
        return
    yield f"{margin}{name}:"
    yield from _below(value, depth + 1)


def _below(value: Plain, depth: int) -> Iterator[str]:
    margin = INDENT * depth
    if isinstance(value, dict):
        for key, item in value.items():
            yield from entry(key, item, depth)
    elif isinstance(value, list):
        for item in value:
            yield from _item(item, margin, depth)


def _item(item: Plain, margin: str, depth: int) -> Iterator[str]:
    if not isinstance(item, dict | list):
        yield f"{margin}- {scalar(item)}"
    elif not item or isinstance(item, list) or len(margin) + 2 + len(flow(item)) <= WIDTH:
        yield f"{margin}- {flow(item)}"
    else:
        lines = list(_below(item, depth + 1))
        yield f"{margin}- {lines[0].lstrip(' ')}"
        yield from lines[1:]


def _flat(value: Plain) -> bool:
    """Whether this is short enough to be one line to the eye: no mapping of mappings, and not more than four keys."""
    if isinstance(value, dict):
        return len(value) <= 4 and all(not isinstance(item, dict) or _lone(item) for item in value.values())
    return not isinstance(value, list) or not any(isinstance(item, dict) for item in value)


def _lone(value: Plain) -> bool:
    return isinstance(value, dict) and len(value) <= 1 and not any(isinstance(item, dict) for item in value.values())
