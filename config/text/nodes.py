"""A parsed file as a tree of values, each with its place in the file. YAML and JSON both become such a tree."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.text.places import Path, Place

MAXIMUM_DEPTH = 100
"""Deeper nesting is refused, so that a walk over a tree stays far from Python's recursion limit."""

MAXIMUM_NODES = 500_000
"""Most values in one file. Aliases count as often as they are used, so that a few lines of them cannot fill the memory."""

SHOWN_CHARACTERS = 60

JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
SURROGATE = re.compile("[\ud800-\udfff]")


class Unparsable(Exception):  # noqa: N818 - named for what the reader must do next: repair the file
    """A file's text is not what its format allows. ``place`` is where, the message what was found and expected."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(slots=True, eq=False)
class Scalar:
    """A single value.

    ``text`` is how the file spells it. ``variables`` are the environment variables whose values went into it, and ``problem`` is
    why their values could not, or what else keeps it from being read.
    """

    place: Place
    value: str | int | float | bool | None
    text: str
    variables: tuple[str, ...] = ()
    problem: str | None = None
    size: int = 1


@dataclass(slots=True, eq=False)
class Sequence:
    """A list. ``height`` counts its levels, those of aliases too."""

    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1


@dataclass(slots=True, eq=False)
class Entry:
    """One key of a mapping and its value."""

    place: Place
    node: Node


@dataclass(slots=True, eq=False)
class Table:
    """A mapping, keys in the order of the file. ``repeated`` holds each key that came again, and where."""

    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)
    repeated: list[tuple[str, Place]] = field(default_factory=list)
    size: int = 1
    height: int = 1


Node: TypeAlias = Scalar | Sequence | Table


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node of a tree with the way to it; a node that aliases share comes once."""
    seen: set[int] = set()
    pending: list[tuple[Path, Node]] = [(path, node)]
    while pending:
        path, node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield path, node
        if isinstance(node, Sequence):
            pending.extend(((*path, number), item) for number, item in enumerate(node.items))
        elif isinstance(node, Table):
            pending.extend(((*path, key), entry.node) for key, entry in node.entries.items())


def is_null(node: Node) -> bool:
    """Whether the file says nothing here: an empty value or ``null``."""
    return isinstance(node, Scalar) and node.value is None


def is_unset(node: Node, *, section: bool = False) -> bool:
    """Whether this is how AWS's replies and Terraform's state write what is not set: null or an empty list.

    With ``section``, an empty mapping as well.
    """
    if isinstance(node, Sequence):
        return not node.items
    return is_null(node) or (section and isinstance(node, Table) and not node.entries)


def says_nothing(node: Node) -> bool:
    """Whether this is how a tool writes a setting that is not set, of a source that does not have it: null, an empty text, 0,
    false, an empty list or mapping, and whatever holds nothing else, as Terraform's state has it.

    0 and false are values where a source does have the setting.
    """
    if isinstance(node, Sequence):
        return all(map(says_nothing, node.items))
    if isinstance(node, Table):
        return all(says_nothing(entry.node) for entry in node.entries.values())
    return node.problem is None and not node.value


def is_faulty(node: Node) -> bool:
    """Whether the value could not be read, which is a fault of its own and needs no second one."""
    return isinstance(node, Scalar) and node.problem is not None


def describe(node: Node, *, secret: bool = False) -> str:
    """What was found, for a fault: short, on one line, and without the value of a secret."""
    if isinstance(node, Sequence):
        return "a list" if node.items else "an empty list"
    if isinstance(node, Table):
        return _describe_table(node)
    if node.value is None:
        return "nothing"
    if secret:
        return "a value that is not shown"
    if not isinstance(node.value, str):
        return shortened(node.text)
    origin = f" (from {', '.join('${' + name + '}' for name in node.variables)})" if node.variables else ""
    return quoted(node.value) + origin


def _describe_table(node: Table) -> str:
    if len(node.entries) == 1:
        (key,) = node.entries
        if key == "Ref" or key.startswith("Fn::"):
            return f"CloudFormation's {key}, which `headrace import` resolves in a whole template"
    return "a mapping" if node.entries else "an empty mapping"


def quoted(text: str) -> str:
    """A text as a fault shows it: quoted, escaped, shortened."""
    return "'" + json.dumps(shortened(text), ensure_ascii=False)[1:-1].replace('\\"', '"') + "'"


def shortened(text: str) -> str:
    """A text of at most about a line."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def json_text(node: Node) -> str:
    """The node as JSON without spaces. Numbers stay as they are written, whatever their size.

    Raises ValueError for a number that JSON does not have (``.inf``, ``.nan``).
    """
    if isinstance(node, Sequence):
        return "[" + ",".join(map(json_text, node.items)) + "]"
    if isinstance(node, Table):
        members = (f"{_json_string(key)}:{json_text(entry.node)}" for key, entry in node.entries.items())
        return "{" + ",".join(members) + "}"
    if isinstance(node.value, str):
        return _json_string(node.value)
    if isinstance(node.value, int | float) and not isinstance(node.value, bool) and JSON_NUMBER.fullmatch(node.text):
        return node.text
    return json.dumps(node.value, allow_nan=False)


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
