"""DynamoDB's expressions for conditional writes: the texts, which depend on attributes' names alone, are made once.

Every name is a placeholder, because any may be one of the service's several hundred reserved words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pollers.leases.table import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.leases.table import Item

_SHAPES_AT_MOST = 256


@dataclass(frozen=True, slots=True)
class _Texts:
    """The expressions of writes of one shape."""

    names: dict[str, str]
    update: str
    condition: str


def write_parameters(
    put: Item, remove: tuple[str, ...], expected: Mapping[str, dict[str, Any] | None]
) -> dict[str, Any]:
    """The expressions of a write: what it sets and removes, and what it expects (None: absent). Raises ValueError without any.

    A write never makes an item that is not there, whatever is expected.
    """
    if not expected:
        raise ValueError("a write expects something: without a condition it would make an item that is gone anew")
    values = {f":p{place}": value for place, value in enumerate(put.values())}
    for place, value in enumerate(expected.values()):
        if value is not None:
            values[f":e{place}"] = value
    texts = _texts(tuple(put), remove, tuple((name, value is None) for name, value in expected.items()))
    parameters: dict[str, Any] = {"ConditionExpression": texts.condition, "ExpressionAttributeNames": texts.names}
    if texts.update:
        parameters["UpdateExpression"] = texts.update
    if values:
        parameters["ExpressionAttributeValues"] = values
    return parameters


@lru_cache(maxsize=_SHAPES_AT_MOST)
def _texts(put: tuple[str, ...], remove: tuple[str, ...], expected: tuple[tuple[str, bool], ...]) -> _Texts:
    """``expected``: each name, and whether it is to be absent."""
    conditions = [
        "attribute_not_exists({})" if absent else f"{{}} = :e{place}" for place, (_, absent) in enumerate(expected)
    ]
    conditioned = [name for name, _ in expected]
    if all(absent for _, absent in expected):
        # An item that is not there has no attributes at all, so it would be as expected.
        conditions.append("attribute_exists({})")
        conditioned.append(KEY)
    holders = {name: f"#{place}" for place, name in enumerate(dict.fromkeys((*put, *remove, *conditioned)))}
    update = []
    if put:
        update.append("SET " + ", ".join(f"{holders[name]} = :p{place}" for place, name in enumerate(put)))
    if remove:
        update.append("REMOVE " + ", ".join(holders[name] for name in remove))
    condition = " AND ".join(text.format(holders[name]) for text, name in zip(conditions, conditioned, strict=True))
    return _Texts({holder: name for name, holder in holders.items()}, " ".join(update), condition)
