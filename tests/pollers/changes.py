"""A change stream of a cluster, in the universal suite: MongoDB's, and what is different with Amazon DocumentDB's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from unittest import mock

import bson

from config.models import DocumentDBMapping
from pollers.sources.documentdb import making
from pollers.sources.documentdb.tokens import parse
from tests.pollers.streams import STREAM, StreamWorld
from tests.pollers.world import Features, Given
from tests.worlds.memory_changes import MemoryChanges
from tests.worlds.memory_cluster import COLLECTION, DATABASE, DOCUMENTDB, MONGODB, MemoryCluster, Server, View
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from config.models import Mapping
    from pollers.aws.api import Aws
    from pollers.engine.poller import Poller, Surroundings


class ChangeStream(StreamWorld):
    """The change stream of a collection of MongoDB. Between its events there are others of the log."""

    name: ClassVar[str] = "documentdb"
    kind: ClassVar[str] = "documentdb"
    features: ClassVar[Features] = replace(
        STREAM, resharding=False, apart=None, tumbling_windows=False, sharded=False, filters=False
    )
    needed: ClassVar[tuple[str, ...]] = ("server", "open", "next")
    server: ClassVar[Server] = MONGODB
    collection: ClassVar[str | None] = COLLECTION

    def __init__(self, server: Server | None = None) -> None:
        self.cluster = MemoryCluster(VirtualClock().time, server or self.server)
        self.view = View(DATABASE, self.collection)
        self.readers: list[MemoryChanges] = []
        self._puts: list[tuple[int, str]] = []
        self._keys: dict[str, str] = {}
        super().__init__(self.cluster, DocumentDBMapping)

    def put(self, value: str, key: str = "k") -> None:
        """See ``World.put``."""
        place = self.cluster.end()
        self.cluster.insert({"_id": place, "key": key, "value": value})
        self._register(place, value, key)
        self.cluster.noop()

    def done(self, do: Callable[[], object]) -> list[str]:
        """Do something to the cluster; a value for each event that is to come of it, all with the key ``k``."""
        first = self.cluster.end()
        do()
        values: list[str] = []
        for place in range(first, self.cluster.end()):
            event = self.cluster.event(self.view, place)
            if event is not None:
                values.append(f"{bson.decode(event)['operationType']} {place}")
                self._register(place, values[-1], "k")
        return values

    def _register(self, place: int, value: str, key: str) -> None:
        token = str(self.cluster.event_token(self.view, place)["_data"])
        self._left.add(value)
        self._puts.append((place, value))
        self._values[token], self._keys[token] = value, key

    def mapping(self, **settings: Any) -> DocumentDBMapping:  # noqa: ANN401 - a mapping's settings as in its file
        """See ``World.mapping``."""
        collection = {} if self.collection is None else {"collection_name": self.collection}
        watched = {"document_db_event_source_config": {"database_name": DATABASE, **collection}}
        mapping = super().mapping(**{**watched, **settings})
        assert isinstance(mapping, DocumentDBMapping)
        return mapping

    async def make_poller(self, mapping: Mapping, surroundings: Surroundings) -> Poller:
        """See ``World.make_poller``. All is as in production but the client, which speaks to the cluster in memory."""
        with mock.patch.object(making, "change_stream", self._reader):
            return await super().make_poller(mapping, surroundings)

    async def _reader(self, mapping: DocumentDBMapping, aws: Aws) -> MemoryChanges:
        self.readers.append(MemoryChanges(self.cluster, DATABASE, self.collection))
        return self.readers[-1]

    def filter_criteria(self) -> dict[str, Any]:
        """See ``World.filter_criteria``: there are none."""
        raise NotImplementedError("change streams have no filters")

    def given(self, event: dict[str, Any]) -> list[Given]:
        """See ``World.given``."""
        assert (event["eventSourceArn"], event["eventSource"]) == (self.cluster.arn, "aws:docdb")
        tokens = [one["event"]["_id"]["_data"] for one in event["events"]]
        return [Given(token, self._keys[token], self._values[token]) for token in tokens]

    def value_of(self, source: str, event_id: str) -> str:
        """See ``World.value_of``. The position of an invalidate event has its operation time, too."""
        return self._values[event_id.partition("@")[0]]

    def _covered(self, shard_id: str, position: str | None, *, ended: bool) -> Iterable[str]:
        assert not ended, "a change stream has no end"
        if position is None:
            return []
        upto = self.upto(position)
        return [value for place, value in self._puts if place < upto]

    @property
    def safe(self) -> int:
        """The place of the last checkpoint: what is before it will not be read again."""
        kept = [one.sequence_number for one in self.saved if one.sequence_number is not None]
        return self.upto(kept[-1]) if kept else 0

    def upto(self, position: str) -> int:
        """The place in the log that a checkpoint's position is of."""
        place = parse(position)
        if place.token is not None:
            return self.cluster.place_of(place.token)
        assert place.time is not None
        return self.cluster.above(place.time)


class DocumentDBStream(ChangeStream):
    """Of a whole database of Amazon DocumentDB 5.0, which does not know ``startAfter``."""

    name: ClassVar[str] = "documentdb-database"
    server: ClassVar[Server] = DOCUMENTDB
    collection: ClassVar[str | None] = None
