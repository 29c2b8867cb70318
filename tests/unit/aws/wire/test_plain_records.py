"""Kinesis pages of plain records: the same answers as from records decoded whole, and never a page that is not plain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pollers.aws.services.kinesis import KinesisClient
from pollers.aws.wire.plain_records import PlainRecord, plain_page
from pollers.sources.kinesis.source import KinesisSource

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"
NUMBER = "49590338271490256608559692538361571095921575989136588898"


def record(**changed: object) -> dict[str, Any]:
    """A record as GetRecords sends it."""
    return {
        "SequenceNumber": NUMBER,
        "ApproximateArrivalTimestamp": 1545084650.987,
        "Data": "SGVsbG8=",
        "PartitionKey": "1",
        "EncryptionType": "KMS",
        **changed,
    }


def without(member: str) -> dict[str, Any]:
    """A record that lacks a member."""
    return {name: value for name, value in record().items() if name != member}


class Replies:
    """Calls that are answered with one reply."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        """See :class:`pollers.aws.api.Calls`."""
        return self.body


def sources(body: bytes) -> tuple[KinesisSource, KinesisSource]:
    """One that wants records whole and one that does not."""
    client = KinesisClient(Replies(body), None)  # type: ignore[arg-type] # nothing is sent through the SDK
    return KinesisSource(STREAM, client), KinesisSource(STREAM, client, records_needed=False)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "SequenceNumber": st.integers(0, 10**128).map(str),
                "ApproximateArrivalTimestamp": st.floats(0, 1e11) | st.integers(0, 2**64 - 1),
                "Data": st.sampled_from(["", "aGk=", "/+8="]),
                "PartitionKey": st.text(min_size=1),
            }
        ),
        max_size=4,
    )
)
async def test_a_page_has_the_same_columns_and_events_either_way(records: list[dict[str, Any]]) -> None:
    """Byte for byte, whatever characters the keys have."""
    body = json.dumps({"Records": records, "NextShardIterator": "2"}, ensure_ascii=False).encode()
    whole, plain = sources(body)
    page, sliced = await whole.records("1", 10), await plain.records("1", 10)
    assert len(sliced.records) == len(records)
    assert plain.encoder("shard")(sliced.records) == whole.encoder("shard")(page.records)
    assert plain.sequence_numbers(sliced.records) == whole.sequence_numbers(page.records)
    assert plain.arrivals(sliced.records, 9.0) == whole.arrivals(page.records, 9.0)
    assert plain.keys(sliced.records) == whole.keys(page.records)


async def test_an_arrival_time_over_64_bits_stays_exact() -> None:
    """The decoder of everything makes it a float; here it goes into the event as it came, and its neighbour is not touched."""
    _, plain = sources(orjson.dumps({"Records": [record()]}).replace(b"1545084650.987", b"18446744073709551616"))
    page = await plain.records("1", 10)
    page.records.append(PlainRecord(NUMBER, "2", "", 1.5))  # type: ignore[arg-type] # records of this page are of that type
    times = [json.loads(event)["kinesis"]["approximateArrivalTimestamp"] for event in plain.encoder("s")(page.records)]
    assert times == [2**64, 1.5]


async def test_an_empty_partition_key_is_spread_by_its_sequence_number() -> None:
    """It has no order to keep, and its neighbours keep their lanes."""
    _, plain = sources(orjson.dumps({"Records": [record(PartitionKey=""), record()]}))
    page = await plain.records("1", 10)
    assert plain.keys(page.records) == [NUMBER.encode(), b"1"]


@given(st.text())
def test_text_is_only_taken_for_plain_when_it_stands_in_json_as_it_is(key: str) -> None:
    """What had to be escaped in the reply has to be in the event."""
    body = orjson.dumps({"Records": [record(PartitionKey=key)]})
    assume(plain_page(body) is not None)
    assert orjson.dumps(key) == b'"%b"' % key.encode()


@pytest.mark.parametrize(
    "odd",
    [
        record(PartitionKey='quoted "key"'),
        record(PartitionKey="control\n"),
        record(PartitionKey=None),
        without("PartitionKey"),
        without("ApproximateArrivalTimestamp"),
    ],
)
async def test_a_page_with_an_odd_record_is_decoded_whole(odd: dict[str, Any]) -> None:
    """Escapes and missing members are for the decoder and the encoder that know them."""
    body = orjson.dumps({"Records": [record(), odd]})
    assert plain_page(body) is None
    whole, plain = sources(body)
    assert (await plain.records("1", 10)).records == (await whole.records("1", 10)).records


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"Records":null}', b"<html>", b'{"Records":[1]}', b"\xff"])
def test_a_reply_of_another_shape_is_not_plain(body: bytes) -> None:
    """The decoder of everything says what is wrong with it."""
    assert plain_page(body) is None


async def test_the_rest_of_the_reply_is_the_same_either_way() -> None:
    """Iterator, distance from the tip, children at a shard's end."""
    children = [{"ShardId": "shardId-2", "ParentShards": ["shardId-1"], "HashKeyRange": {}}]
    rests: tuple[dict[str, Any], ...] = (
        {"NextShardIterator": "2", "MillisBehindLatest": 1500},
        {"MillisBehindLatest": 0, "ChildShards": children},
        {"NextShardIterator": None, "MillisBehindLatest": None, "ChildShards": None},
        {"ChildShards": []},
    )
    for rest in rests:
        body = orjson.dumps({"Records": [record()], **rest})
        whole, plain = sources(body)
        page, sliced = await whole.records("1", 10), await plain.records("1", 10)
        assert isinstance(sliced.records[0], PlainRecord)
        assert (sliced.next_iterator, sliced.behind_seconds, sliced.children, sliced.size_bytes) == (
            page.next_iterator,
            page.behind_seconds,
            page.children,
            page.size_bytes,
        )
