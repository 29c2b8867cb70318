"""A replica set in memory, as far as readers of change streams can tell it from MongoDB's or Amazon DocumentDB's.

Databases with collections, and one log of what was done to them, which is trimmed from its beginning. Events have the published
form, as BSON. ``memory_changes`` has the change streams. What no emulator shows is here alone: a log position that was deleted
(136), servers without ``postBatchResumeToken`` or ``startAfter``, wire version 7.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import bson
from bson.timestamp import Timestamp

from pollers.aws.errors import Refused, Trimmed
from tests.worlds.call_faults import NoFaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.sources.documentdb.api import OperationTime, ResumeToken
    from tests.worlds.call_faults import Faults

DATABASE = "shop"
COLLECTION = "orders"
EVENT, INVALIDATE, BATCH = "01", "02", "04"
"""What a resume token is of, in its digits. No reader can tell."""


@dataclass(frozen=True, slots=True)
class Server:
    """What readers can tell of a server. ``start_after``: None where the option is known, else the code of its refusal."""

    product: str
    version: str
    wire_version: int
    batch_tokens: bool = True
    start_after: str | None = None
    knows_oldest: bool = True
    lost: str = "286"
    """The code for a place that has left the log."""


MONGODB = Server("MongoDB", "5.0.31", 13)
DOCUMENTDB = Server("DocumentDB", "5.0.0", 13, start_after="40415", lost="136")
OLD_DOCUMENTDB = Server("DocumentDB", "4.0.0", 7, False, "40415", False, "136")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log. ``kind`` is an operation type, or ``noop``. ``members`` are what its event has of its own."""

    time: OperationTime
    kind: str
    database: str = ""
    collection: str = ""
    members: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """What a change stream is of: one collection, or (None) all of a database. ``lookup``: updates get the present document."""

    database: str
    collection: str | None
    lookup: bool = False

    def sees(self, entry: Entry) -> bool:
        """Whether an entry is an event of it."""
        if entry.kind == "noop" or entry.database != self.database:
            return False
        return self.collection is None or entry.collection == self.collection

    def ended_by(self, entry: Entry) -> bool:
        """Whether an invalidate event follows."""
        ends = ("dropDatabase",) if self.collection is None else ("drop", "rename")
        return self.sees(entry) and entry.kind in ends


class MemoryCluster:
    """One cluster. ``clock`` is its wall clock. Every call of every reader goes through ``faults``.

    A place is an even number for the entry of half its index, or the odd number above for the invalidate event that follows it.
    """

    arn = "arn:aws:rds:us-east-1:000000000000:cluster:shop"

    def __init__(self, clock: Callable[[], float], server: Server = MONGODB) -> None:
        self.server = server
        self.faults: Faults = NoFaults()
        self.deleted = False
        self.news = anyio.Event()
        self.term = 1
        """Grows with each failover, and no reader's place on the old primary outlives that."""
        self._clock = clock
        self._log: list[Entry] = []
        self._floor = 0
        self._places: dict[str, tuple[View, int]] = {}
        self._collections: dict[tuple[str, str], dict[Any, dict[str, Any]]] = {}
        self.noop()

    # -- what a test does ------------------------------------------------------------------------------------------------

    def insert(self, document: dict[str, Any], collection: str = COLLECTION, database: str = DATABASE) -> OperationTime:
        """A new document, which has its ``_id``."""
        self._documents(database, collection)[document["_id"]] = document
        members = {"documentKey": {"_id": document["_id"]}, "fullDocument": document}
        return self._write("insert", database, collection, members)

    def update(self, key: object, changed: dict[str, Any], collection: str = COLLECTION) -> OperationTime:
        """Set members of a document."""
        documents = self._documents(DATABASE, collection)
        documents[key] = {**documents[key], **changed}
        description = {"updatedFields": changed, "removedFields": []}
        return self._write(
            "update", DATABASE, collection, {"documentKey": {"_id": key}, "updateDescription": description}
        )

    def replace(self, document: dict[str, Any], collection: str = COLLECTION) -> OperationTime:
        """Another document with the same ``_id``."""
        self._documents(DATABASE, collection)[document["_id"]] = document
        members = {"documentKey": {"_id": document["_id"]}, "fullDocument": document}
        return self._write("replace", DATABASE, collection, members)

    def delete(self, key: object, collection: str = COLLECTION) -> OperationTime:
        """Delete a document."""
        del self._documents(DATABASE, collection)[key]
        return self._write("delete", DATABASE, collection, {"documentKey": {"_id": key}})

    def drop(self, collection: str = COLLECTION, database: str = DATABASE) -> OperationTime:
        """Drop a collection."""
        self._collections.pop((database, collection), None)
        return self._write("drop", database, collection, {})

    def rename(self, collection: str, to: str) -> OperationTime:
        """Give a collection another name."""
        self._collections[DATABASE, to] = self._collections.pop((DATABASE, collection), {})
        return self._write("rename", DATABASE, collection, {"to": {"db": DATABASE, "coll": to}})

    def drop_database(self, database: str = DATABASE) -> OperationTime:
        """Drop its collections, then the database itself."""
        for owner, collection in list(self._collections):
            if owner == database:
                self.drop(collection, database)
        return self._write("dropDatabase", database, "", {})

    def noop(self) -> OperationTime:
        """What a server writes into its log while nothing happens."""
        return self._write("noop", "", "", {})

    def trim(self, keep_seconds: float = 0.0) -> None:
        """What is older leaves the log; 0: everything up to now. Its newest entry stays, as a server always has one."""
        self.noop()
        oldest = self._clock() - keep_seconds
        kept = (index for index, entry in enumerate(self._log) if keep_seconds and entry.time[0] >= oldest)
        self._floor = max(self._floor, min(next(kept, len(self._log)), len(self._log) - 1))

    def trim_to(self, place: int) -> None:
        """What is before the last entry that a reader at this place has seen leaves the log."""
        self._floor = max(self._floor, min((place - 1) // 2, len(self._log) - 1))

    def fail_over(self) -> None:
        """Another node is primary: it knows no cursor of the old one."""
        self.term += 1

    def now(self) -> float:
        """What its clock shows."""
        return self._clock()

    # -- what change streams ask -----------------------------------------------------------------------------------------

    def oldest(self) -> OperationTime:
        """The time of the first entry that is left."""
        return self._log[self._floor].time

    def newest(self) -> OperationTime:
        """The time of the last entry."""
        return self._log[-1].time

    def end(self) -> int:
        """The place behind everything."""
        return 2 * len(self._log)

    def entry_at(self, place: int) -> Entry:
        """The entry of a place. Raises Trimmed for one that has left the log, under a reader."""
        if place // 2 < self._floor:
            raise Trimmed("136", "CollectionScan died due to position in capped collection being deleted")
        return self._log[place // 2]

    def after(self, view: View, token: ResumeToken) -> int:
        """The place behind a resume token. Raises Refused for one of another stream, Trimmed for one that has left the log."""
        of, place = self._places.get(str(token.get("_data")), (None, 0))
        if of is None or (of.database, of.collection) != (view.database, view.collection):
            raise Refused("9", "Invalid resume token")
        if (place - 1) // 2 < self._floor:
            raise Trimmed(self.server.lost, "the resume point may no longer be in the log")
        return place

    def place_of(self, token: ResumeToken) -> int:
        """The place behind a resume token, wherever the log begins."""
        return self._places[token["_data"]][1]

    def above(self, time: OperationTime) -> int:
        """The place behind everything up to a time, wherever the log begins."""
        return 2 * next((index for index, entry in enumerate(self._log) if entry.time > time), len(self._log))

    def at(self, time: OperationTime) -> int:
        """The place of the first entry at a time or behind it. Raises Trimmed for one before the log begins."""
        if time < self.oldest():
            raise Trimmed(self.server.lost, "the resume point may no longer be in the log")
        return 2 * next((index for index, entry in enumerate(self._log) if entry.time >= time), len(self._log))

    def of_invalidate(self, token: ResumeToken) -> bool:
        """Whether ``resumeAfter`` is refused for it."""
        return str(token["_data"])[18:20] == INVALIDATE

    def token(self, view: View, place: int, kind: str = BATCH) -> ResumeToken:
        """The resume token of a place: what is before it has been read. ``kind``: of an event, an INVALIDATE, or a batch."""
        seconds, increment = self._log[(place - 1) // 2].time
        scope = zlib.crc32(f"{view.database}.{view.collection}".encode())
        text = f"01{seconds:08x}{increment:08x}{kind}{scope:08x}"
        self._places[text] = view, place
        return {"_data": text}

    def event_token(self, view: View, place: int) -> ResumeToken:
        """The resume token of the event at a place."""
        return self.token(view, place + 1, INVALIDATE if place % 2 else EVENT)

    def event(self, view: View, place: int) -> bytes | None:
        """The event at a place, if there is one for this stream."""
        entry = self.entry_at(place)
        if not (view.ended_by(entry) if place % 2 else view.sees(entry)):
            return None
        event = {"_id": self.event_token(view, place), "clusterTime": Timestamp(*entry.time)}
        if place % 2:
            return bson.encode({**event, "operationType": "invalidate"})
        namespace = {"db": entry.database, **({"coll": entry.collection} if entry.collection else {})}
        found = {**event, **entry.members, "ns": namespace, "operationType": entry.kind}
        if entry.kind == "update" and view.lookup:
            key = entry.members["documentKey"]["_id"]
            found["fullDocument"] = self._documents(entry.database, entry.collection).get(key)
        return bson.encode(found)

    # -- inside ----------------------------------------------------------------------------------------------------------

    def _documents(self, database: str, collection: str) -> dict[Any, dict[str, Any]]:
        return self._collections.setdefault((database, collection), {})

    def _write(self, kind: str, database: str, collection: str, members: dict[str, Any]) -> OperationTime:
        second, increment = self._log[-1].time if self._log else (0, 0)
        now = int(self._clock())
        time = (now, 1) if now > second else (second, increment + 1)
        self._log.append(Entry(time, kind, database, collection, members))
        self.news.set()
        self.news = anyio.Event()
        return time
