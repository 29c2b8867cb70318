"""Event pattern matching, written from the specification as plainly as possible, to hold the fast matcher against.

An event is flattened to (path, value, memberships), where a membership is an array and the position of an element in it. A
rule matches if for each of its fields, in the order of their paths, a value can be picked that passes and whose memberships
contradict none picked before. Everything is tried. Numbers are kept as their text throughout.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Memberships: TypeAlias = dict[int, int]


@dataclass(frozen=True)
class Number:
    """A JSON number as it was written."""

    text: str


@dataclass(frozen=True)
class Field:
    """A leaf value of an event."""

    path: str
    value: Any
    memberships: Memberships


RESERVED = {
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
}


def load(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON, keeping numbers as text."""
    return json.loads(text, parse_int=Number, parse_float=Number)


def matches(pattern_text: str, event_text: str) -> bool:
    """Whether the event matches the (valid) pattern."""
    event = load(event_text)
    if not isinstance(event, dict):
        return False
    fields = list(flatten(event))
    return any(satisfies(rule, fields) for rule in rules(load(pattern_text)))


def flatten(event: dict[str, Any]) -> Iterator[Field]:
    """Every leaf value of the event."""
    arrays = itertools.count()

    def walk(value: Any, path: list[str], memberships: Memberships) -> Iterator[Field]:  # noqa: ANN401
        if isinstance(value, dict):
            for key, member in value.items():
                yield from walk(member, [*path, key], memberships)
        elif isinstance(value, list):
            array = next(arrays)
            for position, element in enumerate(value):
                inside = {**memberships, array: position} if isinstance(element, dict | list) else memberships
                yield from walk(element, path, inside)
        else:
            yield Field(".".join(path), value, memberships)

    return walk(event, [], {})


def rules(pattern: dict[str, Any]) -> list[dict[str, list[Any]]]:
    """The pattern's rules: path to leaf array, one rule for each combination of alternatives."""

    def add(so_far: list[dict[str, list[Any]]], members: dict[str, Any], path: list[str]) -> list[dict[str, list[Any]]]:
        for key, value in members.items():
            if key == "$or" and is_alternatives(value):
                so_far = [
                    rule for alternative in value for rule in add([dict(rule) for rule in so_far], alternative, path)
                ]
            elif isinstance(value, dict):
                so_far = add(so_far, value, [*path, key])
            else:
                so_far = [{**rule, ".".join([*path, key]): value} for rule in so_far]
        return so_far

    return add([{}], pattern, [])


def is_alternatives(value: Any) -> bool:  # noqa: ANN401
    """Whether ``$or`` with this value is the operator."""
    return (
        isinstance(value, list) and len(value) > 1 and all(isinstance(x, dict) and not RESERVED & set(x) for x in value)
    )


def satisfies(rule: dict[str, list[Any]], fields: list[Field]) -> bool:
    """Whether values can be picked for all paths of the rule."""
    paths = sorted(rule, key=lambda path: path.encode("utf-16-be", "surrogatepass"))

    def pick(index: int, picked: Memberships) -> bool:
        if index == len(paths):
            return True
        candidates = [field for field in fields if field.path == paths[index] and compatible(picked, field.memberships)]
        leaf = rule[paths[index]]
        if not candidates:
            return {"exists": False} in leaf and pick(index + 1, picked)
        return any(
            pick(index + 1, {**picked, **field.memberships})
            for field in candidates
            if any(passes(entry, field.value) for entry in leaf)
        )

    return pick(0, {})


def compatible(one: Memberships, other: Memberships) -> bool:
    """Whether no array is in both with different elements."""
    return all(one.get(array, position) == position for array, position in other.items())


def passes(entry: Any, value: Any) -> bool:  # noqa: ANN401
    """Whether one leaf value passes one entry of a pattern's leaf."""
    if not isinstance(entry, dict):
        if isinstance(entry, Number) and isinstance(value, Number):
            return same_number(entry.text, value.text)
        return type(entry) is type(value) and bool(entry == value)
    ((name, argument),) = entry.items()
    if name == "exists":
        return bool(argument)
    if name == "anything-but":
        return not any(passes(excluded, value) for excluded in excluded_entries(argument))
    if name == "numeric":
        return isinstance(value, Number) and in_range(value.text) and numeric(argument, float(value.text))
    if not isinstance(value, str):
        return False
    return text_passes(name, argument, value)


def excluded_entries(argument: Any) -> list[Any]:  # noqa: ANN401
    """What anything-but excludes, as entries of a leaf."""
    if isinstance(argument, dict):
        ((name, inner),) = argument.items()
        return [{name: item} for item in (inner if isinstance(inner, list) else [inner])]
    return argument if isinstance(argument, list) else [argument]


def same_number(wanted: str, found: str) -> bool:
    """Equality by value. Near zero, what is not written as an integer is its double; beyond 2^53 every digit counts."""

    def near(text: str) -> Fraction:
        return Fraction(int(text)) if whole(text) else Fraction(float(text))

    def whole(text: str) -> bool:
        return text.lstrip("-").isdigit() and -(2**63) <= int(text) < 2**64

    if whole(wanted) or abs(float(wanted)) < 2**53:
        return abs(float(found)) < float("inf") and near(wanted) == near(found)
    return Fraction(wanted) == Fraction(found)


def in_range(text: str) -> bool:
    """Whether a number is one that ``numeric`` compares: as an integer if it is written as one, for doubles round."""
    return abs(int(text) if text.lstrip("-").isdigit() else float(text)) <= 2**53


def numeric(argument: list[Any], value: float) -> bool:
    """Whether every comparison of ``numeric`` holds."""
    comparisons = {
        "=": float.__eq__,
        "<": float.__lt__,
        "<=": float.__le__,
        ">": float.__gt__,
        ">=": float.__ge__,
    }
    bounds = zip(argument[::2], argument[1::2], strict=True)
    return all(comparisons[sign](value, float(bound.text)) for sign, bound in bounds)


def text_passes(name: str, argument: Any, value: str) -> bool:  # noqa: ANN401
    """The operators on strings."""
    match name, argument:
        case "exactly", _:
            return bool(value == argument)
        case "prefix", {"equals-ignore-case": wanted}:
            return any(equal_but_for_case(wanted, value[:end]) for end in range(len(value) + 1))
        case "suffix", {"equals-ignore-case": wanted}:
            return any(equal_but_for_case(wanted, value[start:]) for start in range(len(value) + 1))
        case "prefix", _:
            return bool(value[: len(argument)] == argument)
        case "suffix", _:
            return bool(value[max(0, len(value) - len(argument)) :] == argument)
        case "equals-ignore-case", _:
            return equal_but_for_case(argument, value)
        case "wildcard", _:
            return wildcard(argument, value)
        case _:
            return in_block(argument, value)


def equal_but_for_case(wanted: str, value: str) -> bool:
    """Whether ``value`` is one of the spellings of ``wanted``, each of its characters in either case."""
    rests = {value}
    for character in wanted:
        spellings = {character, character.lower(), character.upper()}
        rests = {rest[len(spelling) :] for rest in rests for spelling in spellings if rest.startswith(spelling)}
    return "" in rests


def wildcard(pattern: str, value: str) -> bool:
    """Whether ``value`` fits, by keeping every position of the pattern that can be reached."""
    characters = iter(pattern)
    tokens = [next(characters) if char == "\\" else None if char == "*" else char for char in characters]

    def closed(positions: set[int]) -> set[int]:
        return positions | {
            position + 1 for position in positions if position < len(tokens) and tokens[position] is None
        }

    reached = closed({0})
    for character in value:
        after = {position for position in reached if position < len(tokens) and tokens[position] is None}
        after |= {position + 1 for position in reached if position < len(tokens) and tokens[position] == character}
        reached = closed(after)
    return len(tokens) in reached


def in_block(block: str, value: str) -> bool:
    """Whether ``value`` is an address in ``block``; IPv4 written as IPv6 counts as IPv4."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address) in ipaddress.ip_network(block, strict=False)
