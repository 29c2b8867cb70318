"""What one writes without Headrace: loops over pymongo's ``watch()`` that make the same events and call the handler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bson import json_util
from bson.timestamp import Timestamp
from pymongo import AsyncMongoClient, MongoClient

from benchmarks.metering import Meter
from benchmarks.orders import ARN, COLLECTION, DATABASE, HANDLER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVENTS = 20_000
REPLY_EVENTS = 1_000


class Batches:
    """Events on their way to the handler."""

    def __init__(self, batch_size: int, folder: Path) -> None:
        scope: dict[str, Any] = {"__file__": str(folder / "app.py")}
        exec(HANDLER, scope)  # noqa: S102 - the very handler that Headrace loads
        self._handler, self._batch_size = scope["handler"], batch_size
        self._events: list[dict[str, Any]] = []
        self.meter = Meter(EVENTS)

    def add(self, change: Mapping[str, Any]) -> bool:
        """One change more; whether it is enough."""
        text = json_util.dumps(
            {key: change[key] for key in sorted(change)}, json_options=json_util.RELAXED_JSON_OPTIONS
        )
        self._events.append({"event": json.loads(text)})
        if len(self._events) < self._batch_size:
            return False
        self._handler({"eventSourceArn": ARN, "events": self._events, "eventSource": "aws:docdb"}, None)
        self._events = []
        return self.meter.seen(self._batch_size)


def synchronous(uri: str, began: int, batch_size: int, folder: Path) -> Meter:
    """The cheapest loop."""
    batches, at = Batches(batch_size, folder), Timestamp(began, 1)
    with (
        MongoClient[dict[str, Any]](uri) as client,
        client[DATABASE][COLLECTION].watch(start_at_operation_time=at, batch_size=REPLY_EVENTS) as stream,
    ):
        for change in stream:
            if batches.add(change):
                break
    return batches.meter


async def asynchronous(uri: str, began: int, batch_size: int, folder: Path) -> Meter:
    """The loop of a program that does other things meanwhile, as Headrace does."""
    batches, at = Batches(batch_size, folder), Timestamp(began, 1)
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        collection = client[DATABASE][COLLECTION]
        async with await collection.watch(start_at_operation_time=at, batch_size=REPLY_EVENTS) as stream:
            async for change in stream:
                if batches.add(change):
                    break
    return batches.meter
