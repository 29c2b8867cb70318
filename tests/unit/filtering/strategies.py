"""Patterns and events that have something to do with each other: few keys, few values, much nesting."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.unit.filtering import reference

KEYS = ["a", "b", "a.b", "a!", "", "$or"]
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "ba",
    "aab",
    "abab",
    "ß",
    "SS",
    "k",
    "\u212a",
    "a*b",
    "a\\b",
    "10.0.0.1",
    "10.0.1.7",
    "::1",
    "300",
]
NUMBERS = [
    "0",
    "1",
    "1.0",
    "1e0",
    "-1",
    "2",
    "2.5",
    "300",
    "300.0",
    "3.0e2",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "9007199254740992.0",
    "-0",
    "-0.0",
    "3e2",
    "0.30",
    "3e-1",
    "18446744073709551615",
    "18446744073709551616",
    "1.8446744073709551616e19",
    "18446744073709551617.0",
    "1e400",
    "10E399",
    "1e401",
]
COMPARABLE = ["-1", "0", "1", "1.0", "2", "2.5", "300.0"]
BLOCKS = ["10.0.0.0/24", "10.0.0.9/16", "0.0.0.0/0", "10.0.0.1/32", "::/64", "::1/128"]
WILDCARDS = ["*", "a*", "*b", "a*b", "*a*", "a\\*b", "a\\\\b", "", "a*b*b", "*ab*ab"]

texts = st.sampled_from(TEXTS)
numbers = st.sampled_from(NUMBERS)


class Raw(str):
    """A number's text on its way into JSON."""

    __slots__ = ()


def dumps(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """JSON with numbers as they are spelled in :class:`Raw`; a list of pairs marked as object may repeat keys."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


leaf_values = st.one_of(texts, numbers.map(Raw), st.sampled_from([True, False, None]))

values = st.recursive(
    leaf_values,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)),
    max_leaves=12,
)
events = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)


def _bounds(lower: str, upper: str, signs: tuple[str, str]) -> list[Any]:
    return [signs[0], Raw(lower), signs[1], Raw(upper)]


comparisons = st.one_of(
    st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), st.sampled_from(COMPARABLE).map(Raw)).map(list),
    st.builds(
        _bounds,
        st.sampled_from(["-1", "0"]),
        st.sampled_from(["1", "2.5", "300"]),
        st.sampled_from([(">", "<"), (">=", "<="), (">", "<="), (">=", "<")]),
    ),
)
non_empty_texts = texts.filter(bool)
operators = st.one_of(
    st.fixed_dictionaries({"prefix": texts}),
    st.fixed_dictionaries({"suffix": texts}),
    st.fixed_dictionaries({"prefix": st.fixed_dictionaries({"equals-ignore-case": texts})}),
    st.fixed_dictionaries({"suffix": st.fixed_dictionaries({"equals-ignore-case": texts})}),
    st.fixed_dictionaries({"equals-ignore-case": texts}),
    st.fixed_dictionaries({"exactly": texts}),
    st.fixed_dictionaries({"wildcard": st.sampled_from(WILDCARDS)}),
    st.fixed_dictionaries({"cidr": st.sampled_from(BLOCKS)}),
    st.fixed_dictionaries({"numeric": comparisons}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries(
        {
            "anything-but": st.one_of(
                texts,
                numbers.map(Raw),
                st.lists(texts, min_size=1, max_size=2),
                st.lists(numbers.map(Raw), min_size=1, max_size=2),
                st.dictionaries(
                    st.sampled_from(["prefix", "suffix", "equals-ignore-case"]),
                    st.one_of(non_empty_texts, st.lists(non_empty_texts, min_size=1, max_size=2)),
                    min_size=1,
                    max_size=1,
                ),
                st.fixed_dictionaries({"wildcard": st.sampled_from(WILDCARDS)}),
            )
        }
    ),
)
leaves = st.lists(st.one_of(leaf_values, operators), min_size=1, max_size=3)


@st.composite
def related(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pattern and an event, where the pattern is about fields that the event has (and perhaps one that it has not)."""
    event = draw(events)
    found = list(reference.flatten(event))
    pattern: dict[str, Any] = {}
    for _ in range(draw(st.integers(1, 3))):
        path, leaf = _field(draw, found)
        _put(pattern, path, leaf, nested=draw(st.booleans()))
    if draw(st.integers(0, 3)) == 0:
        pattern["$or"] = [dict([_field(draw, found)]) for _ in range(2)]
    return pattern, event


def _field(draw: st.DrawFn, found: list[reference.Field]) -> tuple[str, list[Any]]:
    """A path, mostly one of the event's, and a leaf, often one that fits."""
    if not found or draw(st.integers(0, 7)) == 0:
        return draw(st.sampled_from([key for key in KEYS if key != "$or"])), draw(leaves)
    field = draw(st.sampled_from(found))
    leaf = draw(st.one_of(leaves, st.just([field.value]), st.just([{"exists": True}])))
    return field.path, leaf


def _put(pattern: dict[str, Any], path: str, leaf: list[Any], *, nested: bool) -> None:
    """Write a field under one dotted key or under nested ones; "$or" as a field only where it is no operator."""
    *outer, last = path.split(".") if nested else [path]
    for key in outer:
        inner = pattern.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        pattern = inner
    if last != "$or":
        pattern[last] = leaf
