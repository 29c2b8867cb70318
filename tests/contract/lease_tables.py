"""The lease tables that the same contract tests run on: DynamoDB of an emulator through the seam, and the simulations' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import anyio

from pollers.leases import DynamoLeaseTable
from tests.emulators import unique
from tests.worlds.lease_table import MemoryLeaseTable

if TYPE_CHECKING:
    from pollers.aws.api import DynamoDBApi
    from pollers.leases import LeaseTable


class LeaseTables(Protocol):
    """A service under test."""

    def table(self, name: str) -> LeaseTable:
        """One replica's way to the table of this name, which may not exist."""

    async def make(self, name: str, key: str) -> None:
        """Make a table that has this key, of text, and no index."""


def new_name() -> str:
    """A table that no other test uses."""
    return unique("leases")


class MemoryLeaseTables:
    """The tables that the simulations run on."""

    def __init__(self) -> None:
        self._tables: dict[str, MemoryLeaseTable] = {}

    def table(self, name: str) -> LeaseTable:
        """See ``LeaseTables``."""
        table = self._tables.setdefault(name, MemoryLeaseTable(name, exists=False, creation_seconds=0.2))
        return table.handle(unique("replica"))

    async def make(self, name: str, key: str) -> None:
        """See ``LeaseTables``."""
        table = MemoryLeaseTable(name, indexed=False)
        table.key = key
        self._tables[name] = table


class EmulatedLeaseTables:
    """DynamoDB of an emulator."""

    def __init__(self, api: DynamoDBApi, sdk: Any) -> None:  # noqa: ANN401 - SDK clients have no types
        self._api = api
        self._sdk = sdk

    def table(self, name: str) -> LeaseTable:
        """See ``LeaseTables``."""
        return DynamoLeaseTable(self._api, name, call_seconds=30)

    async def make(self, name: str, key: str) -> None:
        """See ``LeaseTables``."""
        await self._sdk.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        with anyio.fail_after(60):
            while (await self._sdk.describe_table(TableName=name))["Table"]["TableStatus"] != "ACTIVE":
                await anyio.sleep(0.05)
