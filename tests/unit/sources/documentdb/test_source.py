"""A change stream as a stream source, on a cluster in memory: what it reads, what it tells, how it ends."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import bson
import pytest

from pollers.aws.api import StartAt
from pollers.aws.errors import IteratorExpired, Refused, Trimmed, Unavailable
from pollers.sources.documentdb.api import Changes, ServerFacts
from pollers.sources.documentdb.events import ChangeReader
from pollers.sources.documentdb.source import IDLE_SECONDS, SHARD_ID, WAIT_SECONDS, DocumentDBSource, Stream
from tests.unit.sources.documentdb.reading import LATEST, Reading, after, events, kinds
from tests.worlds import virtual_time
from tests.worlds.call_faults import AtOnce, Failing
from tests.worlds.memory_changes import MemoryChanges
from tests.worlds.memory_cluster import DOCUMENTDB, MONGODB, OLD_DOCUMENTDB, Server

if TYPE_CHECKING:
    from pollers.sources.documentdb.api import Cursor


def test_an_event_has_the_published_members_around_it() -> None:
    """In the published order (docs/lambda 5.5)."""
    source = DocumentDBSource(Stream("changes", "arn:c", "d", None), None)  # type: ignore[arg-type]
    assert source.envelope.head == b'{"eventSourceArn":"arn:c","events":['
    assert source.envelope.tail == b'],"eventSource":"aws:docdb"}'


def test_each_stream_has_checkpoints_of_its_own() -> None:
    """A token of one must never reach another; full_document is none of it."""
    streams = [("c", "d", None), ("c", "d", "e"), ("c", "de", None), ("c", "d", "e/f"), ("x", "d", None)]
    assert len({Stream("m", *stream).identity for stream in streams}) == len(streams)
    assert Stream("one", "c", "d", "e").identity == Stream("two", "c", "d", "e").identity


@virtual_time.test
async def test_a_server_without_a_replica_set_is_refused() -> None:
    """It has no change streams."""

    class Alone(MemoryChanges):
        async def server(self) -> ServerFacts:
            return ServerFacts("8.0", 25, None, "MongoDB")

    reading = Reading()
    with pytest.raises(Refused, match="replica set"):
        await DocumentDBSource(reading.stream, Alone(reading.cluster)).describe()
    assert (await reading.source.describe()).identity == reading.stream.identity


@virtual_time.test
async def test_a_collections_drop_does_not_end_the_stream_of_its_database() -> None:
    """It is one event among others (docs/lambda 4.12)."""
    reading = Reading(collection=None)
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    reading.cluster.insert({"_id": 1})
    reading.cluster.drop()
    reading.cluster.insert({"_id": 2}, "others")
    assert kinds(events(reading.source, await reading.page(iterator))) == ["insert", "drop", "insert"]
    assert not (await reading.page(iterator)).records


@virtual_time.test
async def test_a_failed_call_uses_its_iterator_up() -> None:
    """What the server had sent would be missing."""
    reading = Reading()
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    reading.cluster.insert({"_id": 1})
    reading.cluster.faults = Failing(Unavailable("89", "cut"), "next", times=1, lost=True)
    with pytest.raises(Unavailable):
        await reading.page(iterator)
    with pytest.raises(IteratorExpired):
        await reading.page(iterator)


@virtual_time.test
async def test_a_call_that_was_cut_short_uses_its_iterator_up() -> None:
    """As a failed one does; and the server is told when the stream is opened anew."""
    reading = Reading()
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    with anyio.move_on_after(WAIT_SECONDS / 2):
        await reading.page(iterator)
    with pytest.raises(IteratorExpired):
        await reading.page(iterator)
    await reading.source.iterator(SHARD_ID, LATEST)
    assert reading.api.cursors == 1
    with pytest.raises(IteratorExpired):
        await reading.page(iterator)
    await reading.source.aclose()
    assert reading.api.closed


@virtual_time.test
async def test_an_idle_stream_tells_its_place_now_and_then() -> None:
    """At once, then twice a minute; from there it can be read on."""
    reading = Reading()
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    told: dict[float, str] = {}
    for _ in range(65):
        reading.cluster.noop()
        page = await reading.page(iterator)
        assert page.behind_seconds == 0.0
        if page.continuation is not None:
            told[anyio.current_time()] = page.continuation
    times = list(told)
    assert len(times) == 3
    assert all(later - sooner >= IDLE_SECONDS for sooner, later in pairwise(times))
    reading.cluster.insert({"_id": 1})
    found = await reading.following(told[times[-1]], 1)
    assert kinds(found) == ["insert"]


@virtual_time.test
async def test_an_idle_stream_behind_an_invalidate_event_does_not_tell_that_events_token() -> None:
    """Alone it opens no stream. The place is told as soon as it is another."""
    reading = Reading(MONGODB)
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    reading.cluster.drop()
    page = await reading.page(iterator)
    position = reading.source.sequence_numbers(page.records)[-1]
    iterator = await reading.source.iterator(SHARD_ID, after(position))
    for _ in range(100):
        assert (await reading.page(iterator)).continuation is None
    reading.cluster.insert({"_id": 1}, "others")
    continuation = (await reading.page(iterator)).continuation
    assert continuation is not None
    reading.cluster.insert({"_id": 2})
    assert kinds(await reading.following(continuation, 1)) == ["insert"]


@virtual_time.test
async def test_a_page_with_events_has_no_other_place() -> None:
    """Its last event is the place, and only quiet counts as idle."""
    reading = Reading()
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    reading.cluster.insert({"_id": 1})
    page = await reading.page(iterator)
    assert page.continuation is None
    assert (page.behind_seconds or 0) > 0
    assert (await reading.page(iterator)).continuation is None


@virtual_time.test
async def test_a_server_without_batch_tokens_tells_no_idle_place() -> None:
    """There is nothing to tell."""
    reading = Reading(OLD_DOCUMENTDB)
    page = await reading.page(await reading.source.iterator(SHARD_ID, LATEST))
    assert page.continuation is None


@virtual_time.test
async def test_events_arrive_when_they_happened() -> None:
    """By the cluster's time in them, from which ages are counted; those that have none arrive now."""
    reading = Reading()
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    await anyio.sleep(10)
    happened = float(reading.cluster.insert({"_id": 1})[0])
    await anyio.sleep(50)
    records = list((await reading.page(iterator)).records)
    timeless: Any = ChangeReader().read(bson.encode({"_id": {"_data": "01"}, "operationType": "insert"}))
    assert reading.source.arrivals([*records, timeless], 7.5) == [happened, 7.5]


@pytest.mark.parametrize("server", [MONGODB, DOCUMENTDB])
def test_lost_history_stops_the_mapping_with_the_gap(server: Server) -> None:
    """Which stream, from when to when as far as that is known, and how to go on."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading(server)
        iterator = await reading.source.iterator(SHARD_ID, LATEST)
        reading.cluster.insert({"_id": 1})
        position = reading.source.sequence_numbers((await reading.page(iterator)).records)[-1]
        await anyio.sleep(3_600)
        reading.cluster.trim()
        reading.restart()
        with pytest.raises(Trimmed) as trimmed:
            await reading.source.iterator(SHARD_ID, after(position))
        text = await reading.source.history_lost(position, trimmed.value)
        assert text is not None
        assert "the change stream of shop.orders has lost events: those from 2023-11-14 22:13:20 UTC" in text
        assert ("to 2023-11-14 23:13:20 UTC" in text) == server.knows_oldest
        assert server.lost in text
        assert "headrace checkpoints reset CONFIG changes" in text

    trial()


@virtual_time.test
async def test_a_starting_time_before_the_log_stops_the_mapping() -> None:
    """What was asked for is not there, and the answer says where the log begins."""
    reading = Reading()
    with pytest.raises(Trimmed) as trimmed:
        await reading.source.iterator(SHARD_ID, StartAt("AT_TIMESTAMP", timestamp=1.0))
    text = await reading.source.history_lost(None, trimmed.value)
    assert text is not None
    assert "cannot begin at the mapping's starting position: the cluster's log begins at 2023-11-14" in text


@virtual_time.test
async def test_a_loss_is_told_though_the_server_does_not_answer() -> None:
    """Without the time at which the log begins."""
    reading = Reading()
    reading.cluster.faults = Failing(Unavailable("89", "cut"), "oldest")
    text = await reading.source.history_lost("00ff", Trimmed("286", "gone"))
    assert text is not None
    assert "those after position 00ff on" in text


@virtual_time.test
async def test_a_reply_that_is_no_event_is_asked_for_again() -> None:
    """Without its token nobody knows how far the stream was read: the call counts as failed."""

    class Broken(MemoryChanges):
        async def next(self, cursor: Cursor, limit: int, wait_seconds: float) -> Changes:
            return Changes([b"no event"], None)

    reading = Reading()
    source = DocumentDBSource(reading.stream, Broken(reading.cluster))
    iterator = await source.iterator(SHARD_ID, LATEST)
    with pytest.raises(Unavailable, match="cannot be read"):
        await source.records(iterator, 10)
    with pytest.raises(IteratorExpired):
        await source.records(iterator, 10)


@virtual_time.test
async def test_others_get_their_turn_while_a_large_page_is_read() -> None:
    """A few milliseconds each."""
    reading = Reading()
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    for number in range(2_000):
        reading.cluster.insert({"_id": number})
    reading.cluster.faults = AtOnce()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        page = await reading.page(iterator, 2_000)
        tasks.cancel_scope.cancel()
    assert len(page.records) == 2_000
    assert turns >= 7


@virtual_time.test
async def test_a_stream_that_a_server_ends_without_an_event_counts_as_a_failed_call() -> None:
    """Else it would be opened again and again without a pause."""

    class Ending(MemoryChanges):
        async def next(self, cursor: Cursor, limit: int, wait_seconds: float) -> Changes:
            return Changes([], None, ended=True)

    reading = Reading()
    source = DocumentDBSource(reading.stream, Ending(reading.cluster))
    iterator = await source.iterator(SHARD_ID, LATEST)
    with pytest.raises(IteratorExpired, match="ended"):
        await source.records(iterator, 10)
