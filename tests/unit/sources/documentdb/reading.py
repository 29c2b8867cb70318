"""A change stream on a cluster in memory, read as the engine reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pollers.aws.api import StartAt
from pollers.sources.documentdb.source import SHARD_ID, DocumentDBSource, Stream
from tests.worlds.memory_changes import MemoryChanges
from tests.worlds.memory_cluster import DATABASE, DOCUMENTDB, MONGODB, OLD_DOCUMENTDB, MemoryCluster, Server
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pollers.aws.api import Page

LATEST = StartAt("LATEST")
SERVERS = [MONGODB, DOCUMENTDB, OLD_DOCUMENTDB]


class Reading:
    """A source on a cluster, as the engine uses it: page after page, anew behind the last position after a failure."""

    def __init__(self, server: Server = MONGODB, collection: str | None = "orders") -> None:
        self.cluster = MemoryCluster(VirtualClock().time, server)
        self.stream = Stream("changes", self.cluster.arn, DATABASE, collection)
        self.restart()

    def restart(self) -> None:
        """As after a crash: nothing is known but positions."""
        self.api = MemoryChanges(self.cluster, DATABASE, self.stream.collection)
        self.source = DocumentDBSource(self.stream, self.api)

    async def page(self, iterator: str, limit: int = 100) -> Page:
        """The next page."""
        return await self.source.records(iterator, limit)

    async def following(self, position: str, count: int) -> list[dict[str, Any]]:
        """So many events behind a position, over streams that end."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            iterator = await self.source.iterator(SHARD_ID, after(position))
            page = await self.page(iterator)
            found += events(self.source, page)
            position = self.source.sequence_numbers(page.records)[-1]
        return found


def after(position: str) -> StartAt:
    """Behind a position."""
    return StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=position)


def events(source: DocumentDBSource, page: Page) -> list[dict[str, Any]]:
    """The change events of a page."""
    return [orjson.loads(event)["event"] for event in source.encoder(SHARD_ID)(page.records)]


def kinds(found: list[dict[str, Any]]) -> list[str]:
    """What they are of."""
    return [event["operationType"] for event in found]
