"""One deployed resource: its attributes, whatever the style of their names, without those that say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.text.nodes import Node, Scalar, Sequence, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.text.places import Place
    from pollers.importing.model import Origin
    from pollers.importing.values import Value


@dataclass(frozen=True, slots=True)
class Document:
    """A resource's attributes. ``name`` is what it is called where nothing better is known."""

    name: str
    values: Mapping[str, Value]
    origin: Origin

    @property
    def place(self) -> Place | None:
        """Where it stands."""
        return self.origin.place

    def get(self, *path: str) -> Value:
        """An attribute, or one inside blocks; None where it is not set. Names are snake_case."""
        return inside(dict(self.values), *path)

    def text(self, *path: str) -> str:
        """The same as text; empty where it is not set or not known."""
        found = self.get(*path)
        return found if isinstance(found, str) else ""

    def given(self) -> dict[str, Value]:
        """All attributes that say something."""
        found = without_empty(dict(self.values))
        return found if isinstance(found, dict) else {}


def inside(value: Value, *path: str) -> Value:
    """What stands at a path of snake_case names; a list of one is the block that it holds."""
    for name in path:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            return None
        wanted = plain(name)
        value = next((item for key, item in value.items() if plain(key) == wanted), None)
    return None if value == "" else value


def plain(name: str) -> str:
    """A name without its style: ``FunctionName`` and ``function_name`` are one."""
    return name.replace("_", "").lower()


def without_empty(value: Value) -> Value:
    """A value without what says nothing: null, an empty text, and blocks that hold nothing else."""
    match value:
        case dict():
            members = ((key, without_empty(item)) for key, item in value.items())
            return {key: item for key, item in members if item is not None} or None
        case list():
            return [item for each in value if (item := without_empty(each)) is not None] or None
        case "":
            return None
        case _:
            return value


def value_of(node: Node) -> Value:
    """The value of a parsed node. A number with a fraction is its text."""
    match node:
        case Scalar():
            if not isinstance(node.value, float):
                return node.value
            return int(node.value) if node.value.is_integer() else node.text
        case Sequence():
            return [value_of(item) for item in node.items]
        case Table():
            return {key: value_of(entry.node) for key, entry in node.entries.items()}
