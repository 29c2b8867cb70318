"""Change events as the elements of Lambda's events."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import bson
import orjson
import pytest
from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from pollers.sources.documentdb.events import ChangeEvent, ChangeReader
from pollers.sources.documentdb.extended_json import NotBson, document_text
from pollers.sources.documentdb.tokens import parse
from tests.unit.sources.documentdb.documents import documents, raw, string

DATA = "0163eeb6e7000000090100000009000041e1"
TIME = Timestamp(1676588775, 9)
KEY = {"_id": ObjectId("63eeb6e7d418cd98afb1c1d7")}
INSERT: dict[str, Any] = {
    "_id": {"_data": DATA},
    "operationType": "insert",
    "clusterTime": TIME,
    "ns": {"db": "test_database", "coll": "test_collection"},
    "documentKey": KEY,
    "fullDocument": {**KEY, "anyField": "sampleValue"},
}


def test_the_published_event_is_made_to_the_letter() -> None:
    """Members in its order, and nothing else (docs/lambda 5.5)."""
    change = ChangeReader().read(bson.encode(INSERT))
    assert change.event == (
        b'{"event":{"_id":{"_data":"0163eeb6e7000000090100000009000041e1"},"clusterTime":{"$timestamp":{"t":1676588775,"i":9}}'
        b',"documentKey":{"_id":{"$oid":"63eeb6e7d418cd98afb1c1d7"}}'
        b',"fullDocument":{"_id":{"$oid":"63eeb6e7d418cd98afb1c1d7"},"anyField":"sampleValue"}'
        b',"ns":{"db":"test_database","coll":"test_collection"},"operationType":"insert"}}'
    )
    assert change.position == DATA
    assert change.seconds == 1676588775
    assert change.readable


UPDATE = {"updatedFields": {"b": 1, "a": 2}, "removedFields": []}


@pytest.mark.parametrize(
    "members",
    [
        {"operationType": "delete", "documentKey": KEY},
        {"operationType": "update", "documentKey": KEY, "updateDescription": UPDATE},
        {
            "operationType": "update",
            "documentKey": {"_id": 5, "zone": "x"},
            "fullDocument": None,
            "updateDescription": UPDATE,
        },
        {"operationType": "replace", "documentKey": {"_id": {"_id": 1}}, "fullDocument": {}},
        {"operationType": "drop"},
        {"operationType": "rename", "to": {"db": "d", "coll": "other"}},
        {"operationType": "insert", "lsid": {"id": b"x"}, "txnNumber": bson.Int64(5), "100%": "%b"},
    ],
)
def test_each_operation_has_the_members_that_the_server_sent(members: dict[str, Any]) -> None:
    """Those of the event in alphabetical order, those inside of them as they came."""
    event = {"_id": {"_data": DATA}, "clusterTime": TIME, **members, "ns": {"db": "d"}}
    text = ChangeReader().read(bson.encode(event)).event
    inside = orjson.loads(text)["event"]
    assert list(inside) == sorted(event)
    assert inside == orjson.loads(document_text(bson.encode(event)))
    assert (b'{"updatedFields":{"b":1,"a":2},"removedFields":[]}' in text) == ("updateDescription" in members)


@given(documents())
def test_an_event_has_its_document_as_the_exact_way_spells_it(document: dict[str, Any]) -> None:
    """Whatever is in it."""
    element = ChangeReader().read(bson.encode({**INSERT, "fullDocument": document})).event
    assert b'"fullDocument":%b,"ns"' % document_text(bson.encode(document)) in element


@given(documents())
def test_any_members_of_an_event_are_spelled(members: dict[str, Any]) -> None:
    """Those of servers to come, too."""
    event = {**members, "_id": {"_data": DATA}}
    spelled = orjson.loads(ChangeReader().read(bson.encode(event)).event)
    assert spelled == {"event": orjson.loads(document_text(bson.encode(event)))}


def test_a_reader_knows_layouts_again_and_apart() -> None:
    """What it remembers of one event does not reach another."""
    reader = ChangeReader()
    events = [INSERT, {**INSERT, "operationType": "replace"}, {"_id": {"_data": DATA}, "operationType": "drop"}] * 2
    for number, event in enumerate(events):
        named = {**event, "ns": {"db": "d", "coll": f"c{number % 2}"}}
        text = reader.read(bson.encode(named)).event
        assert text == ChangeReader().read(bson.encode(named)).event
        assert orjson.loads(text)["event"]["ns"] == named["ns"]


TOKEN = raw((2, b"_data", string(DATA.encode())))
OTHER = raw((2, b"_data", string(b"00ff")))


def test_an_event_may_begin_with_something_else_than_its_token() -> None:
    """Also after others that begin so. (The driver's encoder would put the token first.)"""
    reader, data = ChangeReader(), raw((3, b"documentKey", OTHER), (3, b"_id", TOKEN), (8, b"x", b"\1"))
    for _ in range(3):
        change = reader.read(data)
        assert change.position == DATA
        assert (
            change.event == b'{"event":{"_id":{"_data":"%b"},"documentKey":{"_data":"00ff"},"x":true}}' % DATA.encode()
        )


MEMBERS = st.sampled_from(
    [
        (2, b"operationType", string(b"insert")),
        (2, b"operationType", string(b"invalidate")),
        (17, b"clusterTime", struct.pack("<II", 9, 1676588775)),
        (16, b"clusterTime", struct.pack("<i", 5)),
        (3, b"ns", raw((2, b"db", string(b"100%b")))),
        (3, b"ns", raw((2, b"db", string(b"100%b")), (2, b"coll", string(b"c")))),
        (2, b"ns", string(b"none")),
        (3, b"documentKey", bson.encode(KEY)),
        (3, b"documentKey", OTHER),
        (3, b"_id", OTHER),
        (3, b"fullDocument", raw((1, b"n", struct.pack("<d", float("nan"))))),
        (10, b"fullDocument", b""),
        (2, b"100%b", string(b"%%")),
        (8, b"\xff", b"\1"),
        (8, b"", b"\0"),
    ]
)
"""Members of events, of which some have the same name."""


AT_ODDS = [
    (17, b"clusterTime", struct.pack("<II", 9, 1676588775)),
    (17, b"wallTime", struct.pack("<II", 1, 2)),
    (3, b"ns", raw((2, b"db", string(b"100%b")))),
    (3, b"documentKey", OTHER),
    (2, b"100%b", string(b"%%")),
]
"""Members in no order, of which some look like what counts in others."""


@given(st.lists(st.tuples(st.lists(MEMBERS, max_size=6), st.integers(0, 6), MEMBERS), min_size=1, max_size=4))
@example([(AT_ODDS, 0, (8, b"", b"\0"))])
def test_events_are_read_along_no_other_that_is_like_them(chosen: list[tuple[list[Any], int, Any]]) -> None:
    """In whatever order their members stand, with one more or less than the one before, and with members of one name."""
    reader = ChangeReader()
    for members, at, more in chosen:
        whole = [*members[:at], (3, b"_id", TOKEN), *members[at:]]
        for event in (whole, whole, [*whole, more], whole, [more, *whole], [*whole[:-1], more]):
            data = raw(*event)
            change = read_or_refused(reader, data)
            assert change == read_or_refused(ChangeReader(), data)
            if change is not None:
                assert json.loads(change.event)["event"] == json.loads(document_text(data))


@given(st.lists(documents(), min_size=2, max_size=4))
def test_a_reader_reads_each_event_as_if_it_were_the_first(members: list[dict[str, Any]]) -> None:
    """Whatever the one before was like."""
    reader = ChangeReader()
    for one in members:
        for event in ({**INSERT, "fullDocument": one}, {**INSERT, "documentKey": one}, {**one, **INSERT}):
            assert reader.read(bson.encode(event)) == ChangeReader().read(bson.encode(event))


def test_a_reader_does_not_remember_without_end() -> None:
    """A database may have more collections than memory."""
    reader = ChangeReader()
    for number in range(3_000):
        event = {"_id": {"_data": DATA}, f"m{number}": 1, "ns": {"db": "d", "coll": str(number)}}
        text = reader.read(bson.encode(event)).event
        assert orjson.loads(text)["event"]["ns"]["coll"] == str(number)
    assert len(reader._layouts) <= 1_000


def test_the_position_of_an_invalidate_event_has_its_time() -> None:
    """By which it can be gone past; also that of one that is like the one before."""
    event = {"_id": {"_data": DATA}, "operationType": "invalidate", "clusterTime": TIME}
    reader = ChangeReader()
    for _ in range(2):
        assert reader.read(bson.encode(event)).position == f"{DATA}@1676588775.9"


def test_a_token_that_is_no_digits_is_kept_whole() -> None:
    """As JSON, by which it can be resumed from."""
    token = {"_data": b"\1\2", "_typeBits": b"\3"}
    change = ChangeReader().read(bson.encode({**INSERT, "_id": token}))
    assert parse(change.position).token == token
    assert b'{"event":{"_id":{"_data":{"$binary":' in change.event


def test_an_event_without_a_time_has_none() -> None:
    """Nothing is made up."""
    assert ChangeReader().read(bson.encode({"_id": {"_data": DATA}, "operationType": "insert"})).seconds is None


@pytest.mark.parametrize(
    "data",
    [
        raw((3, b"_id", TOKEN), (3, b"fullDocument", raw((99, b"new", b"\1\2")))),
        raw((3, b"_id", TOKEN), (99, b"new", b"\1\2")),
        bson.encode(INSERT)[:-1],
        bson.encode(INSERT) + b"\0",
    ],
)
def test_an_event_that_is_no_bson_is_given_as_its_bytes(data: bytes) -> None:
    """All of it, with its token: nothing is lost, and the stream goes on."""
    change = ChangeReader().read(data)
    assert not change.readable
    assert change.position == DATA
    inside = orjson.loads(change.event)["event"]
    assert list(inside) == ["_id", "$binary"]
    assert inside["_id"] == {"_data": DATA}
    assert base64.b64decode(inside["$binary"]["base64"]) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        raw(),
        raw((2, b"operationType", string(b"insert"))),
        raw((16, b"_id", struct.pack("<i", 1))),
        raw((3, b"_id", raw((99, b"x", b"")))),
        raw((3, b"_id", b"\x05\0\0")),
        raw((3, b"_id", b"")),
    ],
)
def test_an_event_without_a_readable_token_is_refused(data: bytes) -> None:
    """Nobody could say how far the stream has been read."""
    with pytest.raises(NotBson):
        ChangeReader().read(data)


@given(st.data())
def test_a_damaged_event_is_read_as_if_it_were_the_first(chosen: st.DataObject) -> None:
    """What is known of the one before makes nothing valid."""
    reader, data = ChangeReader(), bytearray(bson.encode(INSERT))
    reader.read(bytes(data))
    data[chosen.draw(st.integers(0, len(data) - 1))] = chosen.draw(st.integers(0, 255))
    assert read_or_refused(reader, bytes(data)) == read_or_refused(ChangeReader(), bytes(data))


@pytest.mark.parametrize("end", [b"e1\0\0", b"\xd7\0\x03"])
def test_an_event_whose_documents_do_not_end_is_not_read_along(end: bytes) -> None:
    """That of the token, and of a key: its bytes would be given as if they were BSON."""
    reader, data = ChangeReader(), bson.encode(INSERT)
    reader.read(data)
    at = data.index(end) + end.index(b"\0")
    damaged = data[:at] + b"f" + data[at + 1 :]
    assert read_or_refused(reader, damaged) == read_or_refused(ChangeReader(), damaged)


def read_or_refused(reader: ChangeReader, data: bytes) -> ChangeEvent | None:
    """The event; None where it is refused."""
    try:
        return reader.read(data)
    except NotBson:
        return None


@given(st.data())
def test_a_damaged_event_is_json_or_refused(chosen: st.DataObject) -> None:
    """Whichever byte it is."""
    data = bytearray(bson.encode(INSERT))
    data[chosen.draw(st.integers(0, len(data) - 1))] = chosen.draw(st.integers(0, 255))
    try:
        change = ChangeReader().read(bytes(data))
    except NotBson:
        return
    assert orjson.loads(change.event)["event"]["_id"]
