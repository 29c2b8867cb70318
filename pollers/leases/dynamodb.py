"""A lease table in DynamoDB."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import orjson

from pollers.aws.errors import INVALID_REPLY, ConditionUnmet, NotFound, ResourceInUse, Unavailable
from pollers.leases.definition import INDEX, OWNER, Described, creation, described
from pollers.leases.expressions import write_parameters
from pollers.leases.table import KEY, ConditionFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from pollers.aws.api import DynamoDBApi, Wire
    from pollers.leases.table import Item

CALL_SECONDS = 2.5
"""How long one call may take by default: a quarter of the default time until a lease expires."""
TABLE_SECONDS = 60.0
"""How long a new table, and its index, are waited for."""
_SETUP_CALL_SECONDS = 15.0
"""A first call connects, and may have to find credentials; no lease depends on it yet."""
_LOOK_SECONDS = (0.1, 2.0)
"""Between two looks whether a table has been made: at first, and at most."""


class DynamoLeaseTable:
    """Implements :class:`pollers.leases.table.LeaseTable`.

    ``call_seconds`` bounds every call on items, for an owner that hears nothing must stop in time; those of a table's making have
    more. A write without a reply raises Unavailable, and may have taken place.
    """

    def __init__(
        self, api: DynamoDBApi, name: str, *, call_seconds: float = CALL_SECONDS, table_seconds: float = TABLE_SECONDS
    ) -> None:
        self.name = name
        self.indexed = False
        self._api = api
        self._call_seconds = call_seconds
        self._table_seconds = table_seconds

    async def ensure(self) -> None:
        """See ``LeaseTable.ensure``. An index that does not become active in time is not used; a table that does not is
        Unavailable."""
        found: Described | None = None
        pause, longest = _LOOK_SECONDS
        with anyio.move_on_after(self._table_seconds):
            while found is None or not found.settled:
                if found is not None:
                    await anyio.sleep(pause)
                    pause = min(2 * pause, longest)
                found = await self._described() or await self._created()
        if found is None or not found.usable:
            status = found.status if found else "no answer"
            raise Unavailable(
                "TableNotReady",
                f"table {self.name}: {status} after {self._table_seconds:g} s",
                operation="DescribeTable",
            )
        self.indexed = found.indexed

    async def exists(self) -> bool:
        """See ``LeaseTable.exists``."""
        return await self._described() is not None

    async def _described(self) -> Described | None:
        """The table, None when there is none."""
        try:
            reply = await self._api.reply("DescribeTable", {"TableName": self.name}, seconds=_SETUP_CALL_SECONDS)
        except NotFound:
            return None
        return described(reply["Table"])

    async def _created(self) -> Described:
        """Have the table made; by another, who was faster, perhaps."""
        with suppress(ResourceInUse):
            await self._api.reply("CreateTable", creation(self.name), seconds=_SETUP_CALL_SECONDS)
        return Described("CREATING", None)

    async def scan(self) -> list[Item]:
        """See ``LeaseTable.scan``."""
        return [item async for item in self._pages("Scan", {"TableName": self.name})]

    async def owned_by(self, owner: str) -> list[str]:
        """See ``LeaseTable.owned_by``."""
        parameters = {
            "TableName": self.name,
            "IndexName": INDEX,
            "KeyConditionExpression": "#o = :o",
            "ExpressionAttributeNames": {"#o": OWNER},
            "ExpressionAttributeValues": {":o": {"S": owner}},
        }
        return [_key_of(item, "Query") async for item in self._pages("Query", parameters)]

    async def _pages(self, operation: str, parameters: dict[str, Any]) -> AsyncIterator[Item]:
        """The items of every page."""
        last: Item | None = None
        while True:
            reply = await self._call(operation, parameters)
            items = reply["Items"]
            if reply["Count"] != len(items):
                raise _invalid(f"the reply has {len(items)} items and counts {reply['Count']}", operation)
            for item in items:
                _key_of(item, operation)
                yield item
            following = reply.get("LastEvaluatedKey")
            if not following:
                return
            if following == last:
                raise _invalid("the next page begins where this one did", operation)
            last = following
            parameters = parameters | {"ExclusiveStartKey": following}

    async def get(self, key: str) -> Item | None:
        """See ``LeaseTable.get``."""
        parameters = {"TableName": self.name, "Key": {KEY: {"S": key}}, "ConsistentRead": True}
        item: Item | None = (await self._call("GetItem", parameters)).get("Item")
        return item and self._own(item, key, "GetItem")

    async def add(self, item: Item) -> None:
        """See ``LeaseTable.add``."""
        parameters = {
            "TableName": self.name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#k)",
            "ExpressionAttributeNames": {"#k": KEY},
        }
        await self._write("PutItem", item[KEY]["S"], parameters)

    async def update(
        self, key: str, *, put: Item, remove: tuple[str, ...] = (), expected: Mapping[str, dict[str, Any] | None]
    ) -> Item:
        """See ``LeaseTable.update``."""
        parameters = {
            "TableName": self.name,
            "Key": {KEY: {"S": key}},
            "ReturnValues": "ALL_NEW",
            **write_parameters(put, remove, expected),
        }
        return self._own((await self._write("UpdateItem", key, parameters))["Attributes"], key, "UpdateItem")

    async def delete(self, key: str, *, expected: Mapping[str, dict[str, Any] | None]) -> None:
        """See ``LeaseTable.delete``."""
        parameters = {
            "TableName": self.name,
            "Key": {KEY: {"S": key}},
            "ReturnValues": "ALL_OLD",
            **write_parameters({}, (), expected),
        }
        self._own((await self._write("DeleteItem", key, parameters))["Attributes"], key, "DeleteItem")

    async def _write(self, operation: str, key: str, parameters: dict[str, Any]) -> Wire:
        parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            return await self._call(operation, parameters)
        except ConditionUnmet as unmet:
            item = _item_of(unmet.reply)
            if item is None or item.get(KEY) != {"S": key}:
                # Without an item there is none; or this service, or the SDK, does not say.
                item = await self.get(key)
            raise ConditionFailed(item) from unmet

    async def _call(self, operation: str, parameters: Mapping[str, Any]) -> Wire:
        return await self._api.reply(operation, parameters, seconds=self._call_seconds)

    def _own(self, item: Item, key: str, operation: str) -> Item:
        """The item, if it is the one that was asked for."""
        if (found := _key_of(item, operation)) != key:
            raise _invalid(f"the reply has the item {found}, asked for was {key}", operation)
        return item


def _key_of(item: Item, operation: str) -> str:
    key = item.get(KEY, {}).get("S")
    if not isinstance(key, str):
        raise _invalid(f"an item has no {KEY} that is text", operation)
    return key


def _item_of(reply: bytes) -> Item | None:
    """The item in the reply of a condition that failed, None when there is none to read."""
    try:
        item = orjson.loads(reply)["Item"]
    except (ValueError, KeyError, TypeError):
        return None
    sound = isinstance(item, dict) and all(isinstance(value, dict) for value in item.values())
    return item if sound else None


def _invalid(message: str, operation: str) -> Unavailable:
    return Unavailable(INVALID_REPLY, message, operation=operation)
