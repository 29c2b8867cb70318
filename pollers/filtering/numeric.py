"""The operator ``numeric``: comparison of numbers as IEEE 754 doubles (docs/lambda 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pollers.filtering.errors import PatternError, PatternPath
from pollers.filtering.predicates import Cost, Predicate
from pollers.jsontext.numbers import EXACT_DOUBLES, Json, NumberText, plain_integer

if TYPE_CHECKING:
    from pollers.filtering.predicates import Test

LIMIT: Final = EXACT_DOUBLES
"""Numbers beyond this are refused in a pattern, and match nothing in an event."""

_FORMS = '["=", n], one of <, <=, >, >= and a number, or both bounds, the lower first: [">", 0, "<=", 5]'
_LOWER = (">", ">=")
_UPPER = ("<", "<=")


def numeric(value: Json, path: PatternPath) -> Predicate:
    """Compile the operator's array. Raises PatternError."""
    if not isinstance(value, list) or len(value) not in (2, 4):
        raise PatternError(path, f"numeric takes {_FORMS}")
    comparison, number = value[0], _number(value[1], (*path, 1))
    if len(value) == 4:
        return _range(comparison, number, value[2], _number(value[3], (*path, 3)), path)
    tests: dict[Json, Test] = {
        "=": _within(number, number),
        "<": _below(number),
        "<=": _within(-LIMIT, number),
        ">": _above(number),
        ">=": _within(number, LIMIT),
    }
    if not isinstance(comparison, str) or comparison not in tests:
        raise PatternError((*path, 0), f"numeric takes {_FORMS}")
    return Predicate(tests[comparison], Cost.NUMERIC)


def _range(lower: Json, least: float, upper: Json, greatest: float, path: PatternPath) -> Predicate:
    if lower not in _LOWER:
        raise PatternError((*path, 0), "of two bounds the first is the lower one: > or >=")
    if upper not in _UPPER:
        raise PatternError((*path, 2), "of two bounds the second is the upper one: < or <=")
    if least >= greatest:
        raise PatternError(path, "the lower bound must be less than the upper one")
    above = _above(least) if lower == ">" else _within(least, LIMIT)
    below = _below(greatest) if upper == "<" else _within(-LIMIT, greatest)
    if lower == ">=" and upper == "<=":
        return Predicate(_within(least, greatest), Cost.NUMERIC)
    return Predicate(lambda value: above(value) and below(value), Cost.NUMERIC)


def _number(value: Json, path: PatternPath) -> float:
    if not isinstance(value, NumberText):
        raise PatternError(path, f"numeric takes {_FORMS}")
    # Compared as an integer where it is one: 2^53 + 1 as a double is 2^53, which is allowed.
    integer = plain_integer(value.text)
    if not -LIMIT <= (value if integer is None else integer) <= LIMIT:
        raise PatternError(path, f"{value.text} is out of range: numbers are compared from -2^53 to 2^53")
    return float(value)


# Strings and null are not numbers. True and false are numbers in Python, but not in JSON.


def _within(least: float, greatest: float) -> Test:
    return lambda value: isinstance(value, int | float) and least <= value <= greatest and not isinstance(value, bool)


def _above(least: float) -> Test:
    return lambda value: isinstance(value, int | float) and least < value <= LIMIT and not isinstance(value, bool)


def _below(greatest: float) -> Test:
    return lambda value: isinstance(value, int | float) and -LIMIT <= value < greatest and not isinstance(value, bool)
