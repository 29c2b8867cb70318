"""The mailbox between threads and loops, and the values that cross it."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import json
import threading

import anyio
import anyio.lowlevel
import orjson
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


@given(json_values)
@example({"Records": [10**30, 1.5, "\ud83d\ude00"]})
@example({"Records": [], "state": {"total": 2**70}})
@example([{"Records": []}])
def test_an_event_is_parsed_as_lambda_parses_it(value: object) -> None:
    """Integers of any size outside plain batches, and every text."""
    assert parse(json.dumps(value).encode()) == (json.loads(json.dumps(value)))


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.floats(0, 2e9)), max_size=5))
def test_a_plain_batch_is_parsed_the_same_way_faster(records: list[dict[str, object]]) -> None:
    """orjson and json agree on what batches hold."""
    event = orjson.dumps({"Records": records})

    assert parse(event) == json.loads(event)


def test_lone_surrogates_in_a_batch_are_kept() -> None:
    """As Lambda's parser does, which is more lenient than orjson."""
    assert parse(b'{"Records":[{"body":"\\ud800"}]}') == {"Records": [{"body": "\ud800"}]}


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
