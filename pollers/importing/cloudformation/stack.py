"""What a deployed stack says: real names and ARNs for the resources of its template.

Read from the JSON that the AWS CLI prints: ``describe-stack-resources``, ``list-stack-resources``, or ``describe-stacks`` with its
outputs and parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.text.arns import parse_arn
from config.text.nodes import Node, Scalar, Sequence, Table, Unparsable, describe
from pollers.importing.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HIDDEN = "****"


@dataclass(slots=True)
class Stack:
    """Physical ids by logical id, outputs and parameters by name, and the stack's own ARN."""

    physical_ids: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    stack_id: str | None = None

    @property
    def pseudo(self) -> dict[str, str]:
        """The pseudo parameters that the stack's ARN tells."""
        try:
            arn = parse_arn(self.stack_id or "")
        except ValueError:
            return {}
        name = arn.resource.split("/")[1:2]
        found = {"AWS::Region": arn.region, "AWS::AccountId": arn.account, "AWS::StackId": arn.text}
        return found | ({"AWS::StackName": name[0]} if name else {})


def read_stack(path: Path) -> Stack:
    """The stack in a file. Raises :class:`Unparsable` when it is none of what the AWS CLI prints."""
    tree = read_tree(path, str(path))
    stack = Stack()
    _collect(tree, stack)
    if not (stack.physical_ids or stack.outputs):
        expected = "the JSON of `aws cloudformation describe-stack-resources` or `describe-stacks`"
        raise Unparsable(
            tree.place, f"found {describe(tree)} without resources and outputs of a stack, expected {expected}"
        )
    return stack


def _collect(tree: Node, stack: Stack) -> None:
    tables = list(_tables(tree))
    for name in ("StackResources", "StackResourceSummaries", "Stacks", "StackResourceDetail"):
        for table in list(tables):
            if name in table.entries:
                tables.extend(_tables(table.entries[name].node))
    for table in tables:
        stack.stack_id = stack.stack_id or _text(table, "StackId")
        _pair(table, "LogicalResourceId", "PhysicalResourceId", stack.physical_ids)
        for section, key, value, into in (
            ("Outputs", "OutputKey", "OutputValue", stack.outputs),
            ("Parameters", "ParameterKey", "ParameterValue", stack.parameters),
        ):
            if section in table.entries:
                for each in _tables(table.entries[section].node):
                    _pair(each, key, value, into)
        _pair(table, "OutputKey", "OutputValue", stack.outputs)
    for hidden in [name for name, value in stack.parameters.items() if value == _HIDDEN]:
        del stack.parameters[hidden]


def _tables(node: Node) -> Iterator[Table]:
    for item in node.items if isinstance(node, Sequence) else [node]:
        if isinstance(item, Table):
            yield item


def _pair(table: Table, key: str, value: str, into: dict[str, str]) -> None:
    name, found = _text(table, key), _text(table, value)
    if name and found:
        into.setdefault(name, found)


def _text(table: Table, key: str) -> str | None:
    entry = table.entries.get(key)
    return (
        entry.node.text
        if entry is not None and isinstance(entry.node, Scalar) and entry.node.value is not None
        else None
    )
