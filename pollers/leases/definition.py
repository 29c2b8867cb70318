"""How a lease table is made, and what one that exists must be like. Facts: the layout of the Kinesis Client Library's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pollers.leases.table import KEY
from pollers.storage.errors import StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX = "LeaseOwnerToLeaseKeyIndex"
"""By owner. The Client Library has it from 3.0 on; a table without it serves as well."""
OWNER = "leaseOwner"
_BY_KEY = [{"AttributeName": KEY, "KeyType": "HASH"}]
_BY_OWNER = [{"AttributeName": OWNER, "KeyType": "HASH"}, {"AttributeName": KEY, "KeyType": "RANGE"}]
_USABLE = frozenset({"ACTIVE", "UPDATING"})
_PASSING = frozenset({"CREATING", "DELETING"})


@dataclass(frozen=True, slots=True)
class Described:
    """A table as it was described. ``index`` is the status of its index by owner, None when it has none that can be used."""

    status: str
    index: str | None

    @property
    def usable(self) -> bool:
        """Items can be read and written."""
        return self.status in _USABLE

    @property
    def indexed(self) -> bool:
        """The index can be asked."""
        return self.usable and self.index == "ACTIVE"

    @property
    def settled(self) -> bool:
        """Waiting changes nothing any more."""
        return self.usable and self.index in (None, "ACTIVE")


def creation(table: str) -> dict[str, Any]:
    """The parameters of CreateTable."""
    return {
        "TableName": table,
        "AttributeDefinitions": [
            {"AttributeName": KEY, "AttributeType": "S"},
            {"AttributeName": OWNER, "AttributeType": "S"},
        ],
        "KeySchema": _BY_KEY,
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [
            {"IndexName": INDEX, "KeySchema": _BY_OWNER, "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ],
    }


def described(table: Mapping[str, Any]) -> Described:
    """What DescribeTable says. Raises StoreUnreadable for a table that is no lease table, or that waiting does not make usable."""
    status = table["TableStatus"]
    if status not in _USABLE | _PASSING:
        raise StoreUnreadable(
            f"table {table['TableName']}: found it {status}, expected ACTIVE: see to it in DynamoDB, or name another table"
        )
    if status != "DELETING":
        _require_key(table)
    found = next((one for one in table.get("GlobalSecondaryIndexes") or () if one["IndexName"] == INDEX), None)
    if found is None or _schema(found) != _schema({"KeySchema": _BY_OWNER}):
        return Described(status, None)
    return Described(status, found.get("IndexStatus") or "ACTIVE")


def _require_key(table: Mapping[str, Any]) -> None:
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    found = ", ".join(f"{name} ({types.get(name, 'of no type')}, {kind})" for name, kind in _schema(table))
    if found != f"{KEY} (S, HASH)":
        raise StoreUnreadable(
            f"table {table['TableName']}: found the key {found or 'nothing'}, expected {KEY} (S, HASH) alone: it is no lease "
            "table; name another one, which is made if it does not exist"
        )


def _schema(described: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The names of a key and their kinds, the hash key first."""
    return sorted(((one["AttributeName"], one["KeyType"]) for one in described["KeySchema"]), key=lambda one: one[1])
