"""The ``event_source_mappings`` section: from a mapping in a file to its model, with every fault on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from config.faults import Finding
from config.functions.references import refer, undefined, unqualified
from config.options.outcome import Faulty, Reading
from config.options.resources import unwrap
from config.options.shapes import OneOf, Text, options_of
from config.options.spelling import recognise
from config.sources import pasted, registry
from config.sources.mapping import Filter, FilterCriteria
from config.sources.mapping import Mapping as MappingModel
from config.text.nodes import Node, Scalar, Table, describe, is_faulty, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from datetime import datetime

    from config.options.reader import Reader
    from config.options.shapes import Option
    from config.sources.kind import EventSource
    from config.text.places import Path, Place

LATEST = "$LATEST"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_UNREADABLE_PATTERN = '{"eventSource":[{"exists":true}]}'
"""Stands for a pattern that could not be read: no check finds anything in it."""


@dataclass(slots=True)
class MappingReader:
    """Reads mappings one after another, and remembers them, so that a second one of the same source and function is found.

    ``functions`` are those that mappings may name; None when some file could not be read, since then nobody knows them all.
    ``checks`` are asked about each mapping. ``now`` is the time that settings in the past are compared with.
    """

    functions: Mapping[str, object] | None
    checks: Iterable[Callable[[MappingModel], Iterable[tuple[Path, str, bool]]]]
    now: datetime
    known: dict[str, tuple[EventSource, Reading]] = field(default_factory=dict)
    """What could be read of each mapping whose source is known, also of those with faults."""
    _taken: dict[tuple[str, str, Hashable], tuple[str, Place, str | None]] = field(default_factory=dict)

    def read(self, name: str, node: Node, reader: Reader, path: Path) -> MappingModel | None:
        """The mapping under ``name``, or None after a fault."""
        report = reader.report
        self._refuse_name(name, reader, path)
        whole, (node, shown) = node, unwrap(node, pasted.RESOURCE_TYPE, path, report, path)
        if is_faulty(node):
            return None
        if not isinstance(node, Table):
            report.fault(path, f"found {describe(node)}, expected a mapping with event_source_arn and function_name")
            return None
        in_quotes = node is not whole
        # The source comes first: it says which settings there are.
        source = _source(node)
        if source is not None:
            node = pasted.telling(node, source.kind)
        options, named = _options(source, node)
        reader = replace(reader, wording=pasted.wording(source), in_quotes=in_quotes)
        reading = reader.section(options, node, path, shown, pasted.foreign(source, named=named))
        if reading is None:
            return None
        pasted.remark(node, path, report)
        before = len(report.faults)
        self._refuse_arn(reading, reader, path)
        qualifier = self._resolve(reading, node, reader, path)
        if source is None:
            return None  # with the fault that its ARN is missing or wrong
        self.known[name] = (source, reading)
        # Rules and checks run although something is wrong, so that all faults are found at once.
        self._refuse_duplicate(name, source, reading, reader, path, qualifier)
        for rule in source.kind.rules:
            self._add(rule(source, reading, self.now), reader, path)
        self._check(name, source, reading, reader, path)
        sound = not reading.faulty and len(report.faults) == before
        return source.kind.model(name=name, **reading.values) if sound else None

    def _refuse_name(self, name: str, reader: Reader, path: Path) -> None:
        if not NAME.fullmatch(name):
            expected = "1 to 128 letters, digits, '.', '_' and '-', a letter or digit first"
            reader.report.fault(path, f"found the name {quoted(name)}, expected {expected}")

    def _refuse_arn(self, reading: Reading, reader: Reader, path: Path) -> None:
        if "event_source_arn" in reading.values:
            try:
                registry.source_of(reading.values["event_source_arn"])
            except ValueError as error:
                reader.report.fault((*path, "event_source_arn"), str(error))

    def _resolve(self, reading: Reading, node: Table, reader: Reader, path: Path) -> str | None:
        """Replace the function's name or ARN by its key under ``functions``; returns the qualifier that was beside it."""
        text = reading.values.get("function_name")
        if text is None:
            return None
        at = (*path, "function_name")
        found = refer(text)
        if found is None:
            reader.report.fault(at, f"found {quoted(text)}, expected the name or the ARN of a function under functions")
            reading.faulty["function_name"] = Faulty()
            return None
        key, qualifier = found
        reading.values["function_name"] = key
        self._refuse_other_arn(key, node, reader, path)
        if self.functions is not None and key not in self.functions:
            reader.report.fault(at, f"{undefined(key, self.functions)} (AWS: Function does not exist)")
        elif (idle := unqualified(key, qualifier)) is not None:
            reader.report.note(at, idle)
        return qualifier

    def _refuse_other_arn(self, key: str, node: Table, reader: Reader, path: Path) -> None:
        if not pasted.is_named(node):
            return
        for spelling in ("FunctionArn", "function_arn"):
            entry = node.entries.get(spelling)
            if entry is None or not isinstance(entry.node, Scalar) or not isinstance(entry.node.value, str):
                continue
            if is_faulty(entry.node):
                continue
            other = refer(entry.node.value)
            if other is None or other[0] != key:
                message = (
                    f"found {spelling} {quoted(entry.node.value)}, expected the same function, or one of the two only"
                )
                reader.report.fault((*path, "function_name"), message, entry.place)

    def _refuse_duplicate(
        self, name: str, source: EventSource, reading: Reading, reader: Reader, path: Path, qualifier: str | None
    ) -> None:
        arn, function = reading.values.get("event_source_arn"), reading.values.get("function_name")
        if arn is None or function is None:
            return
        place, _ = reader.report.locate((*path, "event_source_arn"))
        key = (arn, function, registry.part_of(source.kind, reading.best))
        other = self._taken.setdefault(key, (name, place, qualifier))
        if other[0] == name:
            return
        if (other[2] or LATEST) == (qualifier or LATEST):
            why = f"AWS: {source.kind.words.duplicate.format(source=arn, function=function)}"
        else:
            # What AWS does then is not recorded (docs/lambda 10.13).
            why = "here it is one function, whatever its qualifier; AWS may take one mapping for each qualifier"
        found = f"found the source and the function of the mapping {other[0]} ({other[1]})"
        message = f"{found}, expected one mapping for the two ({why})"
        reader.report.fault((*path, "event_source_arn"), message)

    def _check(self, name: str, source: EventSource, reading: Reading, reader: Reader, path: Path) -> None:
        mapping = _stand_in(name, source, reading)
        for check in self.checks:
            self._add((Finding(*finding) for finding in check(mapping)), reader, path)

    def _add(self, findings: Iterable[Finding], reader: Reader, path: Path) -> None:
        for at, message, is_note in findings:
            if is_note:
                reader.report.note((*path, *at), message)
            else:
                reader.report.fault((*path, *at), message)


def _source(node: Table) -> EventSource | None:
    """The source that the mapping's ARN names, read before anything else; None when the ARN is missing or wrong."""
    option = options_of(MappingModel)["event_source_arn"]
    found, _ = recognise(node, dict.fromkeys(option.names, option.name))
    value = found[0].entry.node if found else None
    if not isinstance(value, Scalar) or not isinstance(value.value, str) or value.problem is not None:
        return None
    try:
        return registry.source_of(value.value)
    except ValueError:
        return None


def _options(source: EventSource | None, node: Table) -> tuple[dict[str, Option], bool]:
    """The options of this source's mappings (of all kinds when it is unknown), and whether the mapping has a function_name.

    With a function_name, FunctionArn is something that AWS reports. Without, it names the function.
    """
    options = registry.all_settings() if source is None else registry.settings_of(source.kind)
    named = pasted.is_named(node)
    if named:
        option = options["function_name"]
        options["function_name"] = replace(option, names=option.names[:2])
    return options, named


def _stand_in(name: str, source: EventSource, reading: Reading) -> MappingModel:
    """A mapping for checks: the real one, or one with what could be read, where some settings are wrong."""
    model = source.kind.model
    values: dict[str, Any] = _substitutes(source) | reading.values
    criteria = reading.faulty.get("filter_criteria")
    if criteria is not None:
        values["filter_criteria"] = _readable(criteria)
    return model.model_construct(name=name, **{k: v for k, v in values.items() if k in model.model_fields})


def _substitutes(source: EventSource) -> dict[str, str | bool]:
    """A value for each setting that a mapping must have, used where the mapping has none."""
    found: dict[str, str | bool] = {}
    for name, option in registry.settings_of(source.kind).items():
        if option.required and isinstance(option.shape, OneOf):
            found[name] = option.shape.values[0]
        elif option.required and isinstance(option.shape, Text):
            found[name] = "unknown"
    return found


def _readable(criteria: Faulty) -> FilterCriteria:
    """The filters that could be read. The others are replaced, so that faults name each filter by its number in the file."""
    filters = getattr(criteria.best, "filters", [])
    placeholder = Filter(pattern=_UNREADABLE_PATTERN)
    kept = [item if isinstance(item, Filter) and hasattr(item, "pattern") else placeholder for item in filters]
    return FilterCriteria.model_construct(filters=kept)
