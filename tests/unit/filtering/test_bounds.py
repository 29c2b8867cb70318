"""No event and no pattern makes matching expensive out of proportion to its size."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pollers.filtering import Pattern, arrays
from pollers.filtering.texts import wildcard
from pollers.jsontext.numbers import decode


def nested(levels: int, innermost: str) -> Any:  # noqa: ANN401 - any JSON value
    """Arrays in arrays, as the parser makes them."""
    return decode("[" * levels + innermost + "]" * levels, keep_number_texts=False)


def pattern_of(value: Any) -> Pattern:  # noqa: ANN401
    """A pattern from its JSON value."""
    return Pattern.compile(json.dumps(value))


def test_independent_arrays_are_not_combined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four arrays of 300 elements are looked at one after the other, not 300 to the fourth times."""
    # Beyond the limit an event counts as matching, so that no match means that the limit was not reached.
    monkeypatch.setattr(arrays, "STEP_LIMIT", 300 * 4)
    event = {key: [{"x": number} for number in range(300)] for key in "abcd"}
    exists = [{"exists": True}]
    assert not pattern_of({"a": {"x": exists}, "b": {"x": exists}, "c": {"x": exists}, "d": {"x": ["no"]}}).matches(
        event
    )


def test_fields_of_one_array_are_not_combined(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each element of an array that a field matched, only that element is looked at again."""
    monkeypatch.setattr(arrays, "STEP_LIMIT", 3 * 3000)
    event = {"a": [{"x": number, "y": number} for number in range(3000)]}
    exists = [{"exists": True}]
    assert not pattern_of({"a": {"x": exists, "y": exists, "z": exists}}).matches(event)


def test_arrays_inside_elements_are_not_combined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inner arrays of one element are independent of each other, too."""
    monkeypatch.setattr(arrays, "STEP_LIMIT", 20 * 100)
    inner = [{"k": number} for number in range(20)]
    event = {"a": [{"p": inner[:10], "q": inner[10:]} for _ in range(20)]}
    exists = [{"exists": True}]
    assert not pattern_of({"a": {"p": {"k": exists}, "q": {"k": ["no"]}, "r": exists}}).matches(event)


def test_event_beyond_the_limit_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that would take too long to judge is delivered: a filter must not lose it."""
    monkeypatch.setattr(arrays, "STEP_LIMIT", 100)
    event = {"a": [{"x": number, "y": 0} for number in range(101)]}
    assert pattern_of({"a": {"x": ["no"], "y": [0]}}).matches(event)


@pytest.mark.parametrize("levels", [10, 1000])
def test_arrays_may_be_nested_as_deep_as_the_parser_goes(levels: int) -> None:
    """Neither leaf values nor objects are lost at depth, and no recursion ends it."""
    assert pattern_of({"a": ["deep"]}).matches({"a": nested(levels, '"deep"')})
    both = pattern_of({"a": {"x": [1], "y": [2]}})
    assert both.matches({"a": nested(levels, '{"x": 1, "y": 2}')})
    assert not both.matches({"a": nested(levels, '{"x": 1}, {"y": 2}')})
    assert (
        both.explain({"a": nested(levels, '{"x": 1}, {"y": 2}')})
        == "no one element of the arrays satisfies all of a.x, a.y"
    )


def test_wildcards_do_not_backtrack() -> None:
    """The classic pattern that makes backtracking exponential takes no time."""
    # As a test alone: a pattern with so many wildcards is refused as too complex.
    star_a = wildcard("*a" * 500 + "*b")
    assert not star_a("a" * 200_000)
    assert star_a("a" * 200_000 + "b")


def test_ignoring_case_does_not_backtrack() -> None:
    """Spellings of different lengths are tried once for each character."""
    assert not pattern_of({"f": [{"equals-ignore-case": "ß" * 600 + "x"}]}).matches({"f": "ßSS" * 100_000})
    assert not pattern_of({"f": [{"suffix": {"equals-ignore-case": "x" + "ß" * 600}}]}).matches({"f": "ßSS" * 100_000})
