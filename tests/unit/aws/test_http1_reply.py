"""HTTP replies are put together from whatever pieces they come in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.http1_reply import HEAD_LIMIT_BYTES, MalformedReply, Reply, ReplyReader

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


def test_no_room_is_made_for_a_body_of_absurd_length() -> None:
    """The head alone must not take the memory."""
    reader = ReplyReader()
    assert filled(reader, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nabc" % 10**12, []) == []
    assert len(reader.space()) < 10**6


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
    """And its connection is not used again."""
    reader = ReplyReader()
    assert fed(reader, framed(body, "until closed", []), cuts) == []
    reply = reader.end()
    assert reply is not None
    assert (reply.body, reply.keep_alive) == (body, False)


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
    with pytest.raises(MalformedReply):
        ReplyReader().feed(data)
