"""What is asked of one leaf value of an event, and the simplest question: whether it equals a literal."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pollers.filtering.numbers import Json, NumberText, number_text, plain_integer

Test: TypeAlias = Callable[[Json], bool]
"""Says whether one leaf value of an event (a string, a number, true, false or null) is meant."""


class Cost(enum.IntEnum):
    """What a test costs, roughly; conditions run in this order."""

    EQUALITY = 0
    PREFIX = 1
    NUMERIC = 2
    TEXT = 3


@dataclass(frozen=True, slots=True, eq=False)
class Predicate:
    """A test with what it needs. ``needs_number_texts``: it has to know how the event's numbers were written."""

    test: Test
    cost: Cost
    needs_number_texts: bool = False


def any_of(predicates: Sequence[Predicate]) -> Predicate:
    """Passes what any of ``predicates`` passes; with none, nothing."""
    if len(predicates) == 1:
        return predicates[0]
    return Predicate(
        any_test([predicate.test for predicate in predicates]),
        max((predicate.cost for predicate in predicates), default=Cost.EQUALITY),
        any(predicate.needs_number_texts for predicate in predicates),
    )


def negation(predicate: Predicate) -> Predicate:
    """Passes what ``predicate`` does not."""
    test = predicate.test
    return Predicate(lambda value: not test(value), predicate.cost, predicate.needs_number_texts)


def literals(values: Sequence[Json]) -> Predicate:
    """Passes what equals one of ``values``: strings character by character, numbers by their text."""
    strings = frozenset(value for value in values if isinstance(value, str))
    numbers = [value.text for value in values if isinstance(value, NumberText)]
    tests: list[Test] = [_constant(value) for value in values if value is None or isinstance(value, bool)]
    if strings:
        tests.insert(0, strings.__contains__)
    tests += _number_tests(numbers)
    needs_texts = any(plain_integer(text) is None for text in numbers)
    return Predicate(any_test(tests), Cost.EQUALITY, needs_texts)


def any_test(tests: Sequence[Test]) -> Test:
    """Passes what any of ``tests`` passes; with none, nothing."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda value: first(value) or second(value)

    def test(value: Json) -> bool:
        return any(passes(value) for passes in tests)

    return test


def _number_tests(texts: Sequence[str]) -> list[Test]:
    integers = frozenset(integer for text in texts if (integer := plain_integer(text)) is not None)
    others = frozenset(text for text in texts if plain_integer(text) is None)
    tests: list[Test] = []
    if integers:
        # By type, for True equals 1; and 300.0, though equal to 300, is another text.
        tests.append(lambda value: type(value) is int and value in integers)
    if others:
        tests.append(lambda value: is_number(value) and number_text(value) in others)
    return tests


def is_number(value: Json) -> bool:
    """Whether the value is a JSON number (Python's true and false are integers, JSON's are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _constant(wanted: bool | None) -> Test:
    return lambda value: value is wanted
