"""EventBridge as a destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import parse_arn
from pollers.aws.errors import NotFound
from pollers.aws.wire import replies
from pollers.aws.wire.classify import failure
from pollers.aws.wire.replies import believed, invalid

if TYPE_CHECKING:
    from pollers.aws.api import BusEvent, Calls, Wire


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
        try:
            await self._describe(bus_arn)
        except NotFound:
            # Some emulators find a bus by its name only.
            if (await self._describe(parse_arn(bus_arn).resource.partition("/")[2]))["Arn"] != bus_arn:
                raise

    async def _describe(self, name: str) -> Wire:
        body = await self._calls.call("DescribeEventBus", {"Name": name})
        return believed(body, replies.EVENTS, "DescribeEventBus")


def _confirmed(reply: Wire) -> None:
    """Raises what became of the one entry, unless the service gave it an id."""
    entries = reply["Entries"]
    if len(entries) != 1:
        raise invalid(f"the reply has {len(entries)} entries for one", "PutEvents")
    (entry,) = entries
    if code := entry.get("ErrorCode"):
        raise failure(code, entry.get("ErrorMessage") or "", status=400, operation="PutEvents")
    if reply["FailedEntryCount"] or not entry.get("EventId"):
        raise invalid("the reply does not confirm the entry", "PutEvents")
