"""What pollers rely on in Kinesis and DynamoDB Streams: the same on emulators and on the simulations' in-memory streams."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.api import StartAt
from pollers.aws.errors import IteratorExpired, NotFound, Unavailable
from tests.contract.stream_services import (
    DYNAMODB,
    FAN_OUT,
    FAN_OUT_END,
    KINESIS,
    MISSING_CONSUMER,
    RESHARD,
    UNREADABLE,
    number_of,
    on,
    value_of,
)

if TYPE_CHECKING:
    from pollers.aws.api import FanOutApi, Page, Wire
    from tests.contract.stream_services import StreamService

BEGINNING = StartAt("TRIM_HORIZON")


async def read(
    stream: StreamService, arn: str, shard_id: str, start: StartAt = BEGINNING, *, count: int = 1
) -> tuple[list[Wire], Page]:
    """Read until ``count`` records have come or the shard has ended; the records and the last page."""
    iterator: str | None = await stream.api.iterator(arn, shard_id, start)
    records: list[Wire] = []
    with anyio.fail_after(60):
        while iterator is not None:
            page = await stream.api.records(arn, iterator, 1000)
            records += page.records
            iterator = page.next_iterator
            if len(records) >= count:
                break
            await anyio.sleep(0.05)
    return records, page


async def to_the_end(stream: StreamService, arn: str, shard_id: str) -> tuple[list[str], Page]:
    """Everything of a closed shard."""
    records, page = await read(stream, arn, shard_id, count=10_000)
    return [value_of(stream.kind, record) for record in records], page


@on()
async def test_a_stream_is_described(stream: StreamService) -> None:
    """Its identity stays while it lives, and another stream has another."""
    arn = await stream.create()
    described = await stream.api.describe(arn)
    assert described.arn == arn
    assert described.status in ("ACTIVE", "ENABLED")
    assert described == await stream.api.describe(arn)


@on()
async def test_a_missing_stream_is_not_found(stream: StreamService) -> None:
    """Whatever is asked of it."""
    arn = await stream.create()
    missing = arn.replace("stream/", "stream/no") if stream.kind == "kinesis" else arn.replace("table/", "table/no")
    with pytest.raises(NotFound):
        await stream.api.describe(missing)
    with pytest.raises(NotFound):
        await stream.api.shards(missing)


@on()
async def test_open_shards_are_listed(stream: StreamService) -> None:
    """With the sequence number that they start at, and no end."""
    count = 3 if stream.kind == "kinesis" else 1
    arn = await stream.create(count)
    listings = await stream.api.shards(arn)
    assert len({listing.shard_id for listing in listings}) == count
    for listing in listings:
        assert listing.parent_ids == ()
        assert listing.started_at == "" or int(listing.started_at) >= 0
        assert listing.ended_at is None


@on()
async def test_records_come_in_the_order_of_writing(stream: StreamService) -> None:
    """Their sequence numbers grow as integers, whatever they look like; the shard stays open."""
    arn = await stream.create()
    written = [f"v{number}" for number in range(12)]
    for value in written:
        await stream.put(arn, "key", value)
    [shard] = await stream.api.shards(arn)
    records, page = await read(stream, arn, shard.shard_id, count=len(written))
    assert [value_of(stream.kind, record) for record in records] == written
    numbers = [int(number_of(stream.kind, record)) for record in records]
    assert numbers == sorted(set(numbers))
    assert page.next_iterator is not None
    assert page.size_bytes > 0
    if stream.kind == "kinesis":
        assert page.behind_seconds == 0


@on(KINESIS)
async def test_kinesis_records_are_as_the_service_sent_them(stream: StreamService) -> None:
    """Base64, a number of seconds with milliseconds, a string."""
    arn = await stream.create()
    before = time.time()
    await stream.put(arn, "the key", "värde")
    [shard] = await stream.api.shards(arn)
    [record], _ = await read(stream, arn, shard.shard_id)
    assert record["Data"] == "dsOkcmRl"
    assert record["PartitionKey"] == "the key"
    assert isinstance(record["SequenceNumber"], str)
    assert before - 2 <= record["ApproximateArrivalTimestamp"] <= time.time() + 2


@on(DYNAMODB)
async def test_dynamodb_records_are_as_the_service_sent_them(stream: StreamService) -> None:
    """Typed attribute values, binary ones in base64, numbers as text."""
    arn = await stream.create()
    await stream.put(arn, "k", "v")
    [shard] = await stream.api.shards(arn)
    [record], _ = await read(stream, arn, shard.shard_id)
    assert record["eventName"] == "INSERT"
    assert record["eventSource"] == "aws:dynamodb"
    change = record["dynamodb"]
    assert isinstance(change["ApproximateCreationDateTime"], int | float)
    assert change["NewImage"]["value"] == {"S": "v"}
    assert "OldImage" not in change
    if "number" in change["NewImage"]:
        assert set(change["NewImage"]["number"]) == {"N"}
        assert change["NewImage"]["bytes"] == {"B": "/w=="}


@on()
async def test_reading_goes_on_after_any_sequence_number(stream: StreamService) -> None:
    """AFTER_SEQUENCE_NUMBER brings just what follows: the way back after a restart."""
    arn = await stream.create()
    for number in range(4):
        await stream.put(arn, "key", f"v{number}")
    [shard] = await stream.api.shards(arn)
    records, _ = await read(stream, arn, shard.shard_id, count=4)
    for done in range(3):
        start = StartAt("AFTER_SEQUENCE_NUMBER", number_of(stream.kind, records[done]))
        rest, _ = await read(stream, arn, shard.shard_id, start, count=3 - done)
        assert rest == records[done + 1 :]


@on()
async def test_the_latest_position_brings_what_is_written_after_it(stream: StreamService) -> None:
    """And nothing from before."""
    arn = await stream.create()
    await stream.put(arn, "key", "old")
    [shard] = await stream.api.shards(arn)
    iterator = await stream.api.iterator(arn, shard.shard_id, StartAt("LATEST"))
    first = await stream.api.records(arn, iterator, 10)
    assert first.records == []
    assert first.next_iterator is not None
    await stream.put(arn, "key", "new")
    records: list[Wire] = []
    with anyio.fail_after(60):
        while not records:
            page = await stream.api.records(arn, first.next_iterator, 10)
            records = page.records
    assert [value_of(stream.kind, record) for record in records] == ["new"]


@on(KINESIS)
async def test_a_position_in_time_brings_what_arrived_from_then_on(stream: StreamService) -> None:
    """AT_TIMESTAMP, with a fraction of a second."""
    arn = await stream.create()
    await stream.put(arn, "key", "before")
    await anyio.sleep(1.2)
    moment = time.time()
    await anyio.sleep(0.2)
    await stream.put(arn, "key", "after")
    [shard] = await stream.api.shards(arn)
    records, _ = await read(stream, arn, shard.shard_id, StartAt("AT_TIMESTAMP", timestamp=moment))
    assert [value_of(stream.kind, record) for record in records] == ["after"]


@on()
async def test_a_page_has_at_most_as_many_records_as_asked_for(stream: StreamService) -> None:
    """And its next iterator goes on where it ends."""
    arn = await stream.create()
    for number in range(5):
        await stream.put(arn, "key", f"v{number}")
    [shard] = await stream.api.shards(arn)
    iterator: str | None = await stream.api.iterator(arn, shard.shard_id, BEGINNING)
    values: list[str] = []
    with anyio.fail_after(60):
        while len(values) < 5:
            assert iterator is not None
            page = await stream.api.records(arn, iterator, 2)
            assert len(page.records) <= 2
            values += [value_of(stream.kind, record) for record in page.records]
            iterator = page.next_iterator
    assert values == [f"v{number}" for number in range(5)]


@on()
async def test_a_missing_shard_is_not_found(stream: StreamService) -> None:
    """One that was never there, or is listed no more."""
    arn = await stream.create()
    with pytest.raises(NotFound):
        await stream.api.iterator(arn, "shardId-000000009999", BEGINNING)


@on(UNREADABLE)
async def test_an_unreadable_iterator_is_made_anew(stream: StreamService) -> None:
    """Where the service says so; kinesis-local says 500."""
    arn = await stream.create()
    with pytest.raises((IteratorExpired, Unavailable)):
        await stream.api.records(arn, "no iterator", 10)


@on(RESHARD)
async def test_a_split_closes_the_parent_and_opens_two_children(stream: StreamService) -> None:
    """The parent is read to its end, which says so; the children name it, and take what comes after."""
    arn = await stream.create()
    await stream.put(arn, "key", "in the parent")
    [parent] = await stream.api.shards(arn)
    await stream.split(arn, parent.shard_id)
    await stream.put(arn, "key", "in a child")
    listings = {listing.shard_id: listing for listing in await stream.api.shards(arn)}
    children = [listing for listing in listings.values() if listing.parent_ids == (parent.shard_id,)]
    assert len(listings) == 3
    assert len(children) == 2
    assert listings[parent.shard_id].ended_at is not None
    values, page = await to_the_end(stream, arn, parent.shard_id)
    assert values == ["in the parent"]
    assert page.next_iterator is None
    assert page.children is None or {child.shard_id for child in page.children} == {
        child.shard_id for child in children
    }
    in_children = [
        value_of(stream.kind, record)
        for child in children
        for record in (
            await stream.api.records(arn, await stream.api.iterator(arn, child.shard_id, BEGINNING), 10)
        ).records
    ]
    assert in_children == ["in a child"]


@on(RESHARD)
async def test_the_end_of_a_closed_shard_is_read_once_more_at_its_last_record(stream: StreamService) -> None:
    """That record comes again, and nothing but the end after it: what bears out that all of the shard was read."""
    arn = await stream.create()
    for value in ("1", "2"):
        await stream.put(arn, "key", value)
    [parent] = await stream.api.shards(arn)
    await stream.split(arn, parent.shard_id)
    records, _ = await read(stream, arn, parent.shard_id, count=10)
    last = number_of(stream.kind, records[-1])
    again, page = await read(
        stream, arn, parent.shard_id, StartAt("AT_SEQUENCE_NUMBER", sequence_number=last), count=10
    )
    assert [number_of(stream.kind, record) for record in again] == [last]
    assert page.next_iterator is None


@on()
async def test_replies_tell_the_services_clock(stream: StreamService) -> None:
    """From its second reply on: never ahead of it, and at most a second or two behind."""
    arn = await stream.create()
    for _ in range(3):
        await stream.api.describe(arn)
    known = stream.api.service_clock.at_least(anyio.current_time())
    assert known is not None
    assert time.time() - 30 < known <= time.time() + 0.1


@on(RESHARD)
async def test_a_merge_gives_a_child_of_both(stream: StreamService) -> None:
    """Both parents end; the child names both."""
    arn = await stream.create(2)
    one, other = [listing.shard_id for listing in await stream.api.shards(arn)]
    await stream.merge(arn, one, other)
    [child] = [listing for listing in await stream.api.shards(arn) if listing.parent_ids]
    assert set(child.parent_ids) == {one, other}
    for parent in (one, other):
        _, page = await to_the_end(stream, arn, parent)
        assert page.next_iterator is None


async def pushed(
    api: FanOutApi, consumer: str, shard_id: str, start: StartAt, count: int
) -> tuple[list[Wire], str | None]:
    """What a subscription pushes, up to ``count`` records or its end; and its last continuation."""
    records: list[Wire] = []
    continuation: str | None = None
    with anyio.fail_after(60):
        async with api.subscribe(consumer, shard_id, start) as events:
            async for event in events:
                records += event.records
                continuation = event.continuation
                if len(records) >= count or continuation is None:
                    break
    return records, continuation


@on(FAN_OUT)
async def test_a_subscription_pushes_records_and_can_be_resumed(stream: StreamService) -> None:
    """From the beginning, and by another consumer from where an event said to go on."""
    arn = await stream.create()
    api: FanOutApi = stream.api  # type: ignore[assignment]
    consumer = await stream.consumer(arn)
    [shard] = await stream.api.shards(arn)
    for number in range(3):
        await stream.put(arn, "key", f"v{number}")
    records, continuation = await pushed(api, consumer, shard.shard_id, BEGINNING, 3)
    assert [value_of(stream.kind, record) for record in records] == ["v0", "v1", "v2"]
    assert continuation is not None
    assert int(continuation) >= int(number_of(stream.kind, records[-1]))
    if type(stream).__name__ == "InMemoryStream":
        return  # it has one consumer, whose next subscription must wait for five seconds
    await stream.put(arn, "key", "v3")
    another = await stream.consumer(arn)
    resumed, _ = await pushed(api, another, shard.shard_id, StartAt("AFTER_SEQUENCE_NUMBER", continuation), 1)
    assert [value_of(stream.kind, record) for record in resumed] == ["v3"]


@on(FAN_OUT_END)
async def test_a_subscription_says_that_its_shard_has_ended(stream: StreamService) -> None:
    """The last event has no continuation, and names the children where the service does."""
    arn = await stream.create()
    api: FanOutApi = stream.api  # type: ignore[assignment]
    consumer = await stream.consumer(arn)
    [shard] = await stream.api.shards(arn)
    await stream.put(arn, "key", "last")
    await stream.split(arn, shard.shard_id)
    records, continuation = await pushed(api, consumer, shard.shard_id, BEGINNING, 2)
    assert [value_of(stream.kind, record) for record in records] == ["last"]
    assert continuation is None


@on(MISSING_CONSUMER)
async def test_a_subscription_of_a_missing_consumer_is_not_found(stream: StreamService) -> None:
    """One that was never registered, or has been taken away."""
    arn = await stream.create()
    api: FanOutApi = stream.api  # type: ignore[assignment]
    [shard] = await stream.api.shards(arn)
    with pytest.raises(NotFound):
        await pushed(api, f"{arn}/consumer/nobody:1700000000", shard.shard_id, BEGINNING, 1)
