"""Tests of one leaf value of an event, and the simplest one: whether it equals a literal."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pollers.jsontext.numbers import Json, NumberText, digits, literal_value, number_text

Test: TypeAlias = Callable[[Json], bool]
"""Whether one leaf value of an event (a string, a number, true, false or null) passes."""


class Cost(enum.IntEnum):
    """How expensive a test is, roughly; conditions are tested in this order."""

    EQUALITY = 0
    PREFIX = 1
    NUMERIC = 2
    TEXT = 3


@dataclass(frozen=True, slots=True, eq=False)
class Predicate:
    """A test, its cost and its needs. ``needs_number_texts``: it must know how the event's numbers were written."""

    test: Test
    cost: Cost
    needs_number_texts: bool = False


def any_of(predicates: Sequence[Predicate]) -> Predicate:
    """A predicate that a value passes if it passes any of ``predicates``; without any, no value passes."""
    if len(predicates) == 1:
        return predicates[0]
    return Predicate(
        any_test([predicate.test for predicate in predicates]),
        max((predicate.cost for predicate in predicates), default=Cost.EQUALITY),
        any(predicate.needs_number_texts for predicate in predicates),
    )


def negation(predicate: Predicate) -> Predicate:
    """A predicate that a value passes if it does not pass ``predicate``."""
    test = predicate.test
    return Predicate(lambda value: not test(value), predicate.cost, predicate.needs_number_texts)


def literals(values: Sequence[Json]) -> Predicate:
    """A predicate for values that equal one of ``values``: strings character by character, numbers by their value."""
    texts = [value.text for value in values if isinstance(value, NumberText)]
    members: set[Json] = {value for value in values if isinstance(value, str) or value is None}
    members |= {near for text in texts if (near := literal_value(text)) is not None}
    tests: list[Test] = [_among(members)] if members else []
    tests += [_constant(value) for value in values if isinstance(value, bool)]
    far = [text for text in texts if literal_value(text) is None]
    if far:
        tests.append(_far_number(far))
    return Predicate(any_test(tests), Cost.EQUALITY, needs_number_texts=bool(far))


def _among(members: set[Json]) -> Test:
    """Equality by value. In Python true and false equal 1 and 0, in JSON they do not."""
    wanted = frozenset(members)
    if wanted.isdisjoint((0, 1)):
        return wanted.__contains__
    return lambda value: value in wanted and type(value) is not bool


def _far_number(texts: Sequence[str]) -> Test:
    """Equality with numbers whose double is also the double of other numbers."""
    near = frozenset(map(float, texts))
    wanted = frozenset(map(digits, texts))
    return lambda value: is_number(value) and float(value) in near and digits(number_text(value)) in wanted


def any_test(tests: Sequence[Test]) -> Test:
    """A test that a value passes if it passes any of ``tests``; without any, no value passes."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda value: first(value) or second(value)

    def test(value: Json) -> bool:
        return any(passes(value) for passes in tests)

    return test


def is_number(value: Json) -> bool:
    """Whether the value is a JSON number (Python's true and false are integers, JSON's are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _constant(wanted: bool) -> Test:
    return lambda value: value is wanted
