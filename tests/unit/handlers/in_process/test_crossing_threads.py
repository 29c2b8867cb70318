"""The mailbox between threads and loops, and the values that cross it."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import json
import threading

import anyio
import anyio.lowlevel
import pytest
from awslambdaric.lambda_runtime_exception import FaultException
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.function import FunctionError, Payload
from handlers.in_process.calls import failure, parse, serialise
from handlers.in_process.mailbox import Mailbox

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


async def test_a_mailbox_loses_nothing_and_keeps_each_sender_s_order() -> None:
    """From eight threads at once, while the receiver is at work."""
    got: list[tuple[int, int]] = []
    box = Mailbox(asyncio.get_running_loop(), got.append)

    def send(sender: int) -> None:
        for number in range(2000):
            box.put((sender, number))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    with anyio.fail_after(60):
        while len(got) < 16_000:
            await anyio.sleep(0.001)
    for thread in threads:
        thread.join()

    for sender in range(8):
        assert [number for who, number in got if who == sender] == list(range(2000))


async def test_a_mailbox_takes_what_is_put_in_while_it_is_emptied() -> None:
    """The receiver may answer by putting more in."""
    got: list[int] = []

    def receive(item: int) -> None:
        got.append(item)
        if item < 100:
            box.put(item + 1)

    box = Mailbox(asyncio.get_running_loop(), receive)
    box.put(0)
    with anyio.fail_after(60):
        while len(got) < 101:
            await anyio.lowlevel.checkpoint()

    assert got == list(range(101))


async def test_a_mailbox_does_not_carry_context_variables_over() -> None:
    """The receiver runs in a context of its own."""
    variable = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []
    box: Mailbox[int] = Mailbox(asyncio.get_running_loop(), lambda _: seen.append(variable.get()))
    variable.set("sender's")
    box.put(1)
    with anyio.fail_after(60):
        while not seen:
            await anyio.lowlevel.checkpoint()

    assert seen == ["unset"]


def test_a_mailbox_of_a_closed_loop_drops_what_it_gets() -> None:
    """A late thread has nobody left to tell."""
    loop = asyncio.new_event_loop()
    loop.close()

    box: Mailbox[int] = Mailbox(loop, lambda _: None)
    box.put(1)


spaces = st.text(" \t\r\n", max_size=2)
digits = st.text("0123456789", min_size=1, max_size=40)
numbers = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(["", "-"]),
    st.integers(0, 2**200).map(str) | st.sampled_from(["0", "9007199254740993", "18446744073709551616", "1" * 4301]),
    st.just("") | digits.map(".{}".format),
    st.just("") | st.integers(-400, 400).map("e{:+d}".format) | st.integers(0, 310).map("E{}".format),
)
texts = st.one_of(
    st.text().map(json.dumps),
    st.text().map(lambda value: json.dumps(value, ensure_ascii=False)),
    st.lists(
        st.sampled_from([*"ab/\x7f\x00\t\u00e9", *[f"\\{end}" for end in ("n", "/", "x", "ud83d", "ude00", "u0000")]])
    ).map(lambda parts: f'"{"".join(parts)}"'),
)
json_texts = st.recursive(
    numbers
    | texts
    | st.sampled_from(["true", "false", "null", "NaN", "-Infinity", "01", "1.", "-", "+1", "tru", "", "\ufeff"]),
    lambda inner: (
        st.builds(
            lambda opens, space, parts, close: opens + space + ",".join(parts) + space + close,
            st.just("["),
            spaces,
            st.lists(inner, max_size=4),
            st.just("]"),
        )
        | st.builds(
            lambda space, parts: "{" + ",".join(f"{space}{key}{space}:{value}{space}" for key, value in parts) + "}",
            spaces,
            st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '"Records"']) | texts, inner), max_size=4),
        )
    ),
    max_leaves=12,
)
"""Texts that are JSON, and some that are almost: all kinds of numbers, escapes, space, and names that come twice."""


@given(st.builds(lambda before, text, after: before + text + after, spaces, json_texts, spaces))
@example('{"Records":[123456789012345678901234567890]}')
@example('{"Records":[{"body":"\\ud800"}]}')
@example("[-0,-0.0,5e-324,2e-324,1.7976931348623159e308,1E5,1.0]")
@example('{"a":1,"b":2,"a":3}')
@example("[" * 1_500 + "]" * 1_500)
def test_an_event_is_parsed_as_lambda_parses_it(text: str) -> None:
    """Values, their types and the order of names; what is a fault there is one here."""
    event = text.encode("utf-8", "surrogatepass")
    try:
        expected: object = json.loads(event)
    except (ValueError, RecursionError):
        with pytest.raises(FaultException, match="Unable to unmarshal input"):
            parse(event)
        return
    assert repr(parse(event)) == repr(expected)  # which tells 1 from 1.0, and 0.0 from -0.0


@given(json_values, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"]))
def test_an_event_is_parsed_in_any_encoding_of_json(value: object, encoding: str) -> None:
    """As ``json.loads`` does."""
    assert repr(parse(json.dumps(value).encode(encoding))) == repr(json.loads(json.dumps(value)))


@given(st.binary(max_size=12) | st.binary(max_size=6).map(lambda inside: b'"%b"' % inside))
def test_any_bytes_are_an_event_or_a_fault(event: bytes) -> None:
    """The same ones as for ``json.loads``."""
    try:
        expected: object = json.loads(event)
    except (ValueError, RecursionError):
        with pytest.raises(FaultException, match="Unable to unmarshal input"):
            parse(event)
        return
    assert repr(parse(event)) == repr(expected)


@pytest.mark.parametrize("event", [b"", b"{", b'{"Records":[nonsense]}', b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_not_json_is_a_fault(event: bytes) -> None:
    """Of Lambda's own kind."""
    with pytest.raises(FaultException, match="Unable to unmarshal input"):
        parse(event)


@given(json_values)
def test_an_answer_comes_back_as_it_was(value: object) -> None:
    """Through Lambda's own encoder."""
    result = serialise(value)

    assert isinstance(result, Payload)
    assert json.loads(result.body) == value


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (None, b"null"),
        ("", b'""'),
        ({1: (2, 3)}, b'{"1": [2, 3]}'),
        ({"price": decimal.Decimal("1.10")}, b'{"price": 1.10}'),
        (decimal.Decimal("NaN"), b"NaN"),
        (float("inf"), b"Infinity"),
        (b"raw", b"raw"),
    ],
)
def test_an_answer_is_serialised_as_lambda_does(answer: object, body: bytes) -> None:
    """Decimals as numbers, keys as text, bytes as they are."""
    assert serialise(answer) == Payload(body)


@given(st.text(), st.text(min_size=1))
def test_any_text_in_an_exception_makes_a_document(message: str, request_id: str) -> None:
    """Whatever characters it holds."""
    result = failure(ValueError(message), request_id)

    assert isinstance(result, FunctionError)
    assert json.loads(result.document)["errorMessage"] == result.message
