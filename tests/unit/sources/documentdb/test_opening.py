"""Where a change stream is opened: at its end, at a place, behind an invalidate event, at a time."""

from __future__ import annotations

from contextlib import suppress

import anyio
import anyio.lowlevel
import pytest
from bson.timestamp import Timestamp

from pollers.aws.api import StartAt
from pollers.aws.errors import IteratorExpired, Refused, Trimmed
from pollers.sources.documentdb.source import SHARD_ID, DocumentDBSource, Stream
from tests.unit.sources.documentdb.reading import LATEST, SERVERS, Reading, after, events, kinds
from tests.worlds import virtual_time
from tests.worlds.call_faults import Failing
from tests.worlds.memory_changes import MemoryChanges
from tests.worlds.memory_cluster import DATABASE, DOCUMENTDB, MONGODB, OLD_DOCUMENTDB, Server


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
