"""The patterns of a mapping against the records of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pollers.filtering.errors import PatternError
from pollers.filtering.explaining import first_failure
from pollers.filtering.fields import NOTHING, Lookup, lookup
from pollers.filtering.numbers import Json, NotJson, decode
from pollers.filtering.rules import Condition, ReadyRule, any_matches, ready
from pollers.filtering.sources import SQS, Decoded, Source, View, event_view, wire_view
from pollers.filtering.syntax import Parsed, Rule, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.models import Mapping
    from pollers.aws.api import Wire

_DATA_IS_JSON: Final = "data is JSON"
"""A member that no record has: whether its data is JSON. It is known once the data is decoded."""


def compile_filters(mapping: Mapping) -> RecordFilter | None:
    """The mapping's filters, compiled; None when it has none. Raises PatternError for what check_mapping refuses."""
    filters = mapping.filter_criteria.filters
    if not filters:
        return None
    return RecordFilter(wire_view(mapping), [parse(filter_.pattern) for filter_ in filters])


def compile_for_event_records(source: Source, patterns: Sequence[str]) -> RecordFilter:
    """A filter over Lambda event records instead of wire records. Raises PatternError."""
    return RecordFilter(event_view(source), [parse(pattern) for pattern in patterns])


def refuse_for(source: Source, rule: Rule) -> None:
    """Raise PatternError if the rule tests a stream's data as a whole, which Lambda refuses (lambda-behaviour 6.4)."""
    if source is not SQS and source.data in rule:
        example = f'{{"{source.data}": {{"field": [...]}}}}'
        raise PatternError(
            (source.data,), f"the pattern for {source.data} must be an object, as the data is JSON: {example}"
        )


class RecordFilter:
    """The patterns of one mapping, any of which lets a record through. Immutable."""

    __slots__ = ("_keep_number_texts", "_patterns", "_rules", "_used", "_view")

    def __init__(self, view: View, patterns: Sequence[Parsed]) -> None:
        rules = [rule for parsed in patterns for rule in parsed.rules]
        for rule in rules:
            refuse_for(view.source, rule)
        self._view = view
        self._keep_number_texts = any(leaf.needs_number_texts for rule in rules for leaf in rule.values())
        self._used = sorted({path.partition(".")[0] for rule in rules for path in rule})
        self._patterns = [[self._ready(rule) for rule in parsed.rules] for parsed in patterns]
        # Rules that do not look at the data come first: if one of them matches, it need not be decoded.
        self._rules = tuple(
            sorted((rule for pattern in self._patterns for rule in pattern), key=lambda rule: self._is_late_rule(rule))
        )

    @property
    def needs_number_texts(self) -> bool:
        """Whether the patterns tell numbers apart by how they are written."""
        return self._keep_number_texts

    def matches(self, record: Wire) -> bool:
        """Whether the record is for the function. Never raises, and never alters the record."""
        return any_matches(self._rules, _Members(record, self._view, self._keep_number_texts), self._whole)

    def explain(self, record: Wire) -> list[str]:
        """For each pattern the first condition that the record fails; empty if it matches one of them."""
        members = _Members(record, self._view, self._keep_number_texts)
        event = self._whole(members)
        failures: list[str] = []
        for pattern in self._patterns:
            failure = self._failure(pattern, members, event)
            if failure is None:
                return []
            failures.append(failure)
        return failures

    def _failure(self, pattern: Sequence[ReadyRule], members: _Members, event: Json) -> str | None:
        if any_matches(pattern, members, self._whole):
            return None
        data = self._view.source.data
        failure = first_failure(pattern, event)
        return failure or f"{data} is not JSON, and the pattern for it is"

    def _whole(self, members: _Members) -> Json:
        """The members that the patterns look at, as a plain object."""
        return {name: value for name in self._used if (value := members[name]) is not NOTHING}

    def _is_late_rule(self, rule: ReadyRule) -> bool:
        return any(self._is_late(path) for path in rule.source)

    def _is_late(self, path: str) -> bool:
        return path.partition(".")[0] == self._view.source.data

    def _ready(self, rule: Rule) -> ReadyRule:
        return ready(rule, _member_lookup, late=self._is_late, last=self._needs_json(rule))

    def _needs_json(self, rule: Rule) -> Sequence[Condition]:
        """A condition for rules with a pattern for the data's fields that data without fields would satisfy.

        A record whose data is not JSON does not match such a rule, even if it only asks fields to be absent (6.4).
        """
        inside = [leaf for path, leaf in rule.items() if path.startswith(f"{self._view.source.data}.")]
        if self._view.data is None or not inside or not all(leaf.accepts_absent for leaf in inside):
            return ()
        return [(lambda members: members[_DATA_IS_JSON], lambda is_json: is_json is True, False)]


def _member_lookup(path: str) -> Lookup:
    """The lookup of a path in a record's members, which have no dots in their names."""
    name, *rest = path.split(".")
    find = lookup(rest)
    return lambda members: find(members[name])


class _Members(dict[str, "Json"]):
    """The members of a record's event record, each made when it is first asked for."""

    __slots__ = ("_keep_number_texts", "_record", "_view")

    def __init__(self, record: Wire, view: View, keep_number_texts: bool) -> None:
        self._record = record
        self._view = view
        self._keep_number_texts = keep_number_texts

    def __missing__(self, name: str) -> Json:
        view = self._view
        if view.data is not None and (name == view.source.data or name == _DATA_IS_JSON):
            self._decode(view.data(self._record))
            return self[name]
        member = view.members.get(name)
        value = self[name] = NOTHING if member is None else member(self._record)
        return value

    def _decode(self, data: str | bytes | Decoded) -> None:
        value = data.value if isinstance(data, Decoded) else decode(data, keep_number_texts=self._keep_number_texts)
        if isinstance(value, NotJson):
            value = data if isinstance(data, str) else NOTHING
            self[_DATA_IS_JSON] = False
        else:
            self[_DATA_IS_JSON] = value is not NOTHING
        self[self._view.source.data] = value
