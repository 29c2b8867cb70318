"""What pollers rely on in change streams: the same on SecantusDB, through the driver, and on the simulations' in-memory cluster.

Only the in-memory cluster can show what SecantusDB cannot: code 136, a stream that falls behind the log while it is open, servers
without ``postBatchResumeToken`` or ``startAfter``. ``test_change_streams_memory.py`` says how it shows them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio
import bson
import pytest

from pollers.aws.errors import AccessDenied, IteratorExpired, Refused, Trimmed
from pollers.sources.documentdb.api import NOW, Opening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.sources.documentdb.api import Changes, ChangeStreamApi, Cursor, OperationTime, ResumeToken
    from tests.contract.change_services import ClusterService

PAGE = 1_000


class Stream:
    """An open change stream of a test: its events decoded, one reply after another."""

    def __init__(
        self, api: ChangeStreamApi, cursor: Cursor, token: ResumeToken | None, now: OperationTime | None
    ) -> None:
        self.api = api
        self.cursor = cursor
        self.began = token
        self.operation_time = now
        self.last: Changes

    @classmethod
    async def open(cls, api: ChangeStreamApi, opening: Opening = NOW) -> Stream:
        """Open one."""
        opened = await api.open(opening)
        return cls(api, opened.cursor, opened.token, opened.operation_time)

    async def next(self, limit: int = PAGE, wait_seconds: float = 0.1) -> list[dict[str, Any]]:
        """One reply."""
        self.last = await self.api.next(self.cursor, limit, wait_seconds)
        return [bson.decode(event) for event in self.last.events]

    async def read(self, count: int) -> list[dict[str, Any]]:
        """So many events."""
        events: list[dict[str, Any]] = []
        with anyio.fail_after(30):
            while len(events) < count and not (events and self.last.ended):
                events += await self.next()
        assert len(events) == count
        return events


def told(events: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Each event's operation, and the key of its document."""
    return [(event["operationType"], event.get("documentKey", {}).get("_id")) for event in events]


def time_of(event: dict[str, Any]) -> OperationTime:
    """An event's operation time."""
    return event["clusterTime"].time, event["clusterTime"].inc


@pytest.fixture
async def reader(cluster: ClusterService) -> AsyncIterator[ChangeStreamApi]:
    """Of the collection."""
    api = cluster.reader()
    yield api
    await api.aclose()


@pytest.fixture
async def whole(cluster: ClusterService) -> AsyncIterator[ChangeStreamApi]:
    """Of the whole database."""
    api = cluster.reader(None)
    yield api
    await api.aclose()


async def test_events_have_what_their_operation_says(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """The members of each operation, in BSON; servers of later versions add to them."""
    stream = await Stream.open(reader)
    await cluster.insert({"_id": 1, "v": "a"})
    await cluster.update(1, {"v": "b"})
    await cluster.replace({"_id": 1, "v": "c"})
    await cluster.delete(1)
    events = await stream.read(4)
    common = {"_id", "clusterTime", "ns", "operationType", "documentKey"}
    later = {"wallTime"}
    assert [set(event) - common - later for event in events] == [
        {"fullDocument"},
        {"updateDescription"},
        {"fullDocument"},
        set(),
    ]
    assert told(events) == [("insert", 1), ("update", 1), ("replace", 1), ("delete", 1)]
    assert [event.get("fullDocument") for event in events] == [{"_id": 1, "v": "a"}, None, {"_id": 1, "v": "c"}, None]
    assert events[1]["updateDescription"]["updatedFields"] == {"v": "b"}
    assert events[1]["updateDescription"]["removedFields"] == []
    assert all(event["ns"] == {"db": cluster.database, "coll": "orders"} for event in events)
    assert all(isinstance(event["_id"]["_data"], str) for event in events)
    times = [time_of(event) for event in events]
    assert times == sorted(set(times))
    assert stream.last.size_bytes > sum(map(len, stream.last.events))


async def test_a_reply_has_no_more_events_than_asked_for(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """The rest comes with the next one."""
    stream = await Stream.open(reader)
    for number in range(5):
        await cluster.insert({"_id": number})
    assert told(await stream.next(2)) == [("insert", 0), ("insert", 1)]
    assert told(await stream.next(2)) == [("insert", 2), ("insert", 3)]
    assert told(await stream.next(2)) == [("insert", 4)]


async def test_the_server_waits_for_an_event(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """As long as it was told to, and not after one has come."""
    stream = await Stream.open(reader)
    began = time.monotonic()
    assert await stream.next(wait_seconds=0.3) == []
    assert 0.2 <= time.monotonic() - began < 5

    async def later() -> None:
        await anyio.sleep(0.1)
        await cluster.insert({"_id": 1})

    async with anyio.create_task_group() as group:
        group.start_soon(later)
        with anyio.fail_after(15):
            assert told(await stream.next(wait_seconds=30)) == [("insert", 1)]


@pytest.mark.parametrize("whose", ["an event", "a reply"])
async def test_reading_goes_on_behind_a_token(cluster: ClusterService, reader: ChangeStreamApi, whose: str) -> None:
    """An event's, or that of a reply: everything behind it, and nothing else."""
    stream = await Stream.open(reader)
    for number in range(4):
        await cluster.insert({"_id": number})
    events = await stream.next(2)
    token = events[-1]["_id"] if whose == "an event" else stream.last.token
    again = await Stream.open(reader, Opening(resume_after=token))
    assert told(await again.read(2)) == [("insert", 2), ("insert", 3)]
    again = await Stream.open(reader, Opening(start_after=token))
    assert told(await again.read(2)) == [("insert", 2), ("insert", 3)]


async def test_a_stream_that_begins_now_misses_nothing_from_now_on(
    cluster: ClusterService, reader: ChangeStreamApi
) -> None:
    """Whoever opens another one later behind its token, or one increment above its time, has everything since it was opened."""
    await cluster.insert({"_id": "before"})
    stream = await Stream.open(reader)
    await cluster.insert({"_id": "behind"})
    assert stream.began is not None
    assert stream.operation_time is not None
    seconds, increment = stream.operation_time
    for opening in (Opening(resume_after=stream.began), Opening(at_operation_time=(seconds, increment + 1))):
        assert told(await (await Stream.open(reader, opening)).read(1)) == [("insert", "behind")]
    assert told(await stream.read(1)) == [("insert", "behind")]


async def test_an_operation_time_is_inclusive(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """What happened at it comes again; one increment above, it does not."""
    stream = await Stream.open(reader)
    await cluster.insert({"_id": 1})
    await cluster.insert({"_id": 2})
    first, _ = await stream.read(2)
    seconds, increment = time_of(first)
    at = await Stream.open(reader, Opening(at_operation_time=(seconds, increment)))
    assert told(await at.read(2)) == [("insert", 1), ("insert", 2)]
    above = await Stream.open(reader, Opening(at_operation_time=(seconds, increment + 1)))
    assert told(await above.read(1)) == [("insert", 2)]


async def test_a_collection_has_its_own_events_alone(
    cluster: ClusterService, reader: ChangeStreamApi, whole: ChangeStreamApi
) -> None:
    """And the database all of its collections, in one order."""
    own, every = await Stream.open(reader), await Stream.open(whole)
    for number in range(3):
        await cluster.insert({"_id": number})
        await cluster.insert({"_id": number}, "others")
    assert [event["ns"]["coll"] for event in await own.read(3)] == ["orders"] * 3
    assert [event["ns"]["coll"] for event in await every.read(6)] == ["orders", "others"] * 3


async def test_a_token_moves_on_while_others_write(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """An empty reply says how far it has looked."""
    stream = await Stream.open(reader)
    await stream.next()
    before = stream.last.token
    await cluster.insert({"_id": 1}, "others")
    assert await stream.next() == []
    assert stream.last.token is not None
    assert stream.last.token != before
    again = await Stream.open(reader, Opening(resume_after=stream.last.token))
    await cluster.insert({"_id": 2})
    assert told(await again.read(1)) == [("insert", 2)]


@pytest.mark.parametrize("how", ["drop", "rename"])
async def test_a_collections_stream_ends_with_it(cluster: ClusterService, reader: ChangeStreamApi, how: str) -> None:
    """Invalidate is its last event, with the time of what ended it. Only startAfter, and a time above it, go past."""
    stream = await Stream.open(reader)
    await cluster.insert({"_id": 1})
    await (cluster.drop() if how == "drop" else cluster.rename("orders", "old"))
    *_, ending, invalidate = await stream.read(3)
    assert [ending["operationType"], invalidate["operationType"]] == [how, "invalidate"]
    assert stream.last.ended
    assert "ns" not in invalidate
    assert time_of(ending) == time_of(invalidate)
    if how == "rename":
        assert ending["to"] == {"db": cluster.database, "coll": "old"}
    with pytest.raises(Refused) as refused:
        await reader.open(Opening(resume_after=invalidate["_id"]))
    assert refused.value.code == "260"
    seconds, increment = time_of(invalidate)
    beyond = [Opening(start_after=invalidate["_id"]), Opening(at_operation_time=(seconds, increment + 1))]
    streams = [await Stream.open(reader, opening) for opening in beyond]
    await cluster.insert({"_id": 2})
    for again in streams:
        assert told(await again.read(1)) == [("insert", 2)]
    same = await Stream.open(reader, Opening(at_operation_time=(seconds, increment)))
    assert [event["operationType"] for event in await same.read(2)] == [how, "invalidate"]


async def test_a_databases_stream_ends_with_the_database_alone(
    cluster: ClusterService, reader: ChangeStreamApi, whole: ChangeStreamApi
) -> None:
    """To drop and rename collections are ordinary events there."""
    stream = await Stream.open(whole)
    await cluster.insert({"_id": 1})
    await cluster.rename("orders", "old")
    await cluster.insert({"_id": 2})
    await cluster.drop()
    await cluster.insert({"_id": 3}, "others")
    assert [event["operationType"] for event in await stream.read(5)] == [
        "insert",
        "rename",
        "insert",
        "drop",
        "insert",
    ]
    ended = stream.last.ended
    assert not ended
    own = await Stream.open(reader)
    await cluster.insert({"_id": 4})
    await cluster.drop_database()
    events = await stream.read(6)
    kinds = [event["operationType"] for event in events]
    assert kinds == ["insert", "drop", "drop", "drop", "dropDatabase", "invalidate"]
    assert events[-2]["ns"] == {"db": cluster.database}
    assert stream.last.ended
    with pytest.raises(Refused):
        await whole.open(Opening(resume_after=events[-1]["_id"]))
    again = await Stream.open(whole, Opening(start_after=events[-1]["_id"]))
    await cluster.insert({"_id": 5})
    assert told(await again.read(1)) == [("insert", 5)]
    assert [event["operationType"] for event in await own.read(3)] == ["insert", "drop", "invalidate"]


async def test_looked_up_documents_are_of_the_moment_of_reading(cluster: ClusterService) -> None:
    """Newer than the change, and null when the document has been deleted since."""
    api = cluster.reader(lookup=True)
    stream = await Stream.open(api)
    await cluster.insert({"_id": 1, "v": "a"})
    await cluster.insert({"_id": 2, "v": "a"})
    await cluster.update(1, {"v": "b"})
    await cluster.update(1, {"w": "c"})
    await cluster.update(2, {"v": "b"})
    await cluster.delete(2)
    looked_up = [event for event in await stream.read(6) if event["operationType"] == "update"]
    assert [event["fullDocument"] for event in looked_up] == [{"_id": 1, "v": "b", "w": "c"}] * 2 + [None]
    await api.aclose()


async def test_a_place_that_has_left_the_log_is_trimmed(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """Whichever token it is of."""
    stream = await Stream.open(reader)
    await cluster.insert({"_id": 1})
    [event] = await stream.read(1)
    await cluster.trim()
    for token in (event["_id"], stream.began):
        for opening in (Opening(resume_after=token), Opening(start_after=token)):
            with pytest.raises(Trimmed):
                await reader.open(opening)


async def test_the_log_tells_where_it_begins(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """What it still has can be read from there."""
    stream = await Stream.open(reader)
    await cluster.insert({"_id": 1})
    oldest = await reader.oldest()
    assert oldest is not None
    assert stream.operation_time is not None
    assert oldest <= stream.operation_time
    await cluster.trim()
    await cluster.insert({"_id": 2})
    later = await reader.oldest()
    assert later is not None
    assert later > oldest
    again = await Stream.open(reader, Opening(at_operation_time=later))
    assert told(await again.read(1)) == [("insert", 2)]


async def test_what_is_no_token_is_refused(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """And so is one of another collection."""
    other = cluster.reader("others")
    stream = await Stream.open(other)
    await cluster.insert({"_id": 1}, "others")
    [event] = await stream.read(1)
    for token in ({"_data": "00ff"}, event["_id"]):
        with pytest.raises((Refused, AccessDenied)):
            await reader.open(Opening(resume_after=token))
    await other.aclose()


async def test_a_cursor_whose_call_was_cut_short_is_dead(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """The reply may have been on its way: what it had must not be missed. Another one has it."""
    stream = await Stream.open(reader)
    with pytest.raises(TimeoutError), anyio.fail_after(0.1):
        await stream.next(wait_seconds=30)
    await cluster.insert({"_id": 1})
    for _ in range(2):
        with pytest.raises(IteratorExpired):
            await stream.next()
    again = await Stream.open(reader, Opening(resume_after=stream.began))
    assert told(await again.read(1)) == [("insert", 1)]


async def test_a_closed_cursor_is_not_known_any_more(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """Others are not touched."""
    stream, other = await Stream.open(reader), await Stream.open(reader)
    await reader.close_cursor(stream.cursor)
    await reader.close_cursor(stream.cursor)
    with pytest.raises(IteratorExpired):
        await stream.next()
    await cluster.insert({"_id": 1})
    assert told(await other.read(1)) == [("insert", 1)]


async def test_large_events_come_whole(cluster: ClusterService, reader: ChangeStreamApi) -> None:
    """Nothing is cut, whether or not they fit into one reply."""
    stream = await Stream.open(reader)
    for number in range(3):
        await cluster.insert({"_id": number, "v": "x" * 15_000_000})
    events = await stream.read(3)
    assert told(events) == [("insert", number) for number in range(3)]
    assert [len(event["fullDocument"]["v"]) for event in events] == [15_000_000] * 3


async def test_a_server_tells_what_it_is(reader: ChangeStreamApi) -> None:
    """A member of a replica set: without one there are no change streams."""
    facts = await reader.server()
    assert facts.product == "MongoDB"
    assert facts.set_name
    assert facts.wire_version >= 9
    assert int(facts.version.partition(".")[0]) >= 5
