"""What is JSON, and what is none."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.lambda_api.errors import ApiError
from pollers.lambda_api.payloads import CLIENT_CONTEXT_LIMIT, check_json, client_context

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.booleans())
def test_every_json_value_is_taken(value: object, ascii_only: bool) -> None:
    """Lone surrogates are escaped by whoever can write them at all."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    check_json(text.encode("utf-8", "surrogatepass") if ascii_only else text.encode("utf-8", "replace"))


@pytest.mark.parametrize(
    "payload",
    [
        b' {"a" : 1} \r\n',
        b'{"a":1,"a":2}',
        b"1e999",
        b"9" * 5_000,
        rb'"\ud800"',
        rb'"\\ud800"',
        rb'{"a":"\uD83D\uDE00","b":"\udc00"}',
        b"[" * 700 + b"]" * 700,
        b'"\x7f"',
    ],
)
def test_what_java_takes_is_taken(payload: bytes) -> None:
    """Twice the same key, numbers of any size, lone surrogates."""
    check_json(payload)


@pytest.mark.parametrize(
    "payload",
    [
        *(
            b"",
            b" ",
            b"{",
            b"{'a':1}",
            b"nul",
            b"NaN",
            b"[1,]",
            b"01",
            b"1.",
            b"1 2",
            b"{}x",
            b'"\x01"',
            b"\xef\xbb\xbf{}",
        ),
        *(b"\x87", b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', rb'"\ud8"', rb'"\x41"', rb'"\ud800', b"[" * 100_000),
        b"[" * 2_000 + b"]" * 2_000,
    ],
)
def test_what_is_no_json_is_an_error_with_lambdas_prefix(payload: bytes) -> None:
    """400, and the text goes on with what is wrong."""
    with pytest.raises(ApiError) as caught:
        check_json(payload)
    assert (caught.value.status, caught.value.error_type) == (400, "InvalidRequestContentException")
    prefix = "Could not parse request body into json: Could not parse payload into json: "
    assert caught.value.message.startswith(prefix)
    assert len(caught.value.message) > len(prefix)


@given(st.binary(max_size=40))
def test_nothing_is_taken_that_pythons_own_parser_refuses(payload: bytes) -> None:
    """Whatever the bytes are."""
    try:
        check_json(payload)
    except ApiError:
        return
    json.loads(payload)


def test_a_client_context_reaches_the_function_as_it_was_given() -> None:
    """Its text, not another writing of it."""
    text = '{"client": {"installation_id": "x"}, "custom": {"ключ": 1.0}}'
    assert client_context(base64.b64encode(text.encode()).decode()) == text
    assert client_context(None) is None
    assert client_context("") is None


@pytest.mark.parametrize(
    "header", ["not base64!", "e30", base64.b64encode(b"{").decode(), base64.b64encode(b"\xff").decode(), "é"]
)
def test_a_client_context_that_is_no_base64_of_json_is_refused(header: str) -> None:
    """Before anything runs."""
    with pytest.raises(ApiError, match="valid Base64-encoded JSON") as caught:
        client_context(header)
    assert caught.value.status == 400


def test_a_client_context_that_is_too_long_is_refused() -> None:
    """By the length of the header."""
    longest = base64.b64encode(b'"' + b"x" * 2_682 + b'"').decode()
    assert len(longest) <= CLIENT_CONTEXT_LIMIT
    assert client_context(longest)
    with pytest.raises(ApiError, match="too large"):
        client_context("A" * (CLIENT_CONTEXT_LIMIT + 1))
