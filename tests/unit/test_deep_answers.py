"""Answers of functions, and data of senders, nested deeper than parsers and encoders go: a failed batch, never a raised error."""

from __future__ import annotations

import io
import json
import logging
from unittest.mock import patch

import pytest
from awslambdaric.lambda_runtime_exception import FaultException
from hypothesis import given
from hypothesis import strategies as st

from handlers import error_documents
from handlers.function import Invocation, Payload
from handlers.in_process.calls import failure, parse, serialise
from handlers.remote.replies import Reply, result_of
from pollers.commands.invoke import _show_result
from pollers.engine.responses import failed_ids
from pollers.filtering import Pattern
from pollers.jsontext import members
from pollers.jsontext.numbers import decode
from pollers.sources.dynamodb.kind import DYNAMODB
from pollers.sources.sqs.kind import SQS
from pollers.sources.streams.windows import StateMissing, read_answer
from tests.run_logging import as_run_logs

LEVELS = (200, 260, 900, 980, 1_000, 1_023, 1_030, 100_000)
"""Around the limits of the fast encoder (254), of Python's stack (1,000) and of the fast parser (1,024)."""

deep = pytest.mark.parametrize("levels", LEVELS)
shapes = pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"])


def nested(levels: int, opens: bytes = b"[", closes: bytes = b"]") -> bytes:
    """A value of that many levels."""
    return opens * levels + b"1" + closes * levels


@deep
@shapes
@pytest.mark.parametrize(
    "template",
    [
        b'{"batchItemFailures":[{"itemIdentifier":%b}]}',
        b'{"batchItemFailures":[%b]}',
        b'{"batchItemFailures":%b}',
        b'{"other":%b}',
        b"%b",
        b'{"\\ud800":1,"batchItemFailures":[{"itemIdentifier":%b}]}',
    ],
)
def test_the_verdict_on_a_deep_response_fails_the_batch(
    template: bytes, levels: int, opens: bytes, closes: bytes
) -> None:
    """Wherever the deep value is, and in one short sentence."""
    verdict = failed_ids(template % nested(levels, opens, closes), ["a", "b"])

    assert verdict.failed == {"a", "b"}
    assert verdict.problem is not None
    assert len(verdict.problem) < 300


@given(
    st.binary(max_size=20), st.sampled_from([b"[", b'{"itemIdentifier":', b'{"batchItemFailures":[', b'"', b"\\ud800"])
)
def test_no_bytes_make_a_verdict_raise(end: bytes, begin: bytes) -> None:
    """Whatever a function answers, its batch has a verdict."""
    failed_ids(b'{"batchItemFailures":[{"itemIdentifier":' + begin + end, ["a"])
    failed_ids(begin * 300 + end, ["a"])


@deep
@shapes
def test_a_window_s_deep_state_is_kept_or_refused(levels: int, opens: bytes, closes: bytes) -> None:
    """Refused is a failed invocation."""
    state = b'{"deep":%b}' % nested(levels, opens, closes)
    try:
        answer = read_answer(b'{"state":%b}' % state)
    except StateMissing:
        assert levels > 800
    else:
        assert answer.state == state


@pytest.mark.parametrize(
    "number",
    [
        "18446744073709551616",
        "-9223372036854775809",
        "1" * 5_000,
        "0.1000000000000000055511151231257827",
        "1.10",
        "1e999",
    ],
)
def test_numbers_in_a_window_s_state_stay_as_they_are(number: str) -> None:
    """The next invocation gets the digits that this one returned."""
    state = b'{"count": %b , "name":"caf\xc3\xa9 \\ud800"}' % number.encode()

    assert read_answer(b' {"batchItemFailures":[], "state" : %b }\n' % state).state == state


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"state"',
        b"{}",
        b'{"state":null}',
        b'{"state":[]}',
        b'{"state":"{}"}',
        b'{"state":{}',
        b'{"state":{}}x',
        b'{"state":{},}',
        b'{"state" {}}',
        b"{state:{}}",
        b'{1:{},"state":{}}',
        b'{"state":{"a":NaN}}',
        b'{"state":{"a":"\xff"}}',
        b'\xef\xbb\xbf{"state":{}}',
        b'{"state":{"a":"\xed\xa0\x80"}}',
        b'{"a":,"state":{}}',
    ],
)
def test_an_answer_without_a_state_is_a_failed_invocation(body: bytes) -> None:
    """What is no JSON object, and what has no object as its state."""
    with pytest.raises(StateMissing):
        read_answer(body)


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_state_comes_back_with_its_value(value: object) -> None:
    """Written compactly or not."""
    for indent in (None, 2):
        document = json.dumps({"batchItemFailures": None, "state": {"of": value}, "more": value}, indent=indent)
        answer = read_answer(document.encode())
        assert json.loads(answer.state) == {"of": value}
        assert answer.names_failures


def test_no_objects_are_made_of_a_large_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would hold the event loop for tens of milliseconds. Failures are read by themselves."""
    monkeypatch.setattr(members, "_DECODER", None)
    parsed: list[bytes] = []

    def loads(text: bytes) -> object:
        parsed.append(text)
        return json.loads(text)

    monkeypatch.setattr("pollers.engine.responses.orjson.loads", loads)
    state = json.dumps({f"k{number}": number for number in range(50_000)}).encode()
    body = b'{"state":%b,"batchItemFailures":[{"itemIdentifier":"b"}]}' % state

    assert read_answer(body).state == state
    assert failed_ids(body, ["a", "b"]).failed == {"b"}
    assert parsed == [b'[{"itemIdentifier":"b"}]']


@pytest.mark.parametrize(
    "template",
    [
        b'{"batchItemFailures":[{"itemIdentifier":"a"}],"more":%b}',
        b'{"more":%b,"batchItemFailures":[]}',
        b'{"more":%b,"batchItemFailures":null}',
        b'{"more":%b}',
        b'{"batchItemFailures":%b}',
        b'{"batchItemFailures":{"more":%b}}',
        b'{"batchItemFailures":[],"batchItemFailures":[{"itemIdentifier":"a"}],"more":%b}',
        b'{"batchItemFailures":[],"\\ud800":%b}',
        b'{"batchItemFailures":[],"more":%b',
        b'{"batchItemFailures":[],"more":%b}x',
        b'{"batchItemFailures":[],"more":[%b,NaN]}',
        b'{"batchItemFailures":[],"more":[%b,"\xff"]}',
        b'{"batch\\u0049temFailures":[{"itemIdentifier":"a"}],"more":%b}',
        b"%b",
        b"[%b]",
    ],
)
def test_the_verdict_is_the_same_however_large_the_response(template: bytes) -> None:
    """The large one is read another way."""
    small, large = (failed_ids(template % (b'"%b"' % (b"x" * size)), ["a"]) for size in (100, 200_000))

    assert small == large


def test_of_a_state_given_twice_the_last_one_counts() -> None:
    """As for every reader of JSON."""
    assert read_answer(b'{"state":{"a":1},"state":{"b":2}}').state == b'{"b":2}'


@deep
@shapes
def test_deep_error_documents_are_function_errors(levels: int, opens: bytes, closes: bytes) -> None:
    """Reported by the function or by its initialisation."""
    document = b'{"errorType":"Deep","errorMessage":"no","detail":%b}' % nested(levels, opens, closes)

    for error in (error_documents.reported(document), error_documents.init_failed(document)):
        assert error.document
        assert error_documents.log_text(error).startswith("[ERROR] ")
        if levels < 1_000:
            assert (error.error_type, error.message) == ("Deep", "no")


@deep
def test_a_deep_stack_trace_can_be_logged(levels: int) -> None:
    """Frames are texts; anything else is only named."""
    document = b'{"errorType":"Deep","errorMessage":"no","stackTrace":["File x\\n",%b]}' % nested(levels)

    assert error_documents.log_text(error_documents.reported(document))


@deep
@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
@pytest.mark.parametrize("emulator", [True, False])
def test_deep_http_replies_have_a_result(levels: int, status: int, emulator: bool) -> None:
    """From a web service and from the emulator."""
    body = b'{"errorType":"Deep","errorMessage":"no","trace":%b}' % nested(levels)

    assert result_of(Reply(status, "", None, body), emulator, "r-1", 0.0)


@deep
def test_a_deep_event_or_answer_in_process_is_a_function_error(levels: int) -> None:
    """By AWS's own names of them."""
    error = None
    try:
        serialise(parse(nested(levels)))
    except FaultException as fault:
        error = failure(fault, "r-1")

    assert error is None or error.error_type in ("Runtime.UnmarshalError", "Runtime.MarshalError")


def test_a_fault_with_a_trace_that_no_document_can_hold_is_a_function_error() -> None:
    """User code may raise AWS's own exception, with anything in it."""
    loop: list[object] = []
    loop += [loop, loop]

    error = failure(FaultException(loop, loop, loop), "r-1")

    assert json.loads(error.document)["errorType"] == error.error_type


@deep
@shapes
@pytest.mark.parametrize(
    "pattern", ['{"a":["x"]}', '{"a":{"a":{"a":[{"exists":false}]}}}', '{"a":[{"anything-but":["x"]}]}']
)
def test_deep_data_has_a_match_or_none(pattern: str, levels: int, opens: bytes, closes: bytes) -> None:
    """For filters on bodies and on stream data."""
    for keep in (True, False):
        value = decode(b'{"a":%b}' % nested(levels, opens, closes), keep_number_texts=keep)
        if isinstance(value, dict):
            Pattern.compile(pattern).matches(value)


@deep
@shapes
def test_the_sample_of_a_deep_record_is_its_start(levels: int, opens: bytes, closes: bytes) -> None:
    """For the console and the flight recorder."""
    body = nested(levels, opens, closes)

    assert SQS.shown.first_payload(b'{"messageId":"m","body":%b}' % json.dumps(body.decode()).encode()).startswith(
        body[:50]
    )
    assert DYNAMODB.shown.first_payload(b'{"eventID":"e","dynamodb":%b}' % body).startswith(body[:50])


@deep
@shapes
def test_a_deep_answer_is_printed_as_it_is(levels: int, opens: bytes, closes: bytes) -> None:
    """By ``headrace invoke`` on a terminal, which lays JSON out where it can."""
    body = nested(levels, opens, closes)
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")

    with patch("sys.stdout", out), patch.object(out, "isatty", return_value=True, create=True):
        _show_result(Invocation("r-1", Payload(body), 0.0))

    out.flush()
    assert b"1" in out.buffer.getvalue()


class Unshowable:
    """Whose repr raises."""

    def __repr__(self) -> str:
        raise RecursionError


@deep
def test_a_log_line_with_deep_or_broken_values_is_written(levels: int) -> None:
    """User code logs what it likes, in process."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    out = io.StringIO()
    with as_run_logs(stream=out):
        logging.getLogger("shop").warning("deep \ud800", extra={"value": value, "broken": Unshowable()})

    assert json.loads(out.getvalue())["event"].startswith("deep")
