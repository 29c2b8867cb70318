"""AWS's list of event source mappings, as ``aws lambda list-event-source-mappings`` prints it, as members of a section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.faults import Fault
from config.text.nodes import Entry, Scalar, Sequence, Table, describe, is_faulty, is_null

if TYPE_CHECKING:
    from config.faults import Report
    from config.text.nodes import Node

LIST, UUID = "EventSourceMappings", "UUID"
TOKENS = ("NextMarker", "NextToken")
"""What a reply has that is not the last page."""
MEMBERS = (LIST, *TOKENS)


def members(file: Table, report: Report) -> Entry | None:
    """The list at the top level of a file, as a mapping of names to mappings; None when there is none.

    Each is called by its UUID: that stays the same whatever else is in the list, and checkpoints are kept by name.
    """
    for token in TOKENS:
        entry = file.entries.get(token)
        if entry is not None and not is_null(entry.node):
            message = (
                "found more pages of the list, expected all mappings in one (`aws` joins them without --max-items)"
            )
            report.faults.append(Fault(*entry.place, token, message))
    given = file.entries.get(LIST)
    if given is None or is_null(given.node):
        return None
    if not isinstance(given.node, Sequence):
        if not is_faulty(given.node):
            message = f"found {describe(given.node)}, expected a list of mappings, as AWS has it"
            report.faults.append(Fault(*given.place, LIST, message))
        return None
    table = Table(given.node.place)
    for number, item in enumerate(given.node.items):
        name = _name(item)
        shown = f"{LIST}[{number}]"
        if name is None:
            message = f"found {describe(item)}, expected a mapping with its {UUID}, as AWS has it"
            report.faults.append(Fault(*item.place, shown, message))
        elif name in table.entries:
            report.faults.append(Fault(*item.place, shown, f"found the {UUID} {name} a second time, expected it once"))
        else:
            table.entries[name] = Entry(item.place, item)
    return Entry(given.place, table)


def misplaced(section: Entry) -> str | None:
    """What is wrong with a section that is AWS's list, or has it for a member, if it does: the list has its own place."""
    where = f"AWS's {LIST}, with braces or without, at the top level of a file, beside functions"
    if isinstance(section.node, Sequence):
        return f"found {describe(section.node)}, expected a mapping of names to event source mappings, or {where}"
    if isinstance(section.node, Table) and LIST in section.node.entries:
        return f"found AWS's list of mappings in event_source_mappings, expected {where}"
    return None


def _name(item: Node) -> str | None:
    entry = item.entries.get(UUID) if isinstance(item, Table) else None
    if entry is None or not isinstance(entry.node, Scalar) or entry.node.problem is not None:
        return None
    return entry.node.value if isinstance(entry.node.value, str) and entry.node.value else None
