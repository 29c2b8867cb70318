"""Finding a field's leaf values in an event, whichever elements of arrays they come from.

Keys are joined by dots: the path ``a.b`` is the member ``b`` of ``a`` as well as the member ``a.b`` (docs/lambda 6.3).
Arrays of objects, and keys that can be read in two such ways, need :mod:`pollers.filtering.arrays`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

from pollers.jsontext.numbers import Json


class Found(enum.Enum):
    """What a lookup returns in place of leaf values."""

    NOTHING = "no leaf value"
    SEVERAL = "values of different elements of an array, or under different keys"


NOTHING: Final = Found.NOTHING
SEVERAL: Final = Found.SEVERAL

Lookup: TypeAlias = Callable[[Json], Json]
"""From a value to what a path leads to in it: NOTHING, SEVERAL, a list of leaf values (not empty), or a single leaf value."""

_Step: TypeAlias = tuple[str, tuple[str, ...]]


def lookup(path: Sequence[str]) -> Lookup:
    """The lookup of a path; for an empty path it returns the leaf values of the value itself."""
    steps = _with_joined(path)
    if not steps:
        return leaf_values

    def find(value: Json) -> Json:
        for key, joined in steps:
            if type(value) is not dict:
                return _not_an_object(value)
            for longer in joined:
                if longer in value:
                    return SEVERAL
            value = value.get(key, NOTHING)
        kind = type(value)
        return leaf_values(value) if kind is list or kind is dict else value

    return find


def member_lookup(path: Sequence[str]) -> Lookup:
    """As :func:`lookup`, in a mapping that gives the first key's value on demand and has no dots in its keys."""
    member, *rest = path
    steps = _with_joined(rest)

    def find(members: Json) -> Json:
        value = members[member]
        for key, joined in steps:
            if type(value) is not dict:
                return _not_an_object(value)
            for longer in joined:
                if longer in value:
                    return SEVERAL
            value = value.get(key, NOTHING)
        kind = type(value)
        return leaf_values(value) if kind is list or kind is dict else value

    return find


def _with_joined(path: Sequence[str]) -> tuple[_Step, ...]:
    """Each key with the dotted keys that stand for it and one or more keys after it."""
    return tuple(
        (key, tuple(".".join(path[index:end]) for end in range(index + 2, len(path) + 1)))
        for index, key in enumerate(path)
    )


def _not_an_object(value: Json) -> Literal[Found.NOTHING, Found.SEVERAL]:
    """What is found below a value that is not an object: nothing, unless it is an array that holds objects or arrays."""
    if type(value) is list and any(type(element) in _CONTAINERS for element in value):
        return SEVERAL
    return NOTHING


def leaf_values(value: Json) -> Json:
    """The leaf values of a value: itself, or the leaf values among an array's elements. An object has none."""
    kind = type(value)
    if kind is dict:
        return NOTHING
    if kind is not list:
        return value
    kinds = set(map(type, value))
    if list in kinds:
        return SEVERAL
    if dict in kinds:
        value = [element for element in value if type(element) is not dict]
    return value or NOTHING


_CONTAINERS = (dict, list)
