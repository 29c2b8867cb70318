"""The events of a SAM function: mappings and schedules, and what comes from elsewhere (docs/lambda 17.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.nodes import Scalar, Table, describe
from pollers.importing.cloudformation import mappings, schedules

if TYPE_CHECKING:
    from pollers.importing.cloudformation.context import Context
    from pollers.importing.cloudformation.template import Resource

_BY_REQUEST = frozenset({"Api", "HttpApi"})


def read_events(context: Context, resource: Resource) -> None:
    """Add what the events of a function become."""
    entry = resource.properties.entries.get("Events")
    if entry is None or not isinstance(entry.node, Table):
        return
    for event, declared in entry.node.entries.items():
        node = declared.node
        kind = node.entries.get("Type") if isinstance(node, Table) else None
        if not isinstance(node, Table) or kind is None or not isinstance(kind.node, Scalar):
            message = f"left out the event {event}: found {describe(node)}, expected Type and Properties"
            context.note(declared.place, resource.logical_id, message)
            continue
        given = node.entries.get("Properties")
        properties = given.node if given is not None and isinstance(given.node, Table) else Table(declared.place)
        name = kind.node.text
        if name in mappings.SERVICES:
            mappings.read_event(context, resource, event, name, properties, declared.place)
        elif name in ("Schedule", "ScheduleV2"):
            schedules.read_event(context, resource, event, name, properties, declared.place)
        else:
            how = (
                "call it by its URL or Lambda's API"
                if name in _BY_REQUEST
                else "let the service send to a queue, or call Lambda's API"
            )
            message = f"left out the event {event}: {name} is no source that Headrace reads; {how}"
            context.note(declared.place, resource.logical_id, message)
