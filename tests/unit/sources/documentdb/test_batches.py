"""Replies taken apart without decoding their events, against what the driver's own decoder makes of them."""

from __future__ import annotations

import datetime
import re
from typing import Any

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.errors import INVALID_REPLY, Unavailable
from pollers.sources.documentdb.batches import Batch, read_batch

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(allow_nan=False),
        st.integers(-(2**63), 2**63 - 1),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.binary().map(Binary),
        st.builds(ObjectId),
        st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2100, 1, 1)),
        st.sampled_from(
            [
                MinKey(),
                MaxKey(),
                Decimal128("1.10"),
                Timestamp(5, 6),
                Regex("a\tb", "i"),
                re.compile("^x$"),
                Code("f()"),
                Code("f()", {"a": 1}),
                DBRef("c", 1),
                Binary(b"0123456789abcdef", 4),
                Int64(7),
            ]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=12)


def reply(**cursor: Any) -> dict[str, Any]:  # noqa: ANN401 - any BSON
    """A reply of getMore."""
    given = {"nextBatch": [], "id": Int64(9), "ns": "shop.orders", **cursor}
    return {"cursor": given, "ok": 1.0, "operationTime": Timestamp(1796055767, 3)}


@given(EVENTS, st.none() | st.dictionaries(NAMES, VALUES, min_size=1, max_size=2), VALUES)
def test_events_and_token_are_the_bytes_that_came(
    events: list[dict[str, Any]], token: dict[str, Any] | None, other: object
) -> None:
    """Whatever types of BSON they have, and whatever else the reply has around them."""
    given = reply(nextBatch=events, aside=other) | {"aside": other}
    if token is not None:
        given["cursor"]["postBatchResumeToken"] = token
    batch = read_batch(bson.encode({"first": other, **given}), "getMore")
    assert batch.events == [bson.encode(event) for event in events]
    assert batch.token == (None if token is None else bson.encode(token))
    assert (batch.cursor_id, batch.namespace, batch.operation_time) == (9, "shop.orders", (1796055767, 3))


def test_a_first_batch_is_a_batch() -> None:
    """The reply of aggregate; a closed cursor has the id 0, also as a small number."""
    data = bson.encode({"cursor": {"firstBatch": [{"a": 1}], "id": 0, "ns": "shop.$cmd.aggregate"}, "ok": 1})
    assert read_batch(data, "aggregate") == Batch([bson.encode({"a": 1})], 0, "shop.$cmd.aggregate", None, None)


@pytest.mark.parametrize(
    "given",
    [
        {"ok": 1},
        {"cursor": 1},
        {"cursor": {"id": 1, "ns": "a.b"}},
        {"cursor": {"nextBatch": [], "ns": "a.b"}},
        {"cursor": {"nextBatch": [], "id": 1}},
        {"cursor": {"nextBatch": {}, "id": 1, "ns": "a.b"}},
        {"cursor": {"nextBatch": [1], "id": 1, "ns": "a.b"}},
        {"cursor": {"nextBatch": [[]], "id": 1, "ns": "a.b"}},
        {"cursor": {"nextBatch": [], "id": "1", "ns": "a.b"}},
        {"cursor": {"nextBatch": [], "id": 1, "ns": 1}},
    ],
)
def test_a_reply_without_what_it_must_have_is_no_answer(given: dict[str, Any]) -> None:
    """It is asked for again (docs/design, decision 12)."""
    with pytest.raises(Unavailable) as refused:
        read_batch(bson.encode(given), "getMore")
    assert refused.value.code == INVALID_REPLY


def test_an_event_that_is_longer_than_its_batch_is_refused() -> None:
    """What stands behind the batch is no part of it."""
    event = bson.encode({"marker": 1})
    data = bytearray(bson.encode(reply(nextBatch=[{"marker": 1}])))
    at = data.index(event)
    data[at] += 4
    with pytest.raises(Unavailable):
        read_batch(bytes(data), "getMore")


@given(EVENTS.filter(bool), st.data())
def test_damaged_bytes_are_refused_or_read_and_never_hang(events: list[dict[str, Any]], data: st.DataObject) -> None:
    """One byte is another, or the end is missing: no other error comes out, and no event is longer than the reply."""
    whole = bytearray(bson.encode(reply(nextBatch=events)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(at, len(whole)))])
    try:
        batch = read_batch(damaged, "getMore")
    except Unavailable:
        return
    assert sum(map(len, batch.events)) < len(damaged)
