"""The faults of a mapping's patterns, found while the configuration is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.faults import Finding
from pollers.filtering.errors import PatternError, PatternPath
from pollers.filtering.records import refuse_for
from pollers.filtering.syntax import Parsed, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from config.models import FilterCriteria
    from pollers.filtering.views import RecordShape


def check_filters(criteria: FilterCriteria, shape: RecordShape) -> Iterable[Finding]:
    """Every fault of a mapping's patterns for records of ``shape``, and notes on what works here but deserves attention.

    Notes: operators that Lambda's own table does not list, keys given twice, members that the source's records do not have.
    """
    for index, filter_ in enumerate(criteria.filters):
        within = ("filter_criteria", "filters", index, "pattern")
        try:
            parsed = parse(filter_.pattern)
            for rule in parsed.rules:
                refuse_for(shape, rule)
        except PatternError as fault:
            yield Finding((*within, *fault.path), fault_message(fault), is_note=False)
        else:
            for path, message in notes_on(parsed, shape):
                yield Finding((*within, *path), message, is_note=True)


def fault_message(fault: PatternError) -> str:
    """Lambda's own words for an invalid pattern (docs/lambda 1.3), and then the reason."""
    return f"Invalid filter pattern definition. {fault.reason}"


def notes_on(parsed: Parsed, shape: RecordShape | None) -> Iterator[tuple[PatternPath, str]]:
    """The notes on one pattern, for records of ``shape``; None for events that are matched directly."""
    for note in parsed.notes:
        yield note.path, note.message
    if shape is None:
        return
    for name in dict.fromkeys(path.partition(".")[0] for rule in parsed.rules for path in rule):
        message = _on_member(name, shape)
        if message is not None:
            yield (name,), message


def _on_member(name: str, shape: RecordShape) -> str | None:
    """The note on a pattern that names a top-level member that counts as absent; None if the member can be present."""
    if name in shape.unseen:
        return shape.unseen[name]
    if name not in shape.members:
        known = ", ".join(sorted(shape.members))
        return f"records of this source have no {name}, it counts as absent: they have {known}"
    return None
