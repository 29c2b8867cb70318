"""Which operation a request asks for. A decider: the path is cut as it was sent, and each segment decoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from pollers.lambda_api.errors import unknown_operation, wrong_method

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pollers.lambda_api.operations import Operation

_SHOWN = 200


class _Node:
    """One segment of the paths: what may follow it, and the operations that end there, by method."""

    __slots__ = ("any", "literal", "operations")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.operations: dict[str, tuple[Operation, tuple[str, ...]]] = {}

    def following(self, segment: str) -> _Node:
        """The node of a template's next segment, made if it is new."""
        if not segment.startswith("{"):
            return self.literal.setdefault(segment, _Node())
        if self.any is None:
            self.any = _Node()
        return self.any


class Routes:
    """The table of what is served. Raises ValueError for two operations with one method and path."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = tuple(operations)
        self._root = _Node()
        for operation in self.operations:
            self._add(operation)

    def _add(self, operation: Operation) -> None:
        node, names = self._root, []
        for segment in _segments(operation.path):
            node = node.following(segment)
            if segment.startswith("{"):
                names.append(segment[1:-1])
        if operation.method in node.operations:
            other = node.operations[operation.method][0]
            raise ValueError(f"{operation.name} and {other.name} are both {operation.method} {operation.path}")
        node.operations[operation.method] = operation, tuple(names)

    def find(self, method: str, raw_path: str) -> tuple[Operation, dict[str, str]]:
        """The operation, and the decoded segments by name. ``raw_path`` is percent-encoded, without the query.

        An encoded slash is part of its segment: names may be ARNs, which clients encode. Raises ApiError: 404, or 405 where the
        path is served by other methods.
        """
        node: _Node | None = self._root
        values = []
        for segment in _segments(raw_path):
            assert node is not None  # noqa: S101 - the loop ends where there is none
            literal = node.literal.get(segment)
            if literal is None:
                values.append(unquote(segment, errors="replace") if "%" in segment else segment)
            node = literal or node.any
            if node is None:
                raise unknown_operation(method, raw_path[:_SHOWN])
        assert node is not None  # noqa: S101 - as above
        if (found := node.operations.get(method)) is not None:
            return found[0], dict(zip(found[1], values, strict=True))
        if not node.operations:
            raise unknown_operation(method, raw_path[:_SHOWN])
        raise wrong_method(method, sorted(node.operations))


def _segments(path: str) -> list[str]:
    """The path's segments. One slash at the end is no segment: clients write ListFunctions and InvokeAsync both ways."""
    return path.removesuffix("/").split("/")[1:] if path.startswith("/") else [path]
