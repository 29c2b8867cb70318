"""The fast matcher and the plain one agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import event as label
from hypothesis import find, given, settings
from hypothesis import strategies as st

from pollers.filtering import Pattern, PatternError
from pollers.filtering.operators import OPERATORS
from pollers.jsontext.numbers import decode
from pollers.sources.registry import compile_patterns
from tests.unit.filtering import reference, strategies
from tests.unit.filtering.mappings import message, sqs


def _matches(pattern_text: str, event_text: str) -> bool:
    pattern = Pattern.compile(pattern_text)
    return pattern.matches(decode(event_text, keep_number_texts=pattern.needs_number_texts))


@settings(max_examples=200)
@given(strategies.related())
def test_any_pattern_matches_the_same_events(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Whatever the pattern and the event, both matchers say the same; and what does not match is explained."""
    pattern_text, event_text = (strategies.dumps(half) for half in pair)
    try:
        pattern = Pattern.compile(pattern_text)
    except PatternError as fault:
        # The only faults that the strategy makes.
        assert fault.reason.startswith(("the object is empty", "Rule is too complex"))  # noqa: PT017
        return
    expected = reference.matches(pattern_text, event_text)
    label(f"matches: {expected}")
    decoded = decode(event_text, keep_number_texts=pattern.needs_number_texts)
    assert pattern.matches(decoded) is expected
    assert (pattern.explain(decoded) is None) is expected


@pytest.mark.parametrize("name", [*OPERATORS, "exists"])
def test_every_operator_is_among_those_compared(name: str) -> None:
    """An operator that the strategies never make would be compared with nothing."""
    assert name in reference.RESERVED
    assert name in find(strategies.operators, lambda entry: name in entry)


@settings(max_examples=200)
@given(strategies.leaves, strategies.leaf_values)
def test_every_operator_takes_the_same_values(leaf: list[Any], value: Any) -> None:  # noqa: ANN401
    """On a single value, every operator and literal says what the plain one says."""
    pattern_text, event_text = strategies.dumps({"f": leaf}), strategies.dumps({"f": value})
    expected = reference.matches(pattern_text, event_text)
    label(f"matches: {expected}")
    assert _matches(pattern_text, event_text) is expected


few = st.sampled_from(["p", "q", "r"])
leaf_of_few = st.one_of(
    st.lists(few, min_size=1, max_size=2), st.sampled_from([[{"prefix": "p"}], [{"exists": False}], ["p", None]])
)
fields_of_few = st.dictionaries(st.sampled_from(["a", "b", "c", "d.e"]), leaf_of_few, min_size=1, max_size=3)
filters_of_few = st.lists(
    st.one_of(
        st.fixed_dictionaries({"body": fields_of_few}, optional={"attributes": fields_of_few}),
        st.fixed_dictionaries({"attributes": fields_of_few}),
        st.fixed_dictionaries(
            {"$or": st.lists(st.fixed_dictionaries({"body": fields_of_few}), min_size=2, max_size=3)}
        ),
    ),
    min_size=1,
    max_size=6,
)
values_of_few = st.one_of(
    few, st.lists(few, max_size=2), st.lists(st.fixed_dictionaries({"e": few}), max_size=2), st.none()
)
members_of_few = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "d.e"]), values_of_few, max_size=4)


@settings(max_examples=200)
@given(filters_of_few, members_of_few, members_of_few)
def test_many_filters_match_what_each_of_them_matches(
    filters: list[dict[str, Any]], body: dict[str, Any], attributes: dict[str, Any]
) -> None:
    """However the filters of a mapping are arranged to be refused at once, they are alternatives, and nothing more."""
    seen = json.dumps({"attributes": attributes, "body": body})
    expected = any(reference.matches(json.dumps(pattern), seen) for pattern in filters)
    label(f"matches: {expected}")
    compiled = compile_patterns(sqs(*filters))
    assert compiled is not None
    record = message(body, Attributes=attributes)
    assert compiled.matches(record) is expected
    assert (compiled.explain(record) == []) is expected


elements = st.dictionaries(st.sampled_from(["x", "y", "z"]), st.sampled_from(["p", "q", ["p", "q"], []]), max_size=3)
arrays = st.recursive(
    st.lists(st.one_of(elements, st.just("p")), max_size=3),
    lambda inner: st.lists(st.one_of(inner, elements), max_size=3),
    max_leaves=6,
)
array_events = st.fixed_dictionaries({"a": arrays}, optional={"b": arrays, "a.x": arrays, "c": elements})
array_leaves = st.lists(
    st.sampled_from(["p", "q", {"exists": True}, {"exists": False}, {"anything-but": "p"}]), min_size=1, max_size=2
)
array_patterns = st.dictionaries(
    st.sampled_from(["a", "a.x", "a.y", "a.z", "b.x", "b.y", "c.x", "a!"]), array_leaves, min_size=2, max_size=4
)


@settings(max_examples=200)
@given(array_patterns, array_events)
def test_fields_come_from_the_same_elements_of_arrays(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """On arrays of objects, nested or beside each other, the matchers agree on what is consistent."""
    pattern_text, event_text = json.dumps(pattern), json.dumps(event)
    expected = reference.matches(pattern_text, event_text)
    label(f"matches: {expected}")
    assert _matches(pattern_text, event_text) is expected


@settings(max_examples=200)
@given(st.text("ab*\\", max_size=12), st.text("ab*\\", max_size=16))
def test_wildcards_agree(pattern: str, value: str) -> None:
    """A wildcard finds what keeping all positions finds, and what it refuses is badly written."""
    text = json.dumps({"f": [{"wildcard": pattern}]})
    try:
        compiled = Pattern.compile(text)
    except ValueError as fault:
        assert "**" in pattern or "\\" in pattern or "too complex" in str(fault)  # noqa: PT017
        return
    assert compiled.matches({"f": value}) is reference.wildcard(pattern, value)


@settings(max_examples=200)
@given(st.text(max_size=5), st.text(max_size=5), st.sampled_from(["equals", "prefix", "suffix"]), st.booleans())
def test_ignoring_case_agrees(wanted: str, other: str, form: str, upper: bool) -> None:
    """Any characters compare by their own cases, wherever in the string they stand."""
    value = wanted.upper() if upper else other
    argument: Any = {"equals-ignore-case": wanted}
    entry = argument if form == "equals" else {form: argument}
    pattern = Pattern.compile(json.dumps({"f": [entry]}))
    assert pattern.matches({"f": value}) is reference.passes(entry, value)
