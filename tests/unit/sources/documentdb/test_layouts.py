"""Change events that are read along what is known of others: all of them, and nothing that is not one."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from typing import Any

import bson
import pytest
from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.documentdb import events
from pollers.sources.documentdb.events import ChangeEvent, ChangeReader
from pollers.sources.documentdb.extended_json import NotBson
from tests.unit.sources.documentdb.documents import documents

digits = st.text("0123456789abcdefABCDEF", min_size=36, max_size=36)
times = st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
dates = st.integers(-(2**40), 2**50).map(lambda milliseconds: bson.DatetimeMS(milliseconds))
keys = st.binary(min_size=12, max_size=12).map(lambda value: {"_id": ObjectId(value)})
values: dict[str, st.SearchStrategy[Any]] = {
    "_id": digits.map(lambda data: {"_data": data}),
    "operationType": st.just("insert"),
    "clusterTime": times,
    "wallTime": dates,
    "fullDocument": documents(),
    "ns": st.just({"db": "100%", "coll": "b%b"}),
    "documentKey": keys,
    "other%d": times,
    "updateDescription": documents(),
    "fullDocumentBeforeChange": st.none(),
    "txnNumber": st.integers(-(2**63), 2**63 - 1).map(bson.Int64),
}
forms = st.lists(st.sampled_from([name for name in values if name != "_id"]), unique=True)


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Events of the same members in the same order, with other values."""
    names = ["_id", *draw(forms)]
    return [bson.encode({name: draw(values[name]) for name in names}) for _ in range(draw(st.integers(2, 3)))]


@given(alike())
def test_events_that_are_alike_are_read_along(events_alike: list[bytes]) -> None:
    """Each gives what it would as the first, byte for byte; only the first is read member by member."""
    reader = ChangeReader()
    reader.read(events_alike[0])
    for raw in events_alike:
        assert reader._read_along(raw) == ChangeReader().read(raw)


@given(alike(), st.data())
def test_a_damaged_event_is_not_taken_for_one_of_its_layout(events_alike: list[bytes], chosen: st.DataObject) -> None:
    """Whichever of its bytes are another, missing or too many."""
    reader, raw = ChangeReader(), bytearray(events_alike[1])
    reader.read(events_alike[0])
    for _ in range(chosen.draw(st.integers(1, 3))):
        at = chosen.draw(st.integers(4, len(raw) - 1))
        kind = chosen.draw(st.sampled_from(["another", "missing", "more"]))
        if kind == "missing":
            del raw[at]
        elif kind == "more":
            raw.insert(at, chosen.draw(st.integers(0, 255)))
        else:
            raw[at] = chosen.draw(st.sampled_from([0, 1, 0x7F, 0xFF, raw[at] ^ 1]))
        raw[:4] = struct.pack("<i", len(raw))
    assert _read(reader, bytes(raw)) == _read(ChangeReader(), bytes(raw))


def _read(reader: ChangeReader, raw: bytes) -> ChangeEvent | None:
    """The event; None where it is refused."""
    try:
        return reader.read(raw)
    except NotBson:
        return None


def order(number: int, operation: str = "insert", collection: str = "orders", token: int = 18) -> bytes:
    """An event as servers send it."""
    key = {"_id": ObjectId()}
    return bson.encode(
        {
            "_id": {"_data": f"{number:0{2 * token}X}"},
            "operationType": operation,
            "clusterTime": Timestamp(1676588775, number),
            "wallTime": datetime(2026, 1, 2, 3, 4, 5) + timedelta(milliseconds=number),
            "fullDocument": {**key, "total": number},
            "ns": {"db": "shop", "coll": collection},
            "documentKey": key,
        }
    )


@pytest.mark.parametrize(
    "forms",
    [
        [("insert", "orders", 18), ("replace", "orders", 18)],
        [("insert", f"orders{number}", 18) for number in range(4)],
        [("insert", "orders", number) for number in range(15, 40)],
    ],
    ids=["operations", "collections", "tokens"],
)
def test_events_of_some_forms_in_turn_are_read_along(
    forms: list[tuple[str, str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operations, collections of a database, and tokens of keys that are texts change from event to event."""
    reader = ChangeReader()
    for number, form in enumerate(forms):
        reader.read(order(number, *form))
    monkeypatch.setattr(events, "_members", None)  # what reads member by member
    for number, form in enumerate(forms * 2):
        assert reader.read(order(number, *form)).readable


def test_an_event_that_is_shorter_than_one_of_its_layout_is_read() -> None:
    """Its layout is tried although another one would read behind its end."""
    reader = ChangeReader()
    short = bson.encode({"_id": {"_data": "00" * 18}, "operationType": "drop"})
    for raw in (short, order(1), short):
        assert reader.read(raw) == ChangeReader().read(raw)
    assert reader._read_along(short) is not None
