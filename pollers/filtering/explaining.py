"""Why an event does not match, as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from pollers.filtering.arrays import consistent, values_at
from pollers.jsontext.numbers import NumberText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.filtering.leaves import Leaf
    from pollers.filtering.rules import ReadyRule
    from pollers.jsontext.numbers import Json

_SHOWN_VALUES = 3
_SHOWN_CHARACTERS = 60
_SHOWN_ALTERNATIVES = 5


def first_failure(rules: Sequence[ReadyRule], event: Json) -> str | None:
    """The first condition of a pattern, in the order in which it is written, that ``event`` fails; None if it matches.

    Conditions outside of ``$or`` come first; when they all hold, the failure of each alternative is given.
    """
    if not isinstance(event, dict):
        return f"the event is {_shown(event)}, not an object"
    failures = [_failure_of(rule, event) for rule in rules]
    if None in failures:
        return None
    for path, leaf in _common(rules):
        failure = _failure_at(path, leaf, event)
        if failure is not None:
            return failure
    distinct = list(dict.fromkeys(failure for failure in failures if failure is not None))
    if len(distinct) == 1:
        return distinct[0]
    more = f"; and {len(distinct) - _SHOWN_ALTERNATIVES} more" if len(distinct) > _SHOWN_ALTERNATIVES else ""
    return f"no alternative of $or: {'; '.join(distinct[:_SHOWN_ALTERNATIVES])}{more}"


def _common(rules: Sequence[ReadyRule]) -> list[tuple[str, Leaf]]:
    """The conditions that are in every rule: those outside of ``$or``."""
    return [
        (path, leaf)
        for path, leaf in rules[0].source.items()
        if all(other.source.get(path) is leaf for other in rules[1:])
    ]


def _failure_of(rule: ReadyRule, event: Json) -> str | None:
    if consistent(rule.fields, event):
        return None
    for path, leaf in rule.source.items():
        failure = _failure_at(path, leaf, event)
        if failure is not None:
            return failure
    # Each condition holds in some element, but not all in the same one. A field that must be absent and is present explains most.
    for path, leaf in rule.source.items():
        found = _values_at(path, event)
        if leaf.accepts_absent and found and not any(map(leaf.test, found)):
            return f"{path} is {_listed(found)}, must be {leaf.text}"
    return f"no one element of the arrays satisfies all of {', '.join(rule.source)}"


def _failure_at(path: str, leaf: Leaf, event: Json) -> str | None:
    """Why a condition holds nowhere in ``event``; None if it may."""
    found = _values_at(path, event)
    if leaf.accepts_absent or any(map(leaf.test, found)):
        return None
    if not found:
        return f"{path} has no value, must be {leaf.text}"
    return f"{path} is {_listed(found)}, must be {leaf.text}"


def _values_at(path: str, event: Json) -> list[Json]:
    return list(values_at(tuple(path.split(".")), event))


def _listed(values: Sequence[Json]) -> str:
    more = f" and {len(values) - _SHOWN_VALUES:,} more" if len(values) > _SHOWN_VALUES else ""
    return f"{', '.join(_shown(value) for value in values[:_SHOWN_VALUES])}{more}"


def _shown(value: Json) -> str:
    """A value as JSON on one line, cut short."""
    if isinstance(value, NumberText):
        text = value.text
    else:
        try:
            text = orjson.dumps(value).decode()
        except TypeError:
            text = ascii(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
