"""Rules made ready: a rule's conditions in the order in which they are cheapest to refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pollers.filtering.arrays import OrderedField, consistent, in_order
from pollers.filtering.fields import NOTHING, SEVERAL, Lookup
from pollers.filtering.predicates import Cost, Test

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pollers.filtering.numbers import Json
    from pollers.filtering.syntax import Rule

Condition: TypeAlias = tuple[Lookup, Test, bool]
"""How to find a field's values, what each is asked, and whether the field may be absent."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadyRule:
    """A rule, ready to be matched. ``fields`` are its conditions for events whose arrays hold objects."""

    conditions: tuple[Condition, ...]
    fields: tuple[OrderedField, ...]
    source: Rule


def ready(
    rule: Rule, find: Callable[[str], Lookup], *, late: Callable[[str], bool], last: Sequence[Condition] = ()
) -> ReadyRule:
    """Make a rule ready: ``find`` gives the lookup of a path; what ``late`` says of a path is looked at last."""
    order: list[tuple[bool, Cost, str]] = sorted((late(path), leaf.cost, path) for path, leaf in rule.items())
    conditions = [(find(path), rule[path].test, rule[path].accepts_absent) for _late, _cost, path in order]
    fields = in_order([(path, leaf.test, leaf.accepts_absent) for path, leaf in rule.items()])
    return ReadyRule((*conditions, *last), fields, rule)


def any_matches(rules: Sequence[ReadyRule], event: Json, whole: Callable[[Json], Json]) -> bool:
    """Whether ``event`` satisfies one of the rules. ``whole`` makes it a plain object, where that is needed."""
    for rule in rules:
        for find, test, accepts_absent in rule.conditions:
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
