"""The clusters that contract tests of change streams run on: the simulations' in-memory one, and SecantusDB through the driver."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from config import parse_arn
from pollers.sources.documentdb.client import ChangeStreamClient, Namespace
from pollers.sources.documentdb.connecting import Access, Connector
from tests.emulators import unique
from tests.worlds.memory_changes import MemoryChanges
from tests.worlds.memory_cluster import MemoryCluster

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

    from pollers.emulators import Emulator
    from pollers.sources.documentdb.api import ChangeStreamApi

LOG_ENTRIES = 500
"""What the emulator's log keeps, at least: few, so that tests can see the end of them."""


class ClusterService(Protocol):
    """A cluster under test: what tests do to it, and readers of its change streams."""

    database: str
    """No other test's."""

    def reader(self, collection: str | None = "orders", *, lookup: bool = False) -> ChangeStreamApi:
        """A reader of one collection, or of the database. ``lookup``: updates come with the present document."""

    async def insert(self, document: dict[str, Any], collection: str = "orders") -> None:
        """Insert a document."""

    async def update(self, key: object, changed: dict[str, Any], collection: str = "orders") -> None:
        """Set members of a document."""

    async def replace(self, document: dict[str, Any], collection: str = "orders") -> None:
        """Replace the document of the same ``_id``."""

    async def delete(self, key: object, collection: str = "orders") -> None:
        """Delete a document."""

    async def drop(self, collection: str = "orders") -> None:
        """Drop a collection."""

    async def rename(self, collection: str, to: str) -> None:
        """Rename a collection."""

    async def drop_database(self) -> None:
        """Drop the database."""

    async def trim(self) -> None:
        """Let everything so far leave the log."""


class InMemoryCluster:
    """The cluster that the simulations run on."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(time.time)
        self.database = "shop"

    def reader(self, collection: str | None = "orders", *, lookup: bool = False) -> ChangeStreamApi:
        """See ``ClusterService.reader``."""
        return MemoryChanges(self.cluster, self.database, collection, lookup=lookup)

    async def insert(self, document: dict[str, Any], collection: str = "orders") -> None:
        """See ``ClusterService.insert``."""
        self.cluster.insert(document, collection)

    async def update(self, key: object, changed: dict[str, Any], collection: str = "orders") -> None:
        """See ``ClusterService.update``."""
        self.cluster.update(key, changed, collection)

    async def replace(self, document: dict[str, Any], collection: str = "orders") -> None:
        """See ``ClusterService.replace``."""
        self.cluster.replace(document, collection)

    async def delete(self, key: object, collection: str = "orders") -> None:
        """See ``ClusterService.delete``."""
        self.cluster.delete(key, collection)

    async def drop(self, collection: str = "orders") -> None:
        """See ``ClusterService.drop``."""
        self.cluster.drop(collection)

    async def rename(self, collection: str, to: str) -> None:
        """See ``ClusterService.rename``."""
        self.cluster.rename(collection, to)

    async def drop_database(self) -> None:
        """See ``ClusterService.drop_database``."""
        self.cluster.drop_database()

    async def trim(self) -> None:
        """See ``ClusterService.trim``."""
        self.cluster.trim()


class EmulatedCluster:
    """SecantusDB with a short log, read through the driver."""

    def __init__(self, emulator: Emulator, writer: AsyncMongoClient[dict[str, Any]]) -> None:
        self.database = unique("shop")
        self._emulator = emulator
        self._writer = writer
        self._own = writer[self.database]

    def reader(self, collection: str | None = "orders", *, lookup: bool = False) -> ChangeStreamApi:
        """See ``ClusterService.reader``."""
        arn = parse_arn(MemoryCluster.arn)
        access = Access(arn=arn, secret_arn=None, connection_uri=f"mongodb://127.0.0.1:{self._emulator.port}/")
        namespace = Namespace(self.database, collection, "UpdateLookup" if lookup else "Default")
        return ChangeStreamClient(namespace, Connector(access, None, None, {}))

    async def insert(self, document: dict[str, Any], collection: str = "orders") -> None:
        """See ``ClusterService.insert``."""
        await self._own[collection].insert_one(document)

    async def update(self, key: object, changed: dict[str, Any], collection: str = "orders") -> None:
        """See ``ClusterService.update``."""
        await self._own[collection].update_one({"_id": key}, {"$set": changed})

    async def replace(self, document: dict[str, Any], collection: str = "orders") -> None:
        """See ``ClusterService.replace``."""
        await self._own[collection].replace_one({"_id": document["_id"]}, document)

    async def delete(self, key: object, collection: str = "orders") -> None:
        """See ``ClusterService.delete``."""
        await self._own[collection].delete_one({"_id": key})

    async def drop(self, collection: str = "orders") -> None:
        """See ``ClusterService.drop``."""
        await self._own.drop_collection(collection)

    async def rename(self, collection: str, to: str) -> None:
        """See ``ClusterService.rename``."""
        await self._own[collection].rename(to)

    async def drop_database(self) -> None:
        """See ``ClusterService.drop_database``."""
        await self._writer.drop_database(self.database)

    async def trim(self) -> None:
        """See ``ClusterService.trim``: so much else is written that the log does not hold what there is."""
        newest = (await self._writer.admin.command("hello"))["operationTime"]
        while (await self._oldest())["ts"] <= newest:
            await self._writer["filler"]["documents"].insert_many([{} for _ in range(LOG_ENTRIES)])

    async def _oldest(self) -> dict[str, Any]:
        found = await self._writer["local"]["oplog.rs"].find_one(sort=[("$natural", 1)])
        assert found is not None
        return found
