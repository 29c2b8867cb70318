"""EventBridge as a destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pollers.aws.wire import replies
from pollers.aws.wire.classify import failure
from pollers.aws.wire.replies import believed, invalid

if TYPE_CHECKING:
    from pollers.aws.api import BusEvent, Calls


class EventsClient:
    """Implements :class:`pollers.aws.api.EventsApi`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def put(self, event: BusEvent) -> None:
        """See :class:`pollers.aws.api.EventsApi`."""
        entry = {
            "EventBusName": event.bus_arn,
            "Source": event.source,
            "DetailType": event.detail_type,
            "Resources": list(event.resources),
            "Detail": event.detail,
        }
        body = await self._calls.call("PutEvents", {"Entries": [entry]})
        _confirmed(believed(body, replies.EVENTS, "PutEvents"))

    async def check_bus(self, bus_arn: str) -> None:
        """See :class:`pollers.aws.api.EventsApi`."""
        body = await self._calls.call("DescribeEventBus", {"Name": bus_arn})
        believed(body, replies.EVENTS, "DescribeEventBus")


def _confirmed(reply: dict[str, Any]) -> None:
    """Raises what became of the one entry, unless the service gave it an id."""
    entries = reply["Entries"]
    if len(entries) != 1:
        raise invalid(f"the reply has {len(entries)} entries for one", "PutEvents")
    (entry,) = entries
    if code := entry.get("ErrorCode"):
        raise failure(code, entry.get("ErrorMessage") or "", status=400, operation="PutEvents")
    if reply["FailedEntryCount"] or not entry.get("EventId"):
        raise invalid("the reply does not confirm the entry", "PutEvents")
