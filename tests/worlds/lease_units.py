"""How large lease items are, and what reads and writes of them cost, in DynamoDB's units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pollers.leases.table import Item

OWNER = "leaseOwner"
ITEM_LIMIT_BYTES = 400 * 1024
PAGE_LIMIT_BYTES = 1024 * 1024
_READ_UNIT_BYTES = 4096
_WRITE_UNIT_BYTES = 1024


def size_of(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them, to a few bytes."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content) // 2 + 2
        case "B":
            return len(content) * 3 // 4
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(inner) for name, inner in content.items())
        case "L":
            return 3 + sum(1 + _value_size(inner) for inner in content)
        case "SS" | "NS" | "BS":
            return sum(len(one.encode()) for one in content)
        case _:
            return 1


def read_units(size: int, *, consistent: bool) -> float:
    """What reading so many bytes costs."""
    return max(1, math.ceil(size / _READ_UNIT_BYTES)) * (1.0 if consistent else 0.5)


def write_units(before: Item | None, after: Item | None) -> int:
    """What a write costs: the larger of the item before it and after it counts."""
    return max(1, math.ceil(max(size_of(before or {}), size_of(after or {})) / _WRITE_UNIT_BYTES))


def index_units(before: Item | None, after: Item | None) -> int:
    """An index entry is one write to make, one to take away, and nothing while its key stays."""
    was, now = ((item or {}).get(OWNER) for item in (before, after))
    return 0 if was == now else (was is not None) + (now is not None)
