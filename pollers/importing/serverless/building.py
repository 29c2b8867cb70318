"""Pieces of a tree: what a template is built of here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.nodes import Entry, Node, Scalar, Sequence, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from config.text.places import Place


def scalar(place: Place, value: str | int | bool) -> Scalar:
    """A single value."""
    return Scalar(place, value, str(value).lower() if isinstance(value, bool) else str(value))


def table(place: Place, entries: Mapping[str, Node | None]) -> Table:
    """A mapping; what is None is not there."""
    return Table(place, {key: Entry(node.place, node) for key, node in entries.items() if node is not None})


def sequence(place: Place, items: Iterable[Node]) -> Sequence:
    """A list."""
    return Sequence(place, list(items))


def get_att(place: Place, logical_id: str, attribute: str) -> Table:
    """An attribute of another resource."""
    arguments = sequence(place, [scalar(place, logical_id), scalar(place, attribute)])
    return table(place, {"Fn::GetAtt": arguments})


def member(node: Node | None, name: str) -> Node | None:
    """One member of a mapping; None where there is none, or where it says nothing."""
    entry = node.entries.get(name) if isinstance(node, Table) else None
    if entry is None or (isinstance(entry.node, Scalar) and entry.node.value is None):
        return None
    return entry.node


def text(node: Node | None) -> str | None:
    """A single value as it is spelled."""
    return node.text if isinstance(node, Scalar) and node.value is not None else None


def is_false(node: Node | None) -> bool:
    """Whether it is outright false."""
    return isinstance(node, Scalar) and node.value in (False, "false")


def members(node: Node | None) -> dict[str, Entry]:
    """All members of a mapping, or of a list of mappings one after another, as the framework merges them."""
    if isinstance(node, Table):
        return node.entries
    found: dict[str, Entry] = {}
    for item in node.items if isinstance(node, Sequence) else ():
        if isinstance(item, Table):
            found |= item.entries
    return found
