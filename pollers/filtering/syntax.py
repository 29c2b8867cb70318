"""From a pattern's JSON text to rules. A rule has, for every field that must match, its path and what it must be.

A pattern without ``$or`` is one rule; with ``$or`` it is a rule for each combination of alternatives (docs/lambda 6.3).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, TypeAlias

from pollers.filtering.errors import PatternError, PatternPath
from pollers.filtering.leaves import Leaf, Note, parse_leaf
from pollers.jsontext.numbers import Json, NumberText, refuse_constant

Rule: TypeAlias = dict[str, Leaf]
"""A field's path, keys joined by dots, to what it must be; in the order of the pattern."""

LIMIT_CHARACTERS: Final = 4096
"""The longest pattern (docs/lambda 6.1)."""

_LIMIT_DEPTH = 200
_LIMIT_RULES = 1000
"""EventBridge's own limit on combinations of alternatives."""

_OR = "$or"
_RESERVED_IN_OR = frozenset(
    [
        "exactly",
        "equals-ignore-case",
        "prefix",
        "suffix",
        "anything-but",
        "exists",
        "wildcard",
        "numeric",
        "cidr",
        "=",
        "<",
        "<=",
        ">",
        ">=",
        "regex",
        "not-wildcard",
        "not-equals-ignore-case",
        "date-after",
        "date-on-or-after",
        "date-before",
        "date-on-or-before",
        "in-date-range",
        "ip-address-in-range",
        "ip-address-not-in-range",
    ]
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pattern's rules, one of which an event must match, and notes for the pattern's author."""

    rules: list[Rule]
    notes: list[Note]


class _Object(dict[str, Json]):
    """A JSON object of a pattern. If a key occurs twice, the last value counts, at its place."""

    def __init__(self, members: list[tuple[str, Json]]) -> None:
        super().__init__()
        self.repeated: list[str] = []
        for key, value in members:
            if key in self:
                self.repeated.append(key)
                del self[key]
            self[key] = value


def parse(text: str) -> Parsed:
    """Compile a pattern's JSON text. Raises PatternError for invalid ones."""
    if len(text) > LIMIT_CHARACTERS:
        raise PatternError((), f"a pattern has at most {LIMIT_CHARACTERS:,} characters, this one has {len(text):,}")
    try:
        pattern = _DECODER.decode(text)
    except ValueError as fault:
        raise PatternError((), f"a pattern is JSON: {fault}") from None
    except RecursionError:
        raise PatternError((), _too_deep()) from None
    if not isinstance(pattern, _Object):
        raise PatternError((), 'a pattern is a JSON object, such as {"body": {"type": ["created"]}}')
    parser = _Parser()
    parser.fields(pattern, (), "", inside_or=False)
    return Parsed(parser.rules, parser.notes)


class _Parser:
    """Walks a pattern once, writing each field into every rule that it belongs to."""

    def __init__(self) -> None:
        self.rules: list[Rule] = [{}]
        self.notes: list[Note] = []

    def fields(self, members: _Object, path: PatternPath, name: str, *, inside_or: bool) -> None:
        """Add an object's fields, all of which must match. ``name`` is the object's own path in events, with its dot."""
        if not members:
            raise PatternError(path, "the object is empty: name at least one field")
        if len(path) > _LIMIT_DEPTH:
            raise PatternError(path[:3], _too_deep())
        self.notes += [
            Note((*path, key), "the key is given more than once: the last one counts") for key in members.repeated
        ]
        for key, value in members.items():
            where = (*path, key)
            if key == _OR and _is_alternatives(value):
                self._alternatives(value, where, name)
            elif inside_or and key in _RESERVED_IN_OR:
                raise PatternError(where, f"{key!r} is reserved: it cannot name a field inside {_OR}")
            elif isinstance(value, _Object):
                self.fields(value, where, f"{name}{key}.", inside_or=inside_or)
            elif isinstance(value, list):
                self._field(f"{name}{key}", value, where)
            else:
                raise PatternError(where, _no_field(key, value))

    def _field(self, name: str, value: list[Json], path: PatternPath) -> None:
        leaf = self._leaf(value, path)
        for rule in self.rules:
            # The same field from two places ("a": {"b": ..} and "a.b", or inside $or): the last one counts.
            rule.pop(name, None)
            rule[name] = leaf

    def _leaf(self, value: list[Json], path: PatternPath) -> Leaf:
        try:
            return parse_leaf(value, path, self.notes)
        except PatternError as fault:
            if path[-1] != _OR:
                raise
            hint = f"{_OR} is the operator only before two or more objects of fields, none with an operator's name"
            raise PatternError(fault.path, f"{fault.reason} ({hint})") from None

    def _alternatives(self, alternatives: list[_Object], path: PatternPath, name: str) -> None:
        """Replace each rule by one copy for each alternative, to which the fields of that alternative are added."""
        so_far = self.rules
        together: list[Rule] = []
        for index, alternative in enumerate(alternatives):
            self.rules = [dict(rule) for rule in so_far]
            self.fields(alternative, (*path, index), name, inside_or=True)
            together += self.rules
            if len(together) > _LIMIT_RULES:
                raise PatternError(path, f"{_OR} makes more than {_LIMIT_RULES:,} combinations")
        self.rules = together


def _is_alternatives(value: Json) -> bool:
    """Whether ``$or`` is the operator here. Elsewhere it is a field like any other."""
    return (
        isinstance(value, list)
        and len(value) >= 2
        and all(isinstance(item, _Object) and _RESERVED_IN_OR.isdisjoint(item) for item in value)
    )


def _no_field(key: str, value: Json) -> str:
    found = value.text if isinstance(value, NumberText) else json.dumps(value)
    return f"a field's values stand in an array: write {json.dumps(key)}: [{found}]"


def _too_deep() -> str:
    return f"a pattern is nested at most {_LIMIT_DEPTH} levels deep"


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Object, parse_int=NumberText.of, parse_float=NumberText.of, parse_constant=refuse_constant
)
