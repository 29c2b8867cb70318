"""A mapping's patterns, matched on the records of its source, which are read through a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from pollers.filtering.errors import PatternError
from pollers.filtering.explaining import first_failure
from pollers.filtering.fields import NOTHING, Lookup, member_lookup
from pollers.filtering.leaves import parse_leaf
from pollers.filtering.rules import decide, passes, ready
from pollers.filtering.syntax import Parsed, Rule, parse
from pollers.filtering.views import Decoded, RecordShape, View, ViewOfPaths
from pollers.jsontext.numbers import NOT_JSON, Json, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.models import FilterCriteria
    from pollers.aws.api import Wire


def compile_filters(criteria: FilterCriteria, view: ViewOfPaths) -> RecordFilter | None:
    """A mapping's filters, compiled; None when it has none. Raises PatternError for patterns that check_filters refuses.

    ``view`` gets the paths that the patterns look at.
    """
    if not criteria.filters:
        return None
    patterns = [parse(filter_.pattern) for filter_ in criteria.filters]
    paths = {path for parsed in patterns for rule in parsed.rules for path in rule}
    return RecordFilter(view(paths), patterns)


def compile_for_view(view: View, patterns: Sequence[str]) -> RecordFilter:
    """A filter over what ``view`` reads, such as Lambda event records instead of wire records. Raises PatternError."""
    return RecordFilter(view, [parse(pattern) for pattern in patterns])


def refuse_for(shape: RecordShape, rule: Rule) -> None:
    """Raise PatternError if the rule tests the data as a text where Lambda allows only tests of its fields (docs/lambda 6.4)."""
    if not shape.text_is_tested and shape.data in rule:
        example = f'{{"{shape.data}": {{"field": [...]}}}}'
        raise PatternError(
            (shape.data,), f"the pattern for {shape.data} must be an object, as the data is JSON: {example}"
        )


class RecordFilter:
    """The patterns of one mapping. A record passes if it matches any of them. Immutable."""

    __slots__ = ("_decision", "_makers", "_patterns", "_view", "needs_number_texts")

    needs_number_texts: bool
    """Whether the patterns have numbers that doubles cannot represent exactly."""

    def __init__(self, view: View, patterns: Sequence[Parsed]) -> None:
        rules = [rule for parsed in patterns for rule in parsed.rules]
        for rule in rules:
            refuse_for(view.shape, rule)
        self._view = view
        self.needs_number_texts = any(leaf.needs_number_texts for rule in rules for leaf in rule.values())
        self._patterns = [
            ready([self._with_json(rule) for rule in parsed.rules], _lookup, late=self._is_late) for parsed in patterns
        ]
        self._decision = decide([rule for pattern in self._patterns for rule in pattern])
        used = {path.partition(".")[0] for pattern in self._patterns for rule in pattern for path in rule.source}
        self._makers = {name: self._maker(name) for name in sorted(used)}

    def matches(self, record: Wire) -> bool:
        """Whether the function gets the record. Never raises, and never changes the record."""
        return passes(self._decision, self._members(record), _whole)

    def explain(self, record: Wire) -> list[str]:
        """For each pattern the first condition that the record fails; empty if it matches one of them."""
        event = _whole(self._members(record))
        failures: list[str] = []
        for pattern in self._patterns:
            failure = first_failure(pattern, event)
            if failure is None:
                return []
            failures.append(failure)
        return failures

    def _members(self, record: Wire) -> _Members:
        members = _Members()
        members.record = record
        members.makers = self._makers
        return members

    def _with_json(self, rule: Rule) -> Rule:
        """The rule; if all that it requires of the data is that some fields are absent, with the condition that the data is JSON.

        Data that is not JSON does not match such a rule, although it has none of the fields (6.4).
        """
        data = self._view.shape.data
        inside = [leaf for path, leaf in rule.items() if path.startswith(f"{data}.")]
        if self._view.data is None or not inside or not all(leaf.accepts_absent for leaf in inside):
            return rule
        return {_is_json(data): _TRUE, **rule}

    def _is_late(self, path: str) -> bool:
        return path.partition(".")[0] in (self._view.shape.data, _is_json(self._view.shape.data))

    def _maker(self, name: str) -> _Maker:
        if self._view.data is not None and name == self._view.shape.data:
            return self._data_maker(self._view.data)
        if self._view.data is not None and name == _is_json(self._view.shape.data):
            return _json_maker(self._view.shape.data, name)
        member = self._view.members.get(name)
        return (lambda _members: NOTHING) if member is None else (lambda members: member(members.record))

    def _data_maker(self, data: Callable[[Wire], str | bytes | Decoded]) -> _Maker:
        """Decodes the data, and notes whether it is JSON."""
        is_json = _is_json(self._view.shape.data)
        keep_number_texts = self.needs_number_texts

        def make(members: _Members) -> Json:
            sent = data(members.record)
            value = sent.value if isinstance(sent, Decoded) else decode(sent, keep_number_texts=keep_number_texts)
            members[is_json] = value is not NOT_JSON and value is not NOTHING
            if value is NOT_JSON:
                return sent if isinstance(sent, str) else NOTHING
            return value

        return make


def _lookup(path: str) -> Lookup:
    return member_lookup(path.split("."))


def _json_maker(data: str, is_json: str) -> _Maker:
    def make(members: _Members) -> Json:
        members[data]
        return dict.__getitem__(members, is_json)

    return make


def _is_json(data: str) -> str:
    """The name of an internal member that says whether the data is JSON. No record has a member of this name."""
    return f"({data} is JSON)"


_TRUE: Final = parse_leaf([True], (), [])


class _Members(dict[str, "Json"]):
    """The members of a record's event record that patterns look at, each made when it is first needed."""

    __slots__ = ("makers", "record")

    makers: dict[str, _Maker]
    record: Wire

    def __missing__(self, name: str) -> Json:
        value = self[name] = self.makers[name](self)
        return value


_Maker: TypeAlias = Callable[[_Members], Json]


def _whole(members: _Members) -> Json:
    """The members that the patterns look at, as a plain object."""
    return {name: value for name in members.makers if (value := members[name]) is not NOTHING}
