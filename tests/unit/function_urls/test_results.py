"""What a function returned, as a reply."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.function_urls.replies import Reply
from pollers.function_urls.reply_headers import InvalidReply
from pollers.function_urls.results import reply_of

JSON_TYPE = ("Content-Type", "application/json")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def reply(**members: Any) -> Reply:  # noqa: ANN401 - any JSON
    """The reply of an object with these members."""
    return reply_of(json.dumps(members).encode())


@pytest.mark.parametrize(
    ("returned", "body"),
    [
        (b'["hello", 3, true]', b'["hello",3,true]'),
        (b'{"a": {"b": [1, 2]}, "c": " x "}', b'{"a":{"b":[1,2]},"c":" x "}'),
        (b"3.10", b"3.10"),
        (b"123456789012345678901234567890", b"123456789012345678901234567890"),
        (b" true ", b"true"),
        (b"null", b"null"),
        (b'"hello"', b"hello"),
        (b'"gr\\u00fcn \xe2\x9c\x93 \\"x\\""', 'gr\u00fcn \u2713 "x"'.encode()),
        (b'"\\ud800"', b"?"),
        (b'""', b""),
        (b"", b""),
        (b"{}", b"{}"),
        (b"no json", b"no json"),
        (b'{"statusCode": 200', b'{"statusCode": 200'),
        (b'"no end', b'"no end'),
        (b'{"statusCode":200}\0\0\0\0\0\0\0\0body', b'{"statusCode":200}\0\0\0\0\0\0\0\0body'),
        (b"\x89PNG", b"\x89PNG"),
        (b'{"body": "x", "headers": {"a": "b"}}', b'{"body":"x","headers":{"a":"b"}}'),
        (b"[" * 100_000, b"[" * 100_000),
    ],
)
def test_what_has_no_status_is_the_body(returned: bytes, body: bytes) -> None:
    """As compact JSON with 200; a string without its quotes."""
    assert reply_of(returned) == Reply(200, (JSON_TYPE,), body)


def test_a_stated_reply_has_its_status_headers_and_body() -> None:
    """Each as it was given."""
    found = reply(
        statusCode=201, headers={"X-One": "1", "Content-Type": "text/plain"}, body="done", cookies=["a=1", "b=2"]
    )
    assert found == Reply(
        201,
        (("X-One", "1"), ("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
        b"done",
    )


def test_without_a_type_it_is_json() -> None:
    """In whatever case the function would have written the name."""
    assert reply(statusCode=200, body="x").headers == (JSON_TYPE,)
    assert reply(statusCode=200, headers={"content-TYPE": "a/b"}).headers == (("content-TYPE", "a/b"),)


@pytest.mark.parametrize(("status", "sent"), [("418", 418), (200, 200), (200.0, 200), (599, 599), ("599", 599)])
def test_a_status_may_be_text(status: object, sent: int) -> None:
    """A number, or its three digits."""
    assert reply(statusCode=status).status == sent


@pytest.mark.parametrize(
    "status",
    [
        None, True, "", "ok", "0200", " 200", "\u0662\u0660\u0660", 0, -1, 99, 100, 199, 600, 200.5, [200], {}, "+20", 10**400
    ],
)  # fmt: skip
def test_a_status_that_is_none_is_refused(status: object) -> None:
    """Also 100 to 199: a client would go on waiting."""
    with pytest.raises(InvalidReply, match=r"statusCode: found .*, expected a number from 200 to 599"):
        reply(statusCode=status)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    """Whatever the function gave, and no type either."""
    assert reply(statusCode=status, body="x") == Reply(status)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (None, b""),
        ("", b""),
        ({"a": [1, 2]}, b'{"a":[1,2]}'),
        ([1, 2], b"[1,2]"),
        (3, b"3"),
        (False, b"false"),
        ("\ud800", b"?"),
    ],
)
def test_a_body_that_is_no_string_is_written_as_json(body: object, sent: bytes) -> None:
    """Compact."""
    assert reply(statusCode=200, body=body).body == sent


def test_a_number_in_a_body_stays_as_it_was_written() -> None:
    """No digit is lost."""
    returned = b'{"statusCode": 200, "body": {"n": 12345678901234567890.10}}'
    assert reply_of(returned).body == b'{"n":12345678901234567890.10}'


@pytest.mark.parametrize("text", ["aGk=", "aGk"])
def test_a_base64_body_is_decoded(text: str) -> None:
    """With or without its padding."""
    assert reply(statusCode=200, body=text, isBase64Encoded=True).body == b"hi"


@pytest.mark.parametrize("body", ["a", "a===", "aGk=aGk=", "a Gk=", "aGk=\n", "a-_b", "\u00e9", {"a": 1}, 3])
def test_a_body_that_is_no_base64_is_refused(body: object) -> None:
    """Half a file is worse than none."""
    with pytest.raises(InvalidReply, match="body: found"):
        reply(statusCode=200, body=body, isBase64Encoded=True)


@pytest.mark.parametrize("flag", ["true", 1, []])
def test_whether_it_is_base64_is_true_or_false(flag: object) -> None:
    """A text "false" would be taken for true elsewhere."""
    with pytest.raises(InvalidReply, match="isBase64Encoded: found"):
        reply(statusCode=200, body="aGk=", isBase64Encoded=flag)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (10**30, str(10**30)),
        ("caf\u00e9", "caf\u00e9"),
        (" a\tb ", "a\tb"),
    ],
)
def test_values_of_headers_are_texts(value: object, sent: str) -> None:
    """Numbers, true and false as JSON writes them."""
    assert dict(reply(statusCode=200, headers={"x": value}).headers)["x"] == sent


def test_a_header_of_null_is_left_out() -> None:
    """As are headers and cookies as a whole."""
    assert reply(statusCode=200, headers={"x": None}, cookies=None).headers == (JSON_TYPE,)
    assert reply(statusCode=200, headers=None).headers == (JSON_TYPE,)


@pytest.mark.parametrize(
    "value", ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b", "\x7f", "\x85", "\u2028", "\u2713", ["a"], {}]
)
@pytest.mark.parametrize("where", ["header", "cookie"])
def test_nothing_ends_a_header_before_its_end(value: object, where: str) -> None:
    """Nor is anything beyond Latin-1 guessed at; a list is no value."""
    given: dict[str, Any] = {"headers": {"x": value}} if where == "header" else {"cookies": [value]}
    with pytest.raises(InvalidReply, match=r"headers\.x|cookies"):
        reply(statusCode=200, **given)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "\u00e9", "a\0", "(x)", "a\n"])
def test_names_of_headers_are_tokens(name: str) -> None:
    """A colon or a blank would be another header to somebody."""
    with pytest.raises(InvalidReply, match="headers: found the name"):
        reply(statusCode=200, headers={name: "x"})


@pytest.mark.parametrize("headers", ["a", 1, ["a"], [["a", "b"]]])
def test_headers_are_an_object(headers: object) -> None:
    """Nothing else is."""
    with pytest.raises(InvalidReply, match="headers: found"):
        reply(statusCode=200, headers=headers)


@pytest.mark.parametrize("cookies", ["a=1", {"a": "1"}, [1], 3])
def test_cookies_are_a_list_of_strings(cookies: object) -> None:
    """Nothing else is."""
    with pytest.raises(InvalidReply, match="cookies: found"):
        reply(statusCode=200, cookies=cookies)


def test_a_message_is_bounded_and_in_ascii() -> None:
    """It goes into the log: what the function returned must not fill it, nor forge a line of it."""
    with pytest.raises(InvalidReply) as wrong:
        reply(statusCode=200, headers={"x" * 5000: "\r\n\u2028" * 5000})
    assert len(str(wrong.value)) < 400
    assert str(wrong.value).isascii()
    assert "\n" not in str(wrong.value)


def test_a_function_does_not_say_how_its_reply_is_framed() -> None:
    """A length or a coding that is not the body's makes two replies of one."""
    headers = {
        "Content-Length": "1",
        "transfer-encoding": "chunked",
        "CONNECTION": "keep-alive",
        "Upgrade": "x",
        "X-Amzn-RequestId": "mine",
        "X-Kept": "1",
    }
    assert reply(statusCode=200, headers=headers, body="long").headers == (JSON_TYPE, ("X-Kept", "1"))


def test_a_status_beyond_every_number_is_refused() -> None:
    """As any other that is none."""
    with pytest.raises(InvalidReply, match="statusCode"):
        reply_of(b'{"statusCode": 1e400}')


def test_a_member_that_comes_twice_counts_as_it_came_last() -> None:
    """As JSON parsers have it."""
    assert reply_of(b'{"statusCode": 200, "statusCode": 201}').status == 201


@given(VALUES)
def test_any_json_becomes_a_reply_or_is_refused(value: object) -> None:
    """And the body means what was returned."""
    written = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        found = reply_of(written)
    except InvalidReply:
        return
    if isinstance(value, str):
        assert found.body == value.encode("utf-8", "replace")
    elif not (isinstance(value, dict) and "statusCode" in value):
        assert json.loads(found.body) == value


@given(
    status=st.just(200) | VALUES,
    headers=VALUES | st.dictionaries(st.text(), VALUES),
    cookies=VALUES | st.lists(st.text()),
    body=VALUES,
    flag=VALUES | st.booleans(),
)
def test_no_header_that_is_sent_can_end_itself(
    status: object, headers: object, cookies: object, body: object, flag: object
) -> None:
    """Whatever the five members are."""
    returned = json.dumps(
        {"statusCode": status, "headers": headers, "cookies": cookies, "body": body, "isBase64Encoded": flag}
    )
    try:
        found = reply_of(returned.encode())
    except InvalidReply:
        return
    assert all(re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII) for name, _ in found.headers)
    assert not any(ord(sign) < 32 and sign != "\t" for _, value in found.headers for sign in value)
    assert all(ord(sign) < 256 for _, value in found.headers for sign in value)


@given(st.binary())
def test_any_bytes_in_base64_arrive(raw: bytes) -> None:
    """Every byte of a file."""
    assert reply(statusCode=200, body=base64.b64encode(raw).decode(), isBase64Encoded=True).body == raw
