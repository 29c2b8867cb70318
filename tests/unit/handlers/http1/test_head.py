"""Heads of HTTP/1.1 messages, whoever sent them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.http1 import HeadReader, HeadTooLong, Malformed, check_breaks, framing, joined, stays_open


@given(cuts=st.lists(st.integers(0, 40)))
def test_a_head_ends_in_the_same_place_however_it_is_cut(cuts: list[int]) -> None:
    """Even within its last four bytes."""
    data, reader, found = b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest", HeadReader(100), None
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in itertools.pairwise(places):
        if found is None:
            found = reader.feed(data[start:end])
            left = data[end:]
    assert found is not None
    assert (found[0], found[1] + left) == (b"GET / HTTP/1.1\r\nA: b", b"rest")
    assert not reader.begun


@pytest.mark.parametrize("data", [b"x" * 101, b"x" * 101 + b"\r\n\r\n"])
def test_a_head_is_bounded(data: bytes) -> None:
    """Whether its end has come or not."""
    with pytest.raises(HeadTooLong):
        HeadReader(100).feed(data)


def test_bare_line_feeds_end_no_head() -> None:
    """Some readers would take them for its end, and what follows for the body."""
    with pytest.raises(Malformed):
        HeadReader(100).feed(b"GET / HTTP/1.1\nHost: h\n\n")


@pytest.mark.parametrize("head", [b"a\r\nB: c\nD: e", b"a\r\nB: c\rD: e", b"a\r"])
def test_line_breaks_of_another_kind_are_refused(head: bytes) -> None:
    """A bare CR and a bare LF."""
    with pytest.raises(Malformed):
        check_breaks(head, head.count(b"\r\n"))


@pytest.mark.parametrize(
    ("coding", "length", "expected"),
    [
        (None, None, (None, False)),
        (None, b"12", (12, False)),
        (None, joined((b"12", b"12")), (12, False)),
        (b"chunked", None, (None, True)),
    ],
)
def test_a_head_says_how_its_body_is_framed(
    coding: bytes | None, length: bytes | None, expected: tuple[int | None, bool]
) -> None:
    """By its length, in chunks, or not at all."""
    assert framing(coding, length) == expected


@pytest.mark.parametrize(
    ("coding", "length"),
    [
        (None, joined((b"1", b"2"))),
        (None, joined((b"1", b"1", b"2"))),
        (None, b"1, 1"),
        (None, b"+1"),
        (None, b"1_0"),
        (None, b"0x1"),
        (None, b""),
        (None, b"9" * 5_000),
        (b"chunked", b"3"),
        (joined((b"chunked", b"chunked")), None),
        (joined((b"gzip", b"chunked")), None),
        (b"gzip, chunked", None),
        (b"xchunked", None),
        (b"identity", None),
        (b"", None),
    ],
)
def test_what_can_be_framed_in_two_ways_is_refused(coding: bytes | None, length: bytes | None) -> None:
    """The usual beginnings of request smuggling."""
    with pytest.raises(Malformed):
        framing(coding, length)


@pytest.mark.parametrize(
    ("options", "version_1_1", "kept"),
    [
        (None, True, True),
        (None, False, False),
        (b"close", True, False),
        (joined((b"te", b"close")), True, False),
        (b"keep-alive", False, True),
    ],
)
def test_a_connection_is_kept_as_its_version_and_options_say(
    options: bytes | None, version_1_1: bool, kept: bool
) -> None:
    """Any of several options may close it."""
    assert stays_open(options, version_1_1=version_1_1) is kept
