"""What a deployed stack says: real names and ARNs for the resources of its template.

Read from the JSON that the AWS CLI prints: ``describe-stack-resources``, ``list-stack-resources``, ``describe-stacks`` with its
outputs and parameters, or ``list-exports``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.text.arns import parse_arn
from config.text.nodes import Node, Scalar, Sequence, Table, Unparsable, describe
from pollers.importing.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_HIDDEN = "****"


@dataclass(slots=True)
class Stack:
    """Physical ids by logical id, outputs, exports and parameters by name, and the stack's own ARN."""

    physical_ids: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    stack_id: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing of any stack was said. A stack without outputs still tells its parameters, region and account."""
        return self == Stack()

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


@dataclass(frozen=True, slots=True)
class Described:
    """What each of several files says of its stack."""

    told: tuple[Stack, ...] = ()

    @property
    def outermost(self) -> Stack:
        """What is said of the stack itself: all but what is about one that is nested in another of them."""
        nested = {found for stack in self.told for found in stack.physical_ids.values()}
        return _together(stack for stack in self.told if stack.stack_id not in nested)

    def nested(self, stack_id: str | None) -> Stack:
        """What is said of the nested stack with this ARN."""
        return _together(stack for stack in self.told if stack_id is not None and stack.stack_id == stack_id)


def _together(stacks: Iterable[Stack]) -> Stack:
    stack = Stack()
    for found in stacks:
        stack = Stack(
            stack.physical_ids | found.physical_ids,
            stack.outputs | found.outputs,
            stack.exports | found.exports,
            stack.parameters | found.parameters,
            stack.stack_id or found.stack_id,
        )
    return stack


def read_stacks(paths: Iterable[Path]) -> Described:
    """What files say of stacks. Raises :class:`Unparsable` for one that is none of what the AWS CLI prints."""
    told = []
    for path in paths:
        tree = read_tree(path, str(path))
        found = Stack()
        _collect(tree, found)
        if found.is_empty:
            expected = "the JSON of `aws cloudformation describe-stack-resources`, `describe-stacks` or `list-exports`"
            raise Unparsable(tree.place, f"found {describe(tree)} without anything of a stack, expected {expected}")
        told.append(found)
    return Described(tuple(told))


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
            ("Outputs", "ExportName", "OutputValue", stack.exports),
            ("Exports", "Name", "Value", stack.exports),
            ("Parameters", "ParameterKey", "ParameterValue", stack.parameters),
        ):
            for each in _tables(table.entries[section].node) if section in table.entries else ():
                _pair(each, key, value, into)
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
