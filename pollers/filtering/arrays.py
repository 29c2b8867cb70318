"""Matching a rule on an event whose arrays hold objects: all fields must come from the same elements (docs/lambda 6.3).

Two fields of one rule may not lie in different elements of one array. Fields are matched in the order of their paths, as in AWS's
rule engine. A field that must be absent has to be absent from the elements in which the fields before it were found. Of arrays in
which no earlier field was found, it has to be absent from all elements.

The work is bounded by the event's size, not by the number of combinations of its elements: after each field, choices of elements
that make no difference to later fields count as one. Only events whose dotted keys can be read in several ways could still
multiply the choices; see :data:`STEP_LIMIT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pollers.filtering.predicates import Test
    from pollers.jsontext.numbers import Json

STEP_LIMIT: Final = 1_000_000
"""How many array elements are visited for one rule. Beyond that the event counts as matching: it is delivered, not lost."""

_Choice: TypeAlias = tuple[str, int, int]
"""An array (its path and its identity) and the position of one of its elements."""

_Chosen: TypeAlias = frozenset[_Choice]

# A chain leads from a value back to the top of the event: (the chain of the value outside, the innermost choice).
_Chain: TypeAlias = "tuple[_Chain, _Choice] | None"


@dataclass(frozen=True, slots=True, eq=False)
class OrderedField:
    """A field of a rule. ``kept`` are the paths of arrays in which later fields may lie too."""

    path: tuple[str, ...]
    test: Test
    accepts_absent: bool
    kept: frozenset[str]


class _StepLimitReached(Exception):  # noqa: N818 - never leaves this module
    pass


def in_order(fields: Sequence[tuple[str, Test, bool]]) -> tuple[OrderedField, ...]:
    """A rule's fields (path, test, whether it may be absent) in the order in which they are matched."""
    ordered: list[OrderedField] = []
    kept: frozenset[str] = frozenset()
    for path, test, accepts_absent in sorted(fields, key=lambda field: _code_units(field[0]), reverse=True):
        keys = tuple(path.split("."))
        ordered.append(OrderedField(keys, test, accepts_absent, kept))
        inner = {".".join(keys[:length]) for length in range(1, len(keys))}
        if not kept.issuperset(inner):
            kept = kept.union(inner)
    return tuple(reversed(ordered))


def _code_units(path: str) -> bytes:
    """A sort key in the order of AWS's rule engine, which compares strings by UTF-16 code units."""
    return path.encode("utf-16-be", "surrogatepass")


def consistent(fields: Sequence[OrderedField], event: Json) -> bool:
    """Whether elements can be chosen so that all ``fields`` match in them. ``event`` is an object."""
    choices: set[_Chosen] = {frozenset()}
    steps = _Steps(STEP_LIMIT)
    try:
        for field in fields:
            choices = {chosen for before in choices for chosen in _after(field, event, before, steps)}
            if not choices:
                return False
    except _StepLimitReached:
        return True
    return True


def values_at(path: tuple[str, ...], event: Json) -> Iterator[Json]:
    """Every leaf value that ``path`` leads to, whichever elements of arrays it lies in."""
    for value, _chain in _occurrences(path, event, {}, _Steps(limit=None)):
        yield value


def _after(field: OrderedField, event: Json, before: _Chosen, steps: _Steps) -> Iterator[_Chosen]:
    """The choices that remain when ``field`` is matched in addition to ``before``."""
    fixed = {array: position for _path, array, position in before}
    kept = frozenset(choice for choice in before if choice[0] in field.kept)
    present = False
    for value, chain in _occurrences(field.path, event, fixed, steps):
        present = True
        if field.test(value):
            yield _extended(kept, chain, field.kept)
            if not field.kept:
                return
    if field.accepts_absent and not present:
        yield kept


def _extended(kept: _Chosen, chain: _Chain, inner: frozenset[str]) -> _Chosen:
    added: list[_Choice] = []
    while chain is not None:
        chain, choice = chain
        if choice[0] in inner:
            added.append(choice)
    return kept.union(added)


class _Steps:
    """Counts visited array elements, up to a limit if there is one."""

    __slots__ = ("limit", "taken")

    def __init__(self, limit: int | None) -> None:
        self.taken = 0
        self.limit = limit

    def add(self, count: int) -> None:
        self.taken += count
        if self.limit is not None and self.taken > self.limit:
            raise _StepLimitReached


def _occurrences(
    path: tuple[str, ...], event: Json, fixed: dict[int, int], steps: _Steps
) -> Iterator[tuple[Json, _Chain]]:
    """Leaf values at ``path`` with the elements that they lie in, inside the elements ``fixed`` of their arrays.

    An array's own leaf values do not lie in an element: any of them may be combined with any other.
    """
    length = len(path)
    prefixes = [".".join(path[:depth]) for depth in range(length + 1)]
    # Not recursive: arrays may be nested as deep as the parser can read.
    waiting: list[tuple[Json, int, _Chain]] = [(event, 0, None)]
    while waiting:
        value, depth, chain = waiting.pop()
        kind = type(value)
        if kind is dict:
            for end in range(depth + 1, length + 1):
                key = path[depth] if end == depth + 1 else ".".join(path[depth:end])
                if key in value:
                    waiting.append((value[key], end, chain))
        elif kind is list:
            at_end = depth == length
            array = id(value)
            position = fixed.get(array)
            if position is not None and not at_end:
                steps.add(1)
                elements = [(position, value[position])]
            else:
                steps.add(len(value))
                elements = list(enumerate(value))
            for index, element in elements:
                if type(element) is dict or type(element) is list:
                    if position is None or position == index:
                        waiting.append((element, depth, (chain, (prefixes[depth], array, index))))
                elif at_end:
                    yield element, chain
        elif depth == length:
            yield value, chain
