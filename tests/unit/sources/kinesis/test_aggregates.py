"""Aggregates of the Kinesis Producer Library: recognised by mark and digest, and counted."""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.wire.plain_records import PlainRecord
from pollers.sources.kinesis.aggregates import MARK, user_records
from pollers.sources.kinesis.source import KinesisSource
from tests.worlds.aggregates import aggregate

SOURCE = KinesisSource("arn:aws:kinesis:us-east-1:000000000000:stream/clicks", None)  # type: ignore[arg-type] # never asked


def text(data: bytes) -> str:
    """As the service sends it."""
    return b64encode(data).decode()


def sealed(message: bytes) -> bytes:
    """A message with mark and digest."""
    return MARK + message + md5(message, usedforsecurity=False).digest()


@given(st.lists(st.text(max_size=300), max_size=40))
def test_user_records_are_counted(users: list[str]) -> None:
    """However many, however long."""
    assert user_records(text(aggregate(*users))) == len(users)


def test_an_aggregate_that_was_made_by_other_software_is_counted() -> None:
    """Written byte by byte after the published format: a key, a tag table, two user records of different fields' order."""
    message = bytes.fromhex("0a01611201621a0708001a03616263") + bytes.fromhex("1a0608001a02646522020801")
    assert user_records(text(sealed(message))) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain",
        MARK,
        MARK + b"short",
        aggregate("a", "b")[:-1],
        aggregate("a")[:-16] + bytes(16),
        sealed(b"\x1a\x05ab"),
        sealed(b"\x1f"),
        sealed(b"\x1a\xff"),
        sealed(b"\x1a"),
    ],
)
def test_what_is_no_aggregate_is_a_plain_record(data: bytes) -> None:
    """Whatever it begins with: an unknown digest, a message that is cut short or none."""
    assert user_records(text(data)) is None


@pytest.mark.parametrize("data", ["", "84maw", "84mawg==x", "84maw\N{SNOWMAN}"])
def test_text_that_is_no_base64_is_a_plain_record(data: str) -> None:
    """Nothing is raised for what a service should not send."""
    assert user_records(data) is None


@given(st.binary(max_size=100))
def test_nothing_that_bears_the_mark_and_its_digest_raises(message: bytes) -> None:
    """It has a count or is plain."""
    count = user_records(text(sealed(message)))
    assert count is None or count >= 0


def test_a_page_tells_which_of_its_records_are_aggregates() -> None:
    """By their index, plain records of the wire and decoded ones alike."""
    data = [text(b"plain"), text(aggregate("a", "b", "c")), text(MARK + b"nothing of the kind")]
    wire = [{"SequenceNumber": str(number), "Data": one} for number, one in enumerate(data)]
    assert SOURCE.user_records([*wire, {"SequenceNumber": "9"}]) == {1: 3}
    plain: list[Any] = [PlainRecord(str(number), "k", one, 0.0) for number, one in enumerate(data)]
    assert SOURCE.user_records(plain) == {1: 3}
    assert SOURCE.user_records([]) == {}
