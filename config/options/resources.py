"""A whole CloudFormation resource where only its properties are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.nodes import Node, Scalar, Table, describe

if TYPE_CHECKING:
    from config.faults import Report
    from config.text.places import Path

_REST = (
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "UpdatePolicy",
    "Metadata",
    "CreationPolicy",
)


def unwrap(node: Node, resource_type: str, shown: Path, report: Report, path: Path) -> tuple[Node, Path]:
    """The properties of a resource of this type, and how the file spells the way to them; any other node as it is."""
    if not isinstance(node, Table) or "Properties" not in node.entries or "Type" not in node.entries:
        return node, shown
    kind = node.entries["Type"].node
    if not isinstance(kind, Scalar) or kind.value != resource_type:
        report.fault(path, f"found a CloudFormation resource whose Type is {describe(kind)}, expected {resource_type}")
    for key in node.entries.keys() - {"Type", "Properties"}:
        message = f"{key} is ignored: it is about CloudFormation" if key in _REST else None
        if message:
            report.note(path, message, node.entries[key].place)
        else:
            report.fault(path, f"found {key} beside Properties, expected it inside", node.entries[key].place)
    entry = node.entries["Properties"]
    shown = (*shown, "Properties")
    report.enter(path, entry.node, shown, entry.place)
    return entry.node, shown
