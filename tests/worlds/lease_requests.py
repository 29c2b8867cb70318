"""What replicas ask of a lease table in memory: conditional writes, a log of requests, and what they cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.leases.table import Item


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that reached the table, in the order in which they did; ``outcome``: done, unmet, or an error's code.

    ``before`` and ``after`` are the item; a write that is not done leaves it as it was.
    """

    at: float
    replica: str
    operation: str
    key: str
    outcome: str
    put: Item = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    expected: Mapping[str, dict[str, Any] | None] = field(default_factory=dict)
    before: Item | None = None
    after: Item | None = None


@dataclass(slots=True)
class Spent:
    """What a replica has asked of the table: calls by operation, and units as DynamoDB charges them on demand."""

    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    write_units: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """A conditional write. ``whole``: the new item (PutItem); else ``put`` and ``remove`` change it; ``gone`` deletes it."""

    key: str
    put: Item = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    expected: Mapping[str, dict[str, Any] | None] = field(default_factory=dict)
    whole: bool = False
    gone: bool = False

    def holds(self, item: Item | None) -> bool:
        """Whether the item is as expected; a new one expects none."""
        if self.whole:
            return item is None
        return item is not None and all(same(item.get(name), value) for name, value in self.expected.items())

    def applied(self, item: Item | None) -> Item | None:
        """The item afterwards."""
        if self.gone:
            return None
        kept = {name: value for name, value in (item or {}).items() if name not in self.remove}
        return kept | copied(self.put)


def same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Whether two values are equal as DynamoDB compares them: numbers by value, sets in any order."""
    if one is None or other is None:
        return one is other
    ((kind, mine),), ((other_kind, others),) = one.items(), other.items()
    if kind != other_kind:
        return False
    if kind == "N":
        return (
            float(mine) == float(others) if "." in mine + others or "e" in mine + others else int(mine) == int(others)
        )
    if kind in ("SS", "NS", "BS"):
        return set(mine) == set(others)
    return bool(mine == others)


def copied(item: Item) -> Item:
    """The item, not to be changed with the other."""
    copy: Item = orjson.loads(orjson.dumps(item))
    return copy
