"""The operators of event patterns, each from its JSON to a predicate (docs/lambda 6.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from pollers.filtering import texts
from pollers.filtering.errors import PatternError, PatternPath
from pollers.filtering.numeric import numeric
from pollers.filtering.predicates import Cost, Predicate, Test, any_of, literals, negation
from pollers.jsontext.numbers import Json, NumberText

Parse: TypeAlias = Callable[[Json, PatternPath], Predicate]
"""From an operator's value and its place in the pattern to its predicate. Raises PatternError."""

_IGNORE_CASE = "equals-ignore-case"


def _taking_string(name: str, cost: Cost, compile_test: Callable[[str], Test]) -> Parse:
    """An operator that takes a string. A ValueError from ``compile_test`` means that the pattern is invalid."""

    def parse(value: Json, path: PatternPath) -> Predicate:
        if not isinstance(value, str):
            raise PatternError(path, f"{name} takes a string")
        try:
            return Predicate(compile_test(value), cost)
        except ValueError as fault:
            raise PatternError(path, str(fault)) from None

    return parse


def _affix(name: str, plain: Parse, ignoring_case: Parse) -> Parse:
    """``prefix`` or ``suffix``: takes a string, or an object with equals-ignore-case."""

    def parse(value: Json, path: PatternPath) -> Predicate:
        if isinstance(value, str):
            return plain(value, path)
        if not isinstance(value, dict) or list(value) != [_IGNORE_CASE]:
            raise PatternError(path, f"{name} takes a string, or an object whose only key is {_IGNORE_CASE}")
        return ignoring_case(value[_IGNORE_CASE], (*path, _IGNORE_CASE))

    return parse


def _anything_but(value: Json, path: PatternPath) -> Predicate:
    """Any leaf value of any type except those named; a field without a leaf value does not match."""
    if isinstance(value, dict):
        return _anything_but_operator(value, path)
    values = value if isinstance(value, list) else [value]
    if not (values and (_all_are(str, values) or _all_are(NumberText, values))):
        raise PatternError(path, "anything-but takes a string, a number, a list of strings or a list of numbers")
    return negation(literals(values))


def _anything_but_operator(value: dict[str, Json], path: PatternPath) -> Predicate:
    """anything-but around another operator, which takes a string or a list of strings."""
    name = next(iter(value), "")
    parse = _INSIDE_ANYTHING_BUT.get(name)
    if parse is None or len(value) != 1:
        raise PatternError(path, f"the object in anything-but has one key of {', '.join(_INSIDE_ANYTHING_BUT)}")
    where = (*path, name)
    items = value[name] if isinstance(value[name], list) else [value[name]]
    if not items or not _all_are(str, items):
        raise PatternError(where, f"{name} inside anything-but takes a string or a list of strings")
    if "" in items and name in ("prefix", "suffix"):
        raise PatternError(where, f"every string has the empty {name}: no string would match")
    return negation(any_of([parse(item, where) for item in items]))


def _all_are(kind: type, values: list[Json]) -> bool:
    return all(isinstance(value, kind) for value in values)


def _exactly(wanted: str) -> Test:
    return lambda value: bool(value == wanted)


def _begins(wanted: str) -> Test:
    return lambda value: isinstance(value, str) and value.startswith(wanted)


def _ends(wanted: str) -> Test:
    return lambda value: isinstance(value, str) and value.endswith(wanted)


_equals_ignore_case = _taking_string(_IGNORE_CASE, Cost.TEXT, texts.equals_ignoring_case)
_wildcard = _taking_string("wildcard", Cost.TEXT, texts.wildcard)
_prefix = _taking_string("prefix", Cost.PREFIX, _begins)
_suffix = _taking_string("suffix", Cost.PREFIX, _ends)

_INSIDE_ANYTHING_BUT: Final[dict[str, Parse]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    _IGNORE_CASE: _equals_ignore_case,
    "wildcard": _wildcard,
}

OPERATORS: Final[dict[str, Parse]] = {
    "prefix": _affix("prefix", _prefix, _taking_string(_IGNORE_CASE, Cost.TEXT, texts.prefix_ignoring_case)),
    "suffix": _affix("suffix", _suffix, _taking_string(_IGNORE_CASE, Cost.TEXT, texts.suffix_ignoring_case)),
    _IGNORE_CASE: _equals_ignore_case,
    "anything-but": _anything_but,
    "numeric": numeric,
    "wildcard": _wildcard,
    "cidr": _taking_string("cidr", Cost.TEXT, texts.cidr),
    "exactly": _taking_string("exactly", Cost.EQUALITY, _exactly),
}
"""Every operator except ``exists``, which is about the field and not about a value."""


def beyond_lambda(name: str, value: Json) -> str | None:
    """The name of this use of an operator if Lambda's own table does not list it (docs/lambda 6.2), else None."""
    if name in ("wildcard", "cidr", "exactly"):
        return name
    if isinstance(value, dict):
        return f"{name} with {next(iter(value))}"
    return None
