"""The clusters that contract tests of change streams run on: the simulations' in-memory one, and SecantusDB through the driver."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from tests.worlds.memory_changes import MemoryChanges
from tests.worlds.memory_cluster import MemoryCluster

if TYPE_CHECKING:
    from pollers.sources.documentdb.api import ChangeStreamApi


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
