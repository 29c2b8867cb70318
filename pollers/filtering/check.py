"""What is wrong with a mapping's patterns, found while the configuration is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.faults import Finding
from pollers.filtering.errors import PatternError, PatternPath
from pollers.filtering.records import refuse_for
from pollers.filtering.sources import KINESIS, NOT_KNOWN_TO_POLLERS, Source, source_of
from pollers.filtering.syntax import Parsed, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from config.models import Mapping


def check_mapping(mapping: Mapping) -> Iterable[Finding]:
    """Every fault of the mapping's patterns, and notes on what works here but deserves the author's attention.

    Notes: operators that Lambda's own table does not list, keys given twice, members that the source's records do not have.
    """
    source = source_of(mapping)
    for index, filter_ in enumerate(mapping.filter_criteria.filters):
        within = ("filter_criteria", "filters", index, "pattern")
        try:
            parsed = parse(filter_.pattern)
            for rule in parsed.rules:
                refuse_for(source, rule)
        except PatternError as fault:
            yield Finding((*within, *fault.path), fault_message(fault), is_note=False)
        else:
            for path, message in notes_on(parsed, source):
                yield Finding((*within, *path), message, is_note=True)


def fault_message(fault: PatternError) -> str:
    """Lambda's own words for an invalid pattern (docs/lambda 1.3), and then the reason."""
    return f"Invalid filter pattern definition. {fault.reason}"


def notes_on(parsed: Parsed, source: Source | None) -> Iterator[tuple[PatternPath, str]]:
    """The notes on one pattern, on records of ``source``."""
    for note in parsed.notes:
        yield note.path, note.message
    if source is None:
        return
    for name in dict.fromkeys(path.partition(".")[0] for rule in parsed.rules for path in rule):
        message = _on_member(name, source)
        if message is not None:
            yield (name,), message


def _on_member(name: str, source: Source) -> str | None:
    """What to say of a pattern that names a member at the top that counts as absent."""
    if name == "kinesis" and source is KINESIS:
        return "in patterns partitionKey and data stand at the top: kinesis counts as absent"
    if name in NOT_KNOWN_TO_POLLERS.get(source.name, ()):
        return f"{name} is not known when records are filtered: it counts as absent"
    if name not in source.members:
        known = ", ".join(sorted(source.members))
        return f"records of this source have no {name}, it counts as absent: they have {known}"
    return None
