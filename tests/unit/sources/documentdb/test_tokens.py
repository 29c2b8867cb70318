"""Positions of a change stream as texts: what is written is read again, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bson.binary import Binary
from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.documentdb.tokens import TokenPositions, parse, spelled, time_of, time_text
from pollers.sources.streams.positions import is_after

if TYPE_CHECKING:
    from pollers.sources.streams.positions import Positions

DOCUMENTDB = "0163eeb6e7000000090100000009000041e1"
MONGODB = "8263EEB6E7000000092B022C0100296E5A1004"
PARTS = st.integers(0, 2**32 - 1)
TIMES = st.tuples(PARTS, PARTS)
DATA = st.binary(min_size=1, max_size=40).map(bytes.hex)
VALUES = st.text() | st.integers(-(2**63), 2**63 - 1) | st.binary().map(lambda data: Binary(data, 5)) | st.none()
ODD: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.text(st.characters(exclude_characters="\0$", exclude_categories=["Cs"])), VALUES, min_size=1
)
"""Documents as tokens that are not hexadecimal digits alone."""


@given(DATA | DATA.map(str.upper), st.none() | TIMES)
def test_a_plain_token_is_its_own_position(data: str, invalidated: tuple[int, int] | None) -> None:
    """Which function responses name, too; an invalidate event's has the time besides."""
    position = spelled({"_data": data}, invalidated)
    assert position.partition("@")[0] == data
    assert ("@" in position) == (invalidated is not None)
    place = parse(position)
    assert place.token == {"_data": data}
    assert place.time == invalidated


@given(ODD | st.fixed_dictionaries({"_data": DATA, "_typeBits": st.binary()}), st.none() | TIMES)
def test_any_other_token_is_kept_as_a_document(token: dict[str, Any], invalidated: tuple[int, int] | None) -> None:
    """With the types of its values, as the server sent them."""
    place = parse(spelled(token, invalidated))
    assert place.token == token
    assert [type(value) for value in (place.token or {}).values() if isinstance(value, Binary)] == [
        type(value) for value in token.values() if isinstance(value, Binary)
    ]
    assert place.time == invalidated


@given(TIMES)
def test_an_operation_time_is_a_position(time: tuple[int, int]) -> None:
    """Everything up to it is done."""
    place = parse(time_text(time))
    assert place.token is None
    assert place.time == time


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "@",
        "@5",
        "hello",
        "abc",
        "12 34",
        "0163@",
        "0163@1",
        "0163@1.2.3",
        "0163@99999999999.1",
        "0163@4294967296.1",
        "{}",
        "{not json}",
        '{"_data": "01"',
        "[1]",
        '{"_data": {"$oid": "5"}}',
        "shardId-000000000000",
        "zz" * 500,
    ],
)
def test_what_is_no_position_is_refused(garbage: str) -> None:
    """With a text that shows it, and not all of it."""
    with pytest.raises(ValueError, match=r"position|operation time") as refused:
        parse(garbage)
    assert len(str(refused.value)) < 300
    assert not TokenPositions().valid(garbage)


@given(st.text())
def test_any_text_is_a_position_or_refused(text: str) -> None:
    """With ValueError, whatever another program left there."""
    try:
        place = parse(text)
    except ValueError:
        return
    assert place.token is not None or place.time is not None


def test_positions_have_no_order() -> None:
    """Digits are not numbers, and their order is not the events'."""
    positions: Positions = TokenPositions()
    assert not positions.ordered
    assert is_after(positions, "10", "9") is None
    assert positions.valid("10")


def test_functions_name_events_by_their_tokens_alone() -> None:
    """Also an invalidate event, wherever in a batch, and one whose token has more than digits, as MongoDB's may."""
    identifiers = TokenPositions().identifiers
    assert identifiers(["01", "02@5.6", "03"]) == ["01", "02", "03"]
    odd = [spelled({"_data": "01", "_typeBits": b"@"}), spelled({"_data": "a@b"}, (5, 6)), spelled({"_data": b"x"})]
    assert identifiers(["01", *odd]) == ["01", "01", "a@b", odd[2]]
    assert identifiers([]) == []


@pytest.mark.parametrize(
    ("position", "seconds"),
    [
        (DOCUMENTDB, 1676588775),
        ("0167c8cbe60000000004", 1741212646),
        (MONGODB, 1676588775),
        ("00ff", None),
        ("00ff@7.1", 7),
        ("@9.1", 9),
        ('{"_data": "x"}', None),
        ("garbage", None),
    ],
)
def test_messages_say_when_a_position_was(position: str, seconds: int | None) -> None:
    """As far as a token's layout is known."""
    assert time_of(position) == seconds
