"""Rules made ready for matching: the cheapest conditions come first, and one lookup in a table can refuse many rules."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pollers.filtering.arrays import OrderedField, consistent, in_order
from pollers.filtering.fields import NOTHING, SEVERAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pollers.filtering.fields import Lookup
    from pollers.filtering.leaves import Leaf
    from pollers.filtering.predicates import Cost, Test
    from pollers.filtering.syntax import Rule
    from pollers.jsontext.numbers import Json


_LIMIT_ENTRIES = 2000
"""The most entries of a table: patterns that combine many strings with many alternatives would make very large ones."""


Check: TypeAlias = "tuple[Lookup, Test, bool]"
"""How to find a field's values, the test of each value, and whether the field may be absent: all that matching needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A check, and what decides when it is made.

    ``late``: it needs data that must be decoded first. ``strings``: the values, if the condition is equality with strings only.
    """

    check: Check
    path: str
    late: bool
    cost: Cost
    strings: frozenset[str] | None


@dataclass(slots=True, eq=False)
class ReadyRule:
    """A rule, ready to be matched."""

    conditions: tuple[Condition, ...]
    source: Rule
    checks: tuple[Check, ...] = field(init=False)
    _fields: tuple[OrderedField, ...] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.checks = tuple(condition.check for condition in self.conditions)

    @property
    def fields(self) -> tuple[OrderedField, ...]:
        """All conditions of the rule for events whose arrays hold objects; made for the first such event."""
        if self._fields is None:
            self._fields = in_order([(path, leaf.test, leaf.accepts_absent) for path, leaf in self.source.items()])
        return self._fields

    @property
    def is_late(self) -> bool:
        """Whether all conditions that are left are late."""
        return all(condition.late for condition in self.conditions)

    def without(self, path: str) -> ReadyRule:
        """The rule once its condition on ``path`` is known to hold."""
        return ReadyRule(tuple(condition for condition in self.conditions if condition.path != path), self.source)


def ready(
    rules: Sequence[Rule], find: Callable[[str], Lookup], *, late: Callable[[str], bool]
) -> tuple[ReadyRule, ...]:
    """Make rules ready: ``find`` gives the lookup of a path; the paths for which ``late`` is true are checked last."""
    made: dict[tuple[str, Leaf], Condition] = {}

    def condition(path: str, leaf: Leaf) -> Condition:
        # Alternatives of $or share most of their fields, so a condition is made once and used by several rules.
        known = made.get((path, leaf))
        if known is None:
            check = (find(path), leaf.test, leaf.accepts_absent)
            known = Condition(check, path, late(path), leaf.cost, leaf.strings)
            made[path, leaf] = known
        return known

    return tuple(
        ReadyRule(
            tuple(sorted(itertools.starmap(condition, rule.items()), key=lambda made: (made.late, made.cost))), rule
        )
        for rule in rules
    )


def any_matches(rules: Sequence[ReadyRule], event: Json, whole: Callable[[Json], Json]) -> bool:
    """Whether ``event`` satisfies one of the rules. ``whole`` makes it a plain object, where that is needed."""
    for rule in rules:
        for find, test, accepts_absent in rule.checks:
            value = find(event)
            if value is NOTHING:
                if accepts_absent:
                    continue
                break
            if value is SEVERAL:
                if consistent(rule.fields, whole(event)):
                    return True
                break
            if type(value) is list:
                if not any(map(test, value)):
                    break
            elif not test(value):
                break
        else:
            return True
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Rules to try one by one, and a table of the rules that require one field to equal a string: one lookup refuses most of them.

    ``first`` are tried before the table, ``then`` after it, so that data is decoded only when all else has failed.
    """

    first: tuple[ReadyRule, ...]
    find: Lookup | None
    table: dict[str, Decision]
    tabled: tuple[ReadyRule, ...]
    then: tuple[ReadyRule, ...]


def decide(rules: Sequence[ReadyRule], levels: int = 3) -> Decision:
    """Arrange rules of which one must match. ``levels`` is how many tables may lie one inside the other."""
    path = _path_to_table(rules) if levels else None
    if path is None:
        return Decision((), None, {}, (), tuple(sorted(rules, key=_looks_late)))
    tabled: list[ReadyRule] = []
    others: list[ReadyRule] = []
    by_string: dict[str, list[ReadyRule]] = {}
    for rule in rules:
        condition = _eligible(rule).get(path)
        if condition is None or condition.strings is None:
            others.append(rule)
            continue
        tabled.append(rule)
        rest = rule.without(path)
        for string in condition.strings:
            by_string.setdefault(string, []).append(rest)
    return Decision(
        first=tuple(rule for rule in others if not rule.is_late),
        find=_eligible(tabled[0])[path].check[0],
        table={string: decide(found, levels - 1) for string, found in by_string.items()},
        tabled=tuple(tabled),
        then=tuple(rule for rule in others if rule.is_late),
    )


def _looks_late(rule: ReadyRule) -> bool:
    return any(condition.late for condition in rule.conditions)


def _path_to_table(rules: Sequence[ReadyRule]) -> str | None:
    """The path that most rules require to equal a string, if several do; if possible one that needs no decoding."""
    for late in (False, True):
        eligible = [condition for rule in rules for condition in _eligible(rule).values() if condition.late is late]
        if not eligible:
            continue
        path, count = Counter(condition.path for condition in eligible).most_common(1)[0]
        entries = sum(len(condition.strings or ()) for condition in eligible if condition.path == path)
        if count > 1 and entries <= _LIMIT_ENTRIES:
            return path
    return None


def _eligible(rule: ReadyRule) -> dict[str, Condition]:
    """Conditions that a table can decide; late ones only if no others are left."""
    late_too = rule.is_late
    return {
        condition.path: condition
        for condition in rule.conditions
        if condition.strings is not None and (late_too or not condition.late)
    }


def passes(decision: Decision, event: Json, whole: Callable[[Json], Json]) -> bool:
    """Whether ``event`` satisfies one of the arranged rules."""
    if decision.first and any_matches(decision.first, event, whole):
        return True
    if decision.find is not None:
        value = decision.find(event)
        if isinstance(value, str):
            found = decision.table.get(value)
            if found is not None and passes(found, event, whole):
                return True
        elif (value is SEVERAL or type(value) is list) and any_matches(decision.tabled, event, whole):
            return True
    return any_matches(decision.then, event, whole)
