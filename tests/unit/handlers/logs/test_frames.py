"""The frames of AWS's runtime clients: records out of a stream, however it is cut and whatever is in it."""

from __future__ import annotations

import itertools
import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import _JSON_FRAME_TYPES, _TEXT_FRAME_TYPES
from hypothesis import given
from hypothesis import strategies as st

from handlers.logs.frames import PIECE_BYTES, Frames, Header, Piece
from handlers.logs.levels import RANKS

NOW = 1_764_000_000_000_000


def frame(text: bytes, kind: int = 0xA55A000F, *, length: int | None = None, at: int = NOW) -> bytes:
    """A record as AWS's client writes it; ``length`` is what its header claims."""
    claimed = len(text) if length is None else length
    return kind.to_bytes(4, "big") + claimed.to_bytes(4, "big") + at.to_bytes(8, "big") + text


def pieces_of(stream: bytes, sizes: list[int] | None = None) -> list[Piece]:
    """What comes of a stream that is read in pieces of these sizes, again and again, output next to output joined."""
    frames, found = Frames(), list[Piece]()
    for size in itertools.cycle(sizes or [len(stream) or 1]):
        if not stream:
            break
        found += frames.feed(stream[:size])
        stream = stream[size:]
    joined: list[Piece] = []
    for piece in found + frames.flush():
        if piece.header is None and joined and joined[-1].header is None:
            joined[-1] = Piece(None, joined[-1].data + piece.data)
        else:
            joined.append(piece)
    return joined


outputs = st.one_of(
    st.text(max_size=20).map(str.encode),
    st.binary(max_size=20),
    st.text(max_size=200).map(lambda text: frame(text.encode())),
    st.sampled_from([b"\xa5", b"\xa5\x5a", b"\xa5\x5a\x00", b"\xa5\x5a\x00\x0f", frame(b"")]),
    st.binary(max_size=20).map(lambda text: frame(text, length=len(text) + 7)),
    st.binary(max_size=20).map(lambda text: frame(text, length=2**32 - 1)),
)


@given(st.lists(outputs, max_size=8).map(b"".join), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_any_cutting_gives_the_same_and_nothing_is_lost(stream: bytes, sizes: list[int]) -> None:
    """Frames, output, garbage and headers that lie: never an error, always the same pieces, all bytes but headers there."""
    assert pieces_of(stream, sizes) == pieces_of(stream)
    texts = b"".join(piece.data for piece in pieces_of(stream))
    headers = len(stream) - len(texts)
    assert headers <= 16 * stream.count(b"\xa5\x5a\x00")


@given(st.lists(st.tuples(st.booleans(), st.text(min_size=1, max_size=50)), max_size=10))
def test_records_and_output_keep_their_order(said: list[tuple[bool, str]]) -> None:
    """What is printed between two records stays between them."""
    stream = b"".join(frame(text.encode()) if framed else text.encode() for framed, text in said)
    grouped = itertools.groupby(enumerate(said), lambda entry: entry[0] if entry[1][0] else -1)
    expected = [(key >= 0, "".join(text for _, (_, text) in entries)) for key, entries in grouped]
    assert [(piece.header is not None, piece.data.decode()) for piece in pieces_of(stream)] == expected


@pytest.mark.parametrize("types", [_TEXT_FRAME_TYPES, _JSON_FRAME_TYPES], ids=["text", "json"])
@pytest.mark.parametrize(
    ("level", "rank"),
    [
        (logging.NOTSET, None),
        (logging.DEBUG, RANKS["DEBUG"]),
        (logging.INFO, RANKS["INFO"]),
        (logging.WARNING, RANKS["WARN"]),
        (logging.ERROR, RANKS["ERROR"]),
        (logging.CRITICAL, RANKS["FATAL"]),
    ],
)
def test_the_type_says_the_level(types: dict[int, bytes], level: int, rank: int | None) -> None:
    """As AWS's own client for Python numbers them; the time is in microseconds."""
    stream = frame(b"x", int.from_bytes(types[level], "big"))
    assert pieces_of(stream) == [Piece(Header(rank, NOW / 1_000_000), b"x")]


def test_frames_of_older_clients_have_neither_time_nor_level() -> None:
    """Type and length only."""
    assert pieces_of(b"\xa5\x5a\x00\x01\x00\x00\x00\x02hi\n") == [Piece(Header(None, None), b"hi"), Piece(None, b"\n")]


def test_a_header_without_a_likely_time_is_output() -> None:
    """Four bytes may look like a header by chance; ten do not."""
    stream = frame(b"x", at=3)
    assert pieces_of(stream) == [Piece(None, stream)]


def test_a_long_record_comes_in_pieces() -> None:
    """What a header claims is never gathered whole: each piece has the record's level."""
    stream = frame(b"x" * (2 * PIECE_BYTES + 1), 0xA55A0017) + b"after"
    assert [len(piece.data) for piece in pieces_of(stream, [1000])] == [PIECE_BYTES, PIECE_BYTES, 1, 5]
    assert [piece.header is not None and piece.header.rank for piece in pieces_of(stream)] == [40, 40, 40, False]


def test_a_record_that_was_cut_ends_with_its_invocation() -> None:
    """Its writer died in the middle, or lied: what is there is shown, and the next record is one again."""
    frames = Frames()
    assert frames.feed(frame(b"half", length=1_000_000)) == []
    assert [piece.data for piece in frames.flush()] == [b"half"]
    assert frames.feed(frame(b"whole")) == [Piece(Header(20, NOW / 1_000_000), b"whole")]


def test_no_more_than_a_piece_is_held_back() -> None:
    """A gigabyte that a header announces, without an end in sight, takes no more memory than a line."""
    frames = Frames()
    frames.feed(frame(b"", length=2**32 - 1))
    for _ in range(1000):
        frames.feed(b"x" * 10_000)
        assert len(frames._held) < PIECE_BYTES
