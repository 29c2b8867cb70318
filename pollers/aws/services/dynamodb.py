"""DynamoDB's tables: few operations, each with a bound of its own on how long it may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Required, TypedDict

import anyio
from msgspec import Meta

from pollers.aws.errors import Unavailable
from pollers.aws.wire.replies import Name, Replies, believed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.aws.api import Calls, Wire

_Value = Annotated[dict[str, Any], Meta(min_length=1, max_length=1)]
"""An attribute's value: its type and what it is."""
_Item = dict[str, _Value]


class _KeyElement(TypedDict, total=False):
    AttributeName: Required[Name]
    KeyType: Required[Name]


class _Definition(TypedDict, total=False):
    AttributeName: Required[Name]
    AttributeType: Required[Name]


class _Index(TypedDict, total=False):
    IndexName: Required[Name]
    IndexStatus: str | None
    KeySchema: Required[list[_KeyElement]]


class _TableDescription(TypedDict, total=False):
    TableName: Required[Name]
    TableStatus: Required[Name]
    KeySchema: Required[list[_KeyElement]]
    AttributeDefinitions: Required[list[_Definition]]
    GlobalSecondaryIndexes: list[_Index] | None


class _Described(TypedDict, total=False):
    Table: Required[_TableDescription]


class _Created(TypedDict, total=False):
    TableDescription: Required[dict[str, Any]]


class _Items(TypedDict, total=False):
    Items: Required[list[_Item]]
    Count: Required[int]
    LastEvaluatedKey: _Item | None


class _Found(TypedDict, total=False):
    Item: _Item | None


class _Put(TypedDict, total=False):
    Attributes: _Item | None


class _Changed(TypedDict, total=False):
    Attributes: Required[_Item]


DYNAMODB: Final[Replies] = {
    "DescribeTable": _Described,
    "CreateTable": _Created,
    "Scan": _Items,
    "Query": _Items,
    "GetItem": _Found,
    "PutItem": _Put,
    "UpdateItem": _Changed,
    "DeleteItem": _Changed,
}
"""What a reply must have. UpdateItem and DeleteItem are always asked for the item: a reply without it confirms nothing."""


class DynamoDBClient:
    """Implements :class:`pollers.aws.api.DynamoDBApi`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def reply(self, operation: str, parameters: Mapping[str, Any], *, seconds: float) -> Wire:
        """See :class:`pollers.aws.api.DynamoDBApi`."""
        body = b""
        with anyio.move_on_after(seconds) as bound:
            body = await self._calls.call(operation, parameters)
        if bound.cancelled_caught:
            raise Unavailable("NoReplyInTime", f"no reply within {seconds:g} s", operation=operation)
        return believed(body, DYNAMODB, operation)
