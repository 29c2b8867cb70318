"""A template as its sections say it, before anything is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.faults import ConfigError, Fault
from config.text.nodes import Entry, Node, Scalar, Sequence, Table, Unparsable, describe, is_null
from config.text.places import dotted

if TYPE_CHECKING:
    from config.text.places import Place

_SERVERLESS = "AWS::Serverless-2016-10-31"
FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: its logical id, type and properties, and where its logical id stands. ``entries`` has all that it says."""

    logical_id: str
    type: str
    place: Place
    properties: Table
    entries: dict[str, Entry]

    @property
    def is_function(self) -> bool:
        """Whether it is a function, of SAM or of CloudFormation."""
        return self.type in FUNCTIONS

    @property
    def condition(self) -> Node | None:
        """The name of the condition under which it is made."""
        entry = self.entries.get("Condition")
        return None if entry is None else entry.node

    def metadata(self, key: str) -> str | None:
        """A text of its Metadata."""
        entry = self.entries.get("Metadata")
        found = entry.node.entries.get(key) if entry is not None and isinstance(entry.node, Table) else None
        return found.node.text if found is not None and isinstance(found.node, Scalar) else None

    def place_of(self, name: str) -> Place:
        """Where a property stands; the resource itself where there is none."""
        entry = self.properties.entries.get(name)
        return self.place if entry is None else entry.place


def made_by_sam(logical_id: str, resource_type: str, place: Place) -> Resource:
    """A resource that is not in the template, since SAM adds it."""
    return Resource(logical_id, resource_type, place, Table(place), {})


@dataclass(slots=True)
class Template:
    """The sections of a template, by name; a function of SAM has the Globals merged into its properties."""

    parameters: dict[str, Entry] = field(default_factory=dict)
    mappings: dict[str, Entry] = field(default_factory=dict)
    conditions: dict[str, Entry] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, Entry] = field(default_factory=dict)
    loops: list[tuple[str, Place]] = field(default_factory=list)
    is_sam: bool = False


def read_template(tree: Node) -> Template:
    """The template in a tree. Raises :class:`ConfigError` with every part that has not the form of a template."""
    if not isinstance(tree, Table):
        raise Unparsable(tree.place, f"found {describe(tree)}, expected a template: a mapping with Resources")
    faults: list[Fault] = []
    for key, place in tree.repeated:
        faults.append(Fault(*place, key, "found the key a second time, expected it once"))
    sections = {name: _section(tree, name, faults) for name in ("Parameters", "Mappings", "Conditions", "Outputs")}
    template = Template(
        sections["Parameters"], sections["Mappings"], sections["Conditions"], {}, sections["Outputs"], [], _is_sam(tree)
    )
    shared = _section(tree, "Globals", faults).get("Function")
    for logical_id, entry in _section(tree, "Resources", faults).items():
        if logical_id.startswith("Fn::"):
            template.loops.append((logical_id, entry.place))
        elif (resource := _resource(logical_id, entry, shared, faults)) is not None:
            template.resources[logical_id] = resource
            template.is_sam |= resource.type.startswith("AWS::Serverless::")
    if faults:
        raise ConfigError(faults)
    return template


def _is_sam(tree: Table) -> bool:
    entry = tree.entries.get("Transform")
    if entry is None:
        return False
    items = entry.node.items if isinstance(entry.node, Sequence) else [entry.node]
    return any(isinstance(item, Scalar) and item.value == _SERVERLESS for item in items)


def _section(tree: Table, name: str, faults: list[Fault]) -> dict[str, Entry]:
    entry = tree.entries.get(name)
    if entry is None or is_null(entry.node):
        return {}
    if not isinstance(entry.node, Table):
        faults.append(Fault(*entry.place, name, f"found {describe(entry.node)}, expected a mapping"))
        return {}
    for key, place in entry.node.repeated:
        faults.append(Fault(*place, dotted((name, key)), "found the key a second time, expected it once"))
    return entry.node.entries


def _resource(logical_id: str, entry: Entry, shared: Entry | None, faults: list[Fault]) -> Resource | None:
    node, path = entry.node, ("Resources", logical_id)
    if not isinstance(node, Table):
        faults.append(
            Fault(*entry.place, dotted(path), f"found {describe(node)}, expected a resource with Type and Properties")
        )
        return None
    kind = node.entries.get("Type")
    if kind is None or not isinstance(kind.node, Scalar) or not isinstance(kind.node.value, str):
        faults.append(
            Fault(*entry.place, dotted(path), "Type is missing, expected a resource's type, such as AWS::SQS::Queue")
        )
        return None
    given = node.entries.get("Properties")
    properties: Node = Table(entry.place) if given is None or is_null(given.node) else given.node
    if not isinstance(properties, Table):
        at = dotted((*path, "Properties"))
        faults.append(Fault(*properties.place, at, f"found {describe(properties)}, expected a mapping of properties"))
        return None
    if kind.node.value == "AWS::Serverless::Function" and shared is not None:
        merged = merge(shared.node, properties)
        properties = merged if isinstance(merged, Table) else properties
    return Resource(logical_id, kind.node.value, entry.place, properties, node.entries)


def merge(shared: Node, own: Node) -> Node:
    """What a resource of SAM has of the Globals: plain values are replaced, maps merged, lists added, the shared first
    (docs/lambda 17.2).
    """
    if isinstance(shared, Table) and isinstance(own, Table) and not (is_function(shared) or is_function(own)):
        entries = dict(shared.entries)
        for key, entry in own.entries.items():
            entries[key] = Entry(entry.place, merge(entries[key].node, entry.node)) if key in entries else entry
        return Table(own.place, entries)
    if isinstance(shared, Sequence) and isinstance(own, Sequence):
        return Sequence(own.place, [*shared.items, *own.items])
    return own


def is_function(node: Node) -> bool:
    """Whether this is one of CloudFormation's functions in its long form."""
    if not isinstance(node, Table) or len(node.entries) != 1:
        return False
    (key,) = node.entries
    return key == "Ref" or key.startswith("Fn::")
