"""Bodies of HTTP/1.1 messages that come in pieces."""

from __future__ import annotations

import pytest

from handlers.http1 import BodyTooLong, ChunkedBody, KeptBody, Malformed


def test_a_body_of_tiny_chunks_takes_no_more_than_its_size() -> None:
    """A list of its parts would take twenty times as much."""
    body = KeptBody(10_000, 10_000)
    chunks = ChunkedBody(body)
    assert chunks.feed(b"1\r\nx\r\n" * 5_000) is None
    assert chunks.feed(b"0\r\n\r\nnext") == b"next"
    assert body.kept == b"x" * 5_000


def test_a_body_beyond_what_is_kept_is_counted_only() -> None:
    """Up to the limit, beyond which it is given up by the size that a chunk announces."""
    body = KeptBody(10, 100)
    chunks = ChunkedBody(body)
    chunks.feed(b"50\r\n" + b"x" * 80 + b"\r\n")
    assert (body.size, bytes(body.kept)) == (80, b"")
    with pytest.raises(BodyTooLong):
        chunks.feed(b"15\r\n")


@pytest.mark.parametrize("rest", [b"ab", b"\ra", b"a\r\n"])
def test_a_chunk_ends_where_it_said(rest: bytes) -> None:
    """It is refused at the first byte too many, without waiting for a line break."""
    with pytest.raises(Malformed):
        ChunkedBody(KeptBody(10, 10)).feed(b"1\r\nx" + rest)


@pytest.mark.parametrize("line", [b"x" * 70_000, b"0" * 70_000, b"0\r\n" + b"Trailer: x\r\n" * 7_000])
def test_lines_between_chunks_are_bounded(line: bytes) -> None:
    """Sizes, extensions and trailers."""
    with pytest.raises(Malformed):
        ChunkedBody(KeptBody(10, 10)).feed(line)
