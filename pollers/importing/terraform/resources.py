"""The resources of a state or a plan, from each of the forms that Terraform writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.text.nodes import Entry, Node, Scalar, Sequence, Table, Unparsable, describe, is_null
from pollers.importing.deployed import value_of
from pollers.importing.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.text.places import Place

STATE_VERSION = 4
FORMAT_MAJOR = "1"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. ``module`` are the names of the modules that it is in, each with its index; ``index`` is its own, with
    brackets.
    """

    address: str
    type: str
    name: str
    module: tuple[str, ...]
    index: str
    values: dict[str, Value]
    place: Place

    @property
    def called(self) -> str:
        """A name of its own among all: modules, name and index."""
        parts = (*self.module, f"{self.name}{self.index}")
        return "-".join(part.replace('"', "").replace("[", "-").replace("]", "") for part in parts)


def resources_of(tree: Node) -> list[Resource]:
    """Every resource of a state or a plan, in the order of the file. Raises :class:`Unparsable`: what was found, and what to do."""
    if not isinstance(tree, Table):
        raise Unparsable(tree.place, f"found {describe(tree)}, expected a state")
    if "format_version" in tree.entries:
        _check_format(tree.entries["format_version"])
        planned = "planned_values" in tree.entries
        found = list(_of_values(tree, "planned_values" if planned else "values"))
        prior = _table(tree, "prior_state") if planned else None
        # A plan tells of data, such as archives, in the state before it only.
        known = {one.address for one in found}
        return [
            *found,
            *(one for one in _of_values(prior, "values") if one.type == "archive_file" and one.address not in known),
        ]
    _check_version(tree)
    return list(_of_state(tree))


def _check_format(entry: Entry) -> None:
    text = entry.node.text if isinstance(entry.node, Scalar) else describe(entry.node)
    if text.partition(".")[0] != FORMAT_MAJOR:
        raise Unparsable(
            entry.place, f"found format_version {text}, expected {FORMAT_MAJOR}.x: this Headrace reads no other"
        )


def _check_version(tree: Table) -> None:
    entry = tree.entries.get("version")
    value = entry.node.value if entry is not None and isinstance(entry.node, Scalar) else None
    if value != STATE_VERSION:
        place = tree.place if entry is None else entry.place
        advice = "let Terraform 0.12 or newer write it, or use terraform show -json"
        raise Unparsable(place, f"found a state of version {value}, expected {STATE_VERSION}: {advice}")


# What `terraform show -json` prints


def _of_values(tree: Table | None, section: str) -> Iterator[Resource]:
    root = _table(_table(tree, section), "root_module")
    if root is not None:
        yield from _of_module(root, ())


def _of_module(module: Table, path: tuple[str, ...]) -> Iterator[Resource]:
    for table in _tables(module, "resources"):
        values = value_of(_node(table, "values"))
        if isinstance(values, dict):
            sensitive = _node(table, "sensitive_values")
            yield _resource(table, path, _index(_node(table, "index")), _hidden(values, sensitive, table.place))
    for child in _tables(module, "child_modules"):
        address = _text(child, "address")
        name = address.rpartition("module.")[2]
        yield from _of_module(child, (*path, name))


def _resource(table: Table, path: tuple[str, ...], index: str, values: dict[str, Value]) -> Resource:
    kind, name = _text(table, "type"), _text(table, "name")
    data = "data." if _text(table, "mode") == "data" else ""
    prefix = "".join(f"module.{step}." for step in path)
    return Resource(f"{prefix}{data}{kind}.{name}{index}", kind, name, path, index, values, table.place)


# The file itself


def _of_state(tree: Table) -> Iterator[Resource]:
    for table in _tables(tree, "resources"):
        module = _text(table, "module")
        path = tuple(module.removeprefix("module.").split(".module.")) if module else ()
        for instance in _tables(table, "instances"):
            values = value_of(_node(instance, "attributes"))
            if isinstance(values, dict):
                hidden = values
                for way in _sequences(instance, "sensitive_attributes"):
                    hidden = _without(hidden, _steps(way), instance.place)
                found = _resource(table, path, _index(_node(instance, "index_key")), hidden)
                yield Resource(found.address, found.type, found.name, path, found.index, hidden, instance.place)


def _steps(way: Sequence) -> list[str]:
    """The path of a sensitive attribute: names, and keys of maps."""
    found = []
    for step in way.items:
        value = _node(step, "value") if isinstance(step, Table) else Table(way.place)
        value = _node(value, "value") if isinstance(value, Table) and "value" in value.entries else value
        found.append(value.text if isinstance(value, Scalar) else "")
    return found


def _without(values: dict[str, Value], steps: list[str], place: Place) -> dict[str, Value]:
    mask: Node = Scalar(place, True, "true")
    for step in reversed(steps):
        mask = Sequence(place, [mask]) if step.isdecimal() else Table(place, {step: Entry(place, mask)})
    return _hidden(values, mask, place)


# Secrets


def _hidden(values: dict[str, Value], mask: Node, place: Place) -> dict[str, Value]:
    """The values, with those of environment variables unknown that are marked as sensitive: nobody wants them in a file."""
    name = "environment"
    marks = _node(mask, name) if isinstance(mask, Table) else None
    if name not in values or marks is None:
        return values
    return values | {name: _masked(values[name], marks, name, place)}


def _masked(value: Value, mask: Node, name: str, place: Place) -> Value:
    if isinstance(mask, Scalar):
        if mask.value is not True:
            return value
        if isinstance(value, dict):
            return {key: _masked(item, mask, key, place) for key, item in value.items()}
        if isinstance(value, list):
            return [_masked(item, mask, name, place) for item in value]
        return Unknown(f"sensitive:{place}:{name}", None, f"the value of {name}, which is marked as sensitive", place)
    if isinstance(mask, Sequence) and isinstance(value, list):
        return [
            _masked(item, mask.items[number], name, place) if number < len(mask.items) else item
            for number, item in enumerate(value)
        ]
    if isinstance(mask, Table) and isinstance(value, list) and len(value) == 1:
        return [_masked(value[0], mask, name, place)]
    if isinstance(mask, Table) and isinstance(value, dict):
        return {
            key: _masked(item, mask.entries[key].node, key, place) if key in mask.entries else item
            for key, item in value.items()
        }
    return value


# Parts of a tree


def _index(node: Node) -> str:
    if not isinstance(node, Scalar) or is_null(node):
        return ""
    return f'["{node.value}"]' if isinstance(node.value, str) else f"[{node.text}]"


def _node(table: Node, key: str) -> Node:
    if isinstance(table, Table) and key in table.entries:
        return table.entries[key].node
    return Scalar(table.place, None, "")


def _text(table: Table, key: str) -> str:
    node = _node(table, key)
    return node.text if isinstance(node, Scalar) else ""


def _table(tree: Table | None, key: str) -> Table | None:
    node = _node(tree, key) if tree is not None else None
    return node if isinstance(node, Table) else None


def _tables(table: Table, key: str) -> Iterator[Table]:
    node = _node(table, key)
    yield from (item for item in node.items if isinstance(item, Table)) if isinstance(node, Sequence) else ()


def _sequences(table: Table, key: str) -> Iterator[Sequence]:
    node = _node(table, key)
    yield from (item for item in node.items if isinstance(item, Sequence)) if isinstance(node, Sequence) else ()
