"""HTTP replies are put together from whatever pieces they come in."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.http1 import Malformed
from pollers.aws.wire.http1_reply import (
    BODY_LIMIT_BYTES,
    HEAD_LIMIT_BYTES,
    INTERIMS_AT_MOST,
    Reply,
    ReplyReader,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

bodies = st.binary(max_size=300)


def framed(body: bytes, framing: str, chunk_sizes: list[int]) -> bytes:
    """A reply with ``body``, its length announced in one of the ways of HTTP."""
    if framing == "length":
        return b"HTTP/1.1 200 OK\r\ncontent-length:  %d \r\nX-Thing: A\r\n\r\n%b" % (len(body), body)
    if framing == "chunks":
        chunks, rest = b"", body
        for size in chunk_sizes:
            part, rest = rest[:size], rest[size:]
            if part:
                chunks += b"%x;ext=1\r\n%b\r\n" % (len(part), part)
        if rest:
            chunks += b"%X\r\n%b\r\n" % (len(rest), rest)
        return (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Thing: A\r\n\r\n" + chunks + b"0\r\nTrailer: t\r\n\r\n"
        )
    return b"HTTP/1.1 200 OK\r\nX-Thing: A\r\n\r\n" + body


def fed(reader: ReplyReader, data: bytes, cuts: list[int]) -> list[Reply]:
    """Feed ``data`` cut at ``cuts``; the replies that came out."""
    replies = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        if start < end and (reply := reader.feed(data[start:end])) is not None:
            replies.append(reply)
    return replies


def filled(reader: ReplyReader, data: bytes, sizes: list[int]) -> list[Reply]:
    """Write ``data`` where the reader wants it, at most so much at a time; the replies that came out."""
    replies = []
    pending = iter(sizes)
    while data:
        space = reader.space()
        count = min(next(pending, len(data)), len(space), len(data))
        space[:count] = data[:count]
        data = data[count:]
        if (reply := reader.filled(count)) is not None:
            replies.append(reply)
    return replies


@given(
    bodies,
    st.sampled_from(["length", "chunks"]),
    st.lists(st.integers(1, 50)),
    st.lists(st.integers(1, 200), max_size=8),
)
def test_a_reply_that_is_received_where_it_stays_is_the_same(
    body: bytes, framing: str, chunk_sizes: list[int], sizes: list[int]
) -> None:
    """However much comes at a time; and the next reply does not write over it."""
    reader = ReplyReader()
    [first] = filled(reader, framed(body, framing, chunk_sizes), sizes)
    [second] = filled(reader, framed(body[::-1], framing, chunk_sizes), sizes)
    assert (first.status, first.body, first.keep_alive) == (200, body, True)
    assert second.body == body[::-1]


def test_a_long_body_is_received_in_few_pieces() -> None:
    """What follows its beginning goes straight to its place."""
    body = bytes(range(256)) * 2_000
    reader = ReplyReader()
    data = framed(body, "length", [])
    [reply] = filled(reader, data, [1_000])
    assert reply.body == body
    assert len(filled(ReplyReader(), data[: len(data) // 2], [])) == 0


@pytest.mark.parametrize("digits", [str(BODY_LIMIT_BYTES + 1), "1" + "0" * 12, "9" * 5_000])
def test_a_body_of_absurd_length_is_refused_by_its_head(digits: str) -> None:
    """No room is made for it, and no number is read that Python would not read."""
    with pytest.raises(Malformed, match="more than"):
        ReplyReader().feed(f"HTTP/1.1 200 OK\r\nContent-Length: {digits}\r\n\r\nabc".encode())


def endless(framing: str) -> Iterator[bytes]:
    """A reply that never ends, in pieces."""
    piece = b"x" * 1024 * 1024
    if framing == "chunks":
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        piece = b"%x\r\n%b\r\n" % (len(piece), piece)
    elif framing == "trailers":
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        piece = b"Trailer: x\r\n" * 1_000
    elif framing == "one chunk":
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"
    elif framing == "interim replies":
        piece = b"HTTP/1.1 102 Processing\r\n\r\n"
    elif framing == "head":
        yield b"HTTP/1.1 200 OK\r\n"
        piece = b"X: y\r\n" * 1_000
    else:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
    while True:
        yield piece


@pytest.mark.parametrize("framing", ["chunks", "one chunk", "trailers", "interim replies", "head", "until closed"])
def test_a_reply_without_end_is_given_up(framing: str) -> None:
    """Whatever it is that never ends; what it takes until then is bounded."""
    reader = ReplyReader()
    pieces = itertools.takewhile(lambda piece: not refused(reader, piece), endless(framing))
    assert sum(map(len, pieces)) <= BODY_LIMIT_BYTES + 2 * 1024 * 1024


def refused(reader: ReplyReader, piece: bytes) -> bool:
    """Whether the reader has had enough."""
    try:
        assert reader.feed(piece) is None
    except Malformed:
        return True
    return False


def test_many_interim_replies_in_one_piece_are_no_recursion() -> None:
    """Five thousand at once are refused like any other nonsense."""
    with pytest.raises(Malformed, match="interim"):
        ReplyReader().feed(b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000)


def test_interim_replies_are_counted_for_each_reply() -> None:
    """A connection may have any number of them over its life."""
    reader = ReplyReader()
    for _ in range(3):
        interims = b"HTTP/1.1 100 Continue\r\n\r\n" * INTERIMS_AT_MOST
        assert reader.feed(interims + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") is not None


def test_the_same_length_twice_is_one_length() -> None:
    """Some proxies repeat it (RFC 9110, 8.6)."""
    reply = ReplyReader().feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na")
    assert reply is not None
    assert reply.body == b"a"


@given(
    bodies,
    st.sampled_from(["length", "chunks"]),
    st.lists(st.integers(1, 50)),
    st.lists(st.integers(0, 10_000), max_size=8),
)
def test_any_cut_gives_the_same_reply(body: bytes, framing: str, chunk_sizes: list[int], cuts: list[int]) -> None:
    """Wherever the network cuts a reply, it comes out whole, once, and the reader is ready for the next."""
    reader = ReplyReader()
    for _ in range(2):
        [reply] = fed(reader, framed(body, framing, chunk_sizes), cuts)
        assert (reply.status, reply.body, reply.keep_alive) == (200, body, True)
        assert reply.headers()["x-thing"] == "A"
    assert reader.end() is None


@given(bodies, st.lists(st.integers(0, 10_000), max_size=8))
def test_a_body_without_a_length_ends_with_the_connection(body: bytes, cuts: list[int]) -> None:
    """Its connection is not used again, and it is not known whether the reply is complete."""
    reader = ReplyReader()
    assert fed(reader, framed(body, "until closed", []), cuts) == []
    reply = reader.end()
    assert reply is not None
    assert (reply.body, reply.keep_alive, reply.whole) == (body, False, False)


@given(bodies, st.integers(0, 10_000))
def test_a_torn_reply_is_none(body: bytes, cut: int) -> None:
    """A connection that ends before an announced length is reached has brought no reply."""
    data = framed(body, "length", [])
    reader = ReplyReader()
    reader.feed(data[: cut % len(data)])
    assert reader.end() is None


def test_interim_replies_are_passed_over() -> None:
    """100 Continue may come before the reply."""
    reader = ReplyReader()
    assert reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n") is None
    reply = reader.feed(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno")
    assert reply is not None
    assert (reply.status, reply.body) == (500, b"no")


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 204 No Content", True),
    ],
)
def test_a_connection_is_kept_as_http_says(head: bytes, kept: bool) -> None:
    """By version and Connection header."""
    reply = ReplyReader().feed(head + b"\r\n\r\n")
    assert reply is not None
    assert reply.keep_alive is kept


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc",
        b"HTTP/1.1 200 OK\nContent-Length: 1\n\na",
        b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 1\r\n\r\na",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        b"x" * (HEAD_LIMIT_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * (HEAD_LIMIT_BYTES + 1),
    ],
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    """Nothing is guessed: the connection is out of step."""
    with pytest.raises(Malformed):
        ReplyReader().feed(data)
