"""A change stream as a stream source, on a cluster in memory: where it is opened, what it reads, how it ends."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import bson
import orjson
import pytest
from bson.timestamp import Timestamp

from pollers.aws.api import StartAt
from pollers.aws.errors import IteratorExpired, Refused, Trimmed, Unavailable
from pollers.checkpoints.store import TRIM_HORIZON
from pollers.sources.documentdb.api import Changes, Opened, Opening, ServerFacts
from pollers.sources.documentdb.events import ChangeReader
from pollers.sources.documentdb.source import IDLE_SECONDS, SHARD_ID, WAIT_SECONDS, DocumentDBSource, Stream
from tests.worlds import virtual_time
from tests.worlds.call_faults import AtOnce, Failing
from tests.worlds.memory_changes import MemoryChanges
from tests.worlds.memory_cluster import DATABASE, DOCUMENTDB, MONGODB, OLD_DOCUMENTDB, MemoryCluster, Server
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pollers.aws.api import Page
    from pollers.sources.documentdb.api import Cursor

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


@pytest.mark.parametrize("server", SERVERS)
def test_what_comes_after_the_tip_is_read(server: Server) -> None:
    """And nothing before it, also after a restart long after; the stream of the question is closed."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading(server)
        reading.cluster.insert({"_id": 1})
        tip = await reading.source.tip(SHARD_ID)
        assert tip is not None
        assert tip.kind == "AFTER_SEQUENCE_NUMBER"
        assert not reading.api.cursors
        reading.cluster.insert({"_id": 2})
        reading.restart()
        page = await reading.page(await reading.source.iterator(SHARD_ID, tip))
        assert [event["fullDocument"] for event in events(reading.source, page)] == [{"_id": 2}]

    trial()


@pytest.mark.parametrize("server", SERVERS)
def test_reading_goes_on_behind_any_event(server: Server) -> None:
    """Each event's position leads to the next one, and to no other."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading(server)
        iterator = await reading.source.iterator(SHARD_ID, LATEST)
        for number in range(5):
            reading.cluster.insert({"_id": number})
        positions = reading.source.sequence_numbers((await reading.page(iterator)).records)
        assert len(set(positions)) == 5
        for number, position in enumerate(positions[:-1]):
            reading.restart()
            page = await reading.page(await reading.source.iterator(SHARD_ID, after(position)))
            assert events(reading.source, page)[0]["documentKey"] == {"_id": number + 1}

    trial()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("collection", "dropped"), [("orders", "drop"), ("orders", "rename"), (None, "dropDatabase")])
def test_an_invalidate_event_is_delivered_and_gone_past(
    server: Server, collection: str | None, dropped: str, restarted: bool
) -> None:
    """Once, whatever the server knows of startAfter; what is written to a collection made anew is read."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading(server, collection)
        iterator = await reading.source.iterator(SHARD_ID, LATEST)
        reading.cluster.insert({"_id": 1})
        match dropped:
            case "drop":
                reading.cluster.drop()
            case "rename":
                reading.cluster.rename("orders", "archive")
            case _:
                reading.cluster.drop_database()
        reading.cluster.insert({"_id": 2})
        page = await reading.page(iterator)
        found = kinds(events(reading.source, page))
        assert found[0] == "insert"
        assert found[-2:] == [dropped, "invalidate"]
        # The reader makes an iterator anew, as after any that has expired.
        with pytest.raises(IteratorExpired):
            await reading.page(page.next_iterator or "")
        if restarted:
            reading.restart()
        last = reading.source.sequence_numbers(page.records)[-1]
        iterator = await reading.source.iterator(SHARD_ID, after(last))
        # The token is exact; the time is for servers that do not take it.
        assert (reading.api.openings[-1].start_after is not None) == (server is MONGODB)
        page = await reading.page(iterator)
        assert [event["documentKey"] for event in events(reading.source, page)] == [{"_id": 2}]
        assert not (await reading.page(iterator)).records

    trial()


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
async def test_what_is_dropped_again_and_again_is_told_each_time() -> None:
    """Also at one second."""
    reading = Reading(DOCUMENTDB)
    tip = await reading.source.tip(SHARD_ID)
    assert tip is not None
    for number in range(3):
        reading.cluster.insert({"_id": number})
        reading.cluster.drop()
    found = await reading.following(tip.sequence_number or "", 9)
    assert kinds(found) == ["insert", "drop", "invalidate"] * 3


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
async def test_the_token_of_an_invalidate_event_alone_opens_the_stream_where_the_server_can() -> None:
    """A server may have given it as an idle place, and an event that has no time has no other."""
    reading = Reading(MONGODB)
    iterator = await reading.source.iterator(SHARD_ID, LATEST)
    reading.cluster.drop()
    page = await reading.page(iterator)
    token = reading.source.sequence_numbers(page.records)[-1].partition("@")[0]
    reading.cluster.insert({"_id": 2})
    assert kinds(await reading.following(token, 1)) == ["insert"]


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


@pytest.mark.parametrize("server", SERVERS)
def test_the_trim_horizon_is_the_beginning_of_the_log(server: Server) -> None:
    """Also where the server does not tell: it is searched for."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading(server)
        reading.cluster.insert({"_id": 1})
        await anyio.sleep(5_000)
        reading.cluster.trim()
        reading.cluster.insert({"_id": 2})
        await anyio.sleep(100)
        reading.cluster.insert({"_id": 3})
        await anyio.sleep(20_000)
        page = await reading.page(await reading.source.iterator(SHARD_ID, TRIM_HORIZON))
        found = [event["documentKey"]["_id"] for event in events(reading.source, page)]
        assert found in ([2, 3], [3])
        assert found == [2, 3] or server.knows_oldest is False
        assert reading.api.cursors == 1

    trial()


@virtual_time.test
async def test_a_log_that_moves_on_at_the_beginning_is_read_from_where_it_begins_then() -> None:
    """Nothing has been read, so nothing is lost that was promised."""
    reading = Reading()
    reading.cluster.insert({"_id": 1})
    await anyio.sleep(10)
    iterator = await reading.source.iterator(SHARD_ID, TRIM_HORIZON)
    reading.cluster.trim()
    with pytest.raises(Trimmed) as trimmed:
        await reading.page(iterator)
    assert await reading.source.history_lost(None, trimmed.value) is None


class StrictLog(MemoryChanges):
    """Of a server that loses all that is older than its retention at once, and looks at its log no sooner than it reads it."""

    kept_seconds = 5.0

    async def oldest(self) -> tuple[int, int]:
        return int(self._cluster.now() - self.kept_seconds), 7

    async def open(self, opening: Opening) -> Opened:
        self.openings.append(opening)
        return Opened(opening, None, None)

    async def next(self, cursor: Cursor, limit: int, wait_seconds: float) -> Changes:
        if (self.openings[-1].at_operation_time or (0, 0))[0] < self._cluster.now() - self.kept_seconds:
            raise Trimmed("136", "gone")
        return Changes([], None)

    async def close_cursor(self, cursor: Cursor) -> None:
        """Nobody counts them."""


@pytest.mark.parametrize("kept_seconds", [5.0, 0.0])
def test_a_beginning_that_is_lost_whenever_it_is_read_is_gone_past(kept_seconds: float) -> None:
    """But no place is tried that is later than now: what is written meanwhile is to be read."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading()
        await anyio.sleep(60.5)
        api = StrictLog(reading.cluster)
        api.kept_seconds = kept_seconds
        api.service_clock.read_arrival(reading.cluster.now(), anyio.current_time())
        source, lost = DocumentDBSource(reading.stream, api), 0
        for _ in range(8):
            iterator = await source.iterator(SHARD_ID, TRIM_HORIZON)
            try:
                await source.records(iterator, 10)
            except Trimmed as error:
                lost += await source.history_lost(None, error) is None
        assert 0 < lost < 8 if kept_seconds else lost == 8
        begun = [opening.at_operation_time for opening in api.openings]
        assert begun[0] == (int(reading.cluster.now() - kept_seconds), 7)
        # A second that is gone past to is read from its first operation on.
        assert set(begun) <= {begun[0], *((begun[0][0] + later, 1) for later in range(1, 6))}
        assert all((opening.at_operation_time or (0, 0))[0] <= reading.cluster.now() for opening in api.openings)

    trial()


@virtual_time.test
async def test_a_beginning_that_could_be_read_is_no_longer_gone_past() -> None:
    """The next one is what the log has then."""
    reading = Reading()
    source = reading.source
    for _ in range(2):
        assert await source.iterator(SHARD_ID, TRIM_HORIZON)
        assert await source.history_lost(None, Trimmed("136", "gone")) is None
    await anyio.sleep(100)
    reading.api.service_clock.read_arrival(reading.cluster.now(), anyio.current_time())
    iterator = await source.iterator(SHARD_ID, TRIM_HORIZON)
    assert reading.api.openings[-1].at_operation_time == (reading.cluster.oldest()[0] + 3, 1)
    await source.records(iterator, 10)
    await source.iterator(SHARD_ID, TRIM_HORIZON)
    assert reading.api.openings[-1].at_operation_time == reading.cluster.oldest()


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


@virtual_time.test
async def test_a_time_is_read_from_its_second_on() -> None:
    """Operation times have no finer part."""
    reading = Reading()
    reading.cluster.insert({"_id": 1})
    await anyio.sleep(10)
    begin = reading.cluster.now()
    reading.cluster.insert({"_id": 2})
    start = StartAt("AT_TIMESTAMP", timestamp=begin + 0.7)
    page = await reading.page(await reading.source.iterator(SHARD_ID, start))
    assert [event["documentKey"] for event in events(reading.source, page)] == [{"_id": 2}]


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


@pytest.mark.parametrize("position", ["shardId-000000000000", "0163eeb6e70000000901", "", "{}"])
def test_a_position_of_something_else_is_refused_with_a_way_out(position: str) -> None:
    """By its form, or by the server, which does not know the token."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading()
        with pytest.raises(Refused, match="headrace checkpoints reset CONFIG changes"):
            await reading.source.iterator(SHARD_ID, after(position))

    trial()


@virtual_time.test
async def test_a_token_of_another_collection_is_refused() -> None:
    """As servers do; the identity keeps the checkpoints apart before that."""
    reading = Reading(collection=None)
    tip = await reading.source.tip(SHARD_ID)
    assert tip is not None
    other = DocumentDBSource(
        Stream("changes", reading.cluster.arn, DATABASE, "orders"), MemoryChanges(reading.cluster, DATABASE, "orders")
    )
    with pytest.raises(Refused, match="does not take the checkpoint's resume token"):
        await other.iterator(SHARD_ID, tip)


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


@pytest.mark.parametrize("moment", [-315_619_200.0, -0.5, 2.0**33])
def test_a_time_that_no_log_has_is_asked_for_as_the_next_that_one_may_have(moment: float) -> None:
    """Servers count seconds from 0 on, in 32 bits: the driver raises for others, which nobody would understand."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading()
        with suppress(Trimmed):
            await reading.source.iterator(SHARD_ID, StartAt("AT_TIMESTAMP", timestamp=moment))
        assert Timestamp(*(reading.api.openings[-1].at_operation_time or ())).time in (0, 2**32 - 1)

    trial()


@virtual_time.test
async def test_behind_the_last_operation_of_a_second_comes_the_next_second() -> None:
    """An increment has 32 bits."""
    reading = Reading(OLD_DOCUMENTDB)
    with suppress(Trimmed):
        await reading.source.iterator(SHARD_ID, after(f"@5.{2**32 - 1}"))
    assert reading.api.openings[-1].at_operation_time == (6, 0)


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


@virtual_time.test
async def test_only_a_servers_own_refusal_is_one_of_the_token() -> None:
    """Whoever is told to forget a checkpoint because a secret is unusable loses events."""
    reading = Reading()
    tip = await reading.source.tip(SHARD_ID)
    assert tip is not None
    reading.cluster.faults = Failing(Refused("UnusableSecret", "it has no password"), "open")
    with pytest.raises(Refused) as refused:
        await reading.source.iterator(SHARD_ID, tip)
    assert "reset" not in str(refused.value)
    assert "it has no password" in str(refused.value)
