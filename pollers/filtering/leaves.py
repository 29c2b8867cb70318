"""The array at a pattern's leaf: values and operators, one of which must match (docs/lambda 6.2, 6.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.filtering.complexity import LIMIT, TOO_COMPLEX, complexity
from pollers.filtering.errors import PatternError, PatternPath
from pollers.filtering.operators import OPERATORS, beyond_lambda
from pollers.filtering.predicates import Cost, Predicate, any_of, literals
from pollers.filtering.texts import wildcard_parts
from pollers.jsontext.numbers import Json, NumberText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.filtering.predicates import Test

_EXISTS = "exists"
_BEYOND_LAMBDA = (
    "is EventBridge's, and not in Lambda's own table of operators for event source mappings: "
    "it works here, but Lambda may refuse it"
)


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """What one field must be.

    ``test`` is called for each of its leaf values; ``accepts_absent`` says whether the field may also have none. ``cost`` orders
    the conditions of a pattern, the cheapest first. ``strings`` are the leaf's values if all of them are strings. ``text`` is the
    leaf as JSON.
    """

    test: Test
    accepts_absent: bool
    cost: Cost
    needs_number_texts: bool
    strings: frozenset[str] | None
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something in a pattern that works here but deserves its author's attention."""

    path: PatternPath
    message: str


def parse_leaf(entries: list[Json], path: PatternPath, notes: list[Note]) -> Leaf:
    """Compile a leaf's array, adding to ``notes``. Raises PatternError."""
    if not entries:
        raise PatternError(path, "the array is empty: give at least one value or operator")
    predicates: list[Predicate] = []
    values: list[Json] = []
    accepts_absent = False
    for index, entry in enumerate(entries):
        where = (*path, index)
        if isinstance(entry, list):
            raise PatternError(
                where, "an array cannot stand here: give strings, numbers, true, false, null or operators"
            )
        if not isinstance(entry, dict):
            values.append(entry)
        elif _EXISTS in entry:
            if _exists(entry, where):
                predicates.append(Predicate(_anything, Cost.EQUALITY))
            else:
                accepts_absent = True
        else:
            predicates.append(_operator(entry, where, notes))
    if complexity(map(wildcard_parts, _wildcards(entries))) > LIMIT:
        raise PatternError(path, TOO_COMPLEX)
    if values:
        predicates.insert(0, literals(values))
    fits = any_of(predicates)
    only_strings = all(isinstance(entry, str) for entry in entries)
    return Leaf(
        fits.test,
        accepts_absent,
        fits.cost,
        fits.needs_number_texts,
        frozenset(entries) if only_strings else None,
        json_text(entries),
    )


def _wildcards(entries: list[Json]) -> Iterator[str]:
    """Every wildcard among a leaf's entries, which have been checked before."""
    for entry in entries:
        if isinstance(entry, dict):
            inner = entry.get("anything-but", entry)
            wanted = inner.get("wildcard", ()) if isinstance(inner, dict) else ()
            yield from [wanted] if isinstance(wanted, str) else wanted


def _anything(_value: Json) -> bool:
    return True


def _exists(entry: dict[str, Json], path: PatternPath) -> bool:
    _only_key(entry, path)
    wanted = entry[_EXISTS]
    if not isinstance(wanted, bool):
        raise PatternError((*path, _EXISTS), "exists takes true or false")
    return wanted


def _operator(entry: dict[str, Json], path: PatternPath, notes: list[Note]) -> Predicate:
    name = _only_key(entry, path)
    where = (*path, name)
    parse = OPERATORS.get(name)
    if parse is None:
        known = ", ".join([*OPERATORS, _EXISTS])
        raise PatternError(where, f"there is no operator of this name: the operators are {known}")
    predicate = parse(entry[name], where)
    beyond = beyond_lambda(name, entry[name])
    if beyond is not None:
        notes.append(Note(where, f"{beyond} {_BEYOND_LAMBDA}"))
    return predicate


def _only_key(entry: dict[str, Json], path: PatternPath) -> str:
    if len(entry) != 1:
        raise PatternError(path, f"an operator is an object with one key, this one has {len(entry)}")
    return next(iter(entry))


def json_text(value: Json) -> str:
    """A parsed pattern's value as JSON again, numbers as they were written."""
    if isinstance(value, NumberText):
        return value.text
    if isinstance(value, list):
        return f"[{', '.join(json_text(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {json_text(item)}' for key, item in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)
