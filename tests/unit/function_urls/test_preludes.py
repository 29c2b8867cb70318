"""The head of a streamed reply."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.function_urls.preludes import DELIMITER, INTEGRATION, LIMIT_BYTES, OCTETS, Prelude, is_integration
from pollers.function_urls.reply_headers import InvalidReply

HEAD = {"statusCode": 201, "headers": {"Content-Type": "text/html", "X-One": "1"}, "cookies": ["a=1", "b=2"]}
READ = (
    201,
    (("Content-Type", "text/html"), ("X-One", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
)
WRITTEN = json.dumps(HEAD).encode() + DELIMITER


@given(body=st.binary(), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_a_head_is_found_wherever_the_chunks_are_cut(body: bytes, cuts: list[int]) -> None:
    """Inside the JSON, inside the NUL bytes, or with the body."""
    stream = WRITTEN + body
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)})
    chunks = [stream[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    prelude, rest = Prelude(), b""
    for number, chunk in enumerate(chunks):
        found = prelude.take(chunk)
        if found is not None:
            rest = found[2] + b"".join(chunks[number + 1 :])
            assert found[:2] == READ
            break
    assert rest == body


def test_a_head_comes_byte_by_byte() -> None:
    """Known with the last NUL byte, and not before."""
    prelude = Prelude()
    found = [prelude.take(WRITTEN[at : at + 1]) for at in range(len(WRITTEN))]
    assert found == [*([None] * (len(WRITTEN) - 1)), (*READ, b"")]


def test_nul_bytes_of_the_body_stay() -> None:
    """Only the first eight are the delimiter."""
    assert Prelude().take(b"{}" + DELIMITER + b"\0\0x") == (200, (OCTETS,), b"\0\0x")


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"no json",
        b"[]",
        b'{"statusCode": 99}',
        b'{"statusCode": null}',
        b'{"headers": {"a": "\\r\\nb: c"}}',
        b'{"headers": {"a": "b"}',
        b'{"cookies": "a"}',
        b"\xff{}",
        b"{" * 10_000,
    ],
)
def test_a_head_that_is_none_is_refused(written: bytes) -> None:
    """Before a byte of the reply is sent."""
    with pytest.raises(InvalidReply):
        Prelude().take(written + DELIMITER)


def test_a_head_without_an_end_is_refused_in_time() -> None:
    """It is not kept in memory until the function ends."""
    prelude = Prelude()
    chunk = b"x" * 1024
    for _ in range(LIMIT_BYTES // 1024):
        assert prelude.take(chunk) is None
    with pytest.raises(InvalidReply, match="8 NUL bytes in the first 16384 bytes"):
        prelude.take(chunk)


def test_a_head_of_the_greatest_length_is_taken() -> None:
    """And one byte more is not."""
    written = b'{"a": "' + b"x" * (LIMIT_BYTES - 9) + b'"}'
    assert Prelude().take(written + DELIMITER) is not None
    with pytest.raises(InvalidReply):
        Prelude().take(b" " + written + DELIMITER)


def test_a_stream_that_ends_in_its_head_is_told_so() -> None:
    """With how far it came."""
    prelude = Prelude()
    prelude.take(b"{}\0")
    assert "ended after 3 bytes" in str(prelude.ended())


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [(INTEGRATION, True), (f"{INTEGRATION.upper()}; a=b", True), ("application/json", False), ("", False)],
)
def test_the_type_says_whether_a_head_comes(content_type: str, expected: bool) -> None:
    """Whatever its case and parameters."""
    assert is_integration(content_type) is expected
