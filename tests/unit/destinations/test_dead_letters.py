"""Dead letters of functions and of schedules."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.api import MessageAttribute
from pollers.destinations import Condition, FailedHandover, Undeliverable, rule_dead_letter, scheduler_dead_letter
from pollers.destinations.dead_letters import function_dead_letter
from pollers.destinations.limits import accepted_characters, check_characters, cut
from tests.unit.destinations.ends import REQUEST_ID, ended

EVENT = b' {"order": 1.0, "name": "\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87"}\n'


def message_of(response: bytes) -> str | None:
    """The attribute ErrorMessage of an event to which the function answered with this."""
    given = function_dead_letter(ended(response=response)).attributes.get("ErrorMessage")
    return None if given is None else given.value


def test_a_dead_letter_is_the_event_exactly_with_three_attributes() -> None:
    """docs/lambda 12.7: ErrorCode is a Number."""
    message = function_dead_letter(ended(payload=EVENT)).message()
    assert message.body.encode() == EVENT
    assert message.attributes == {
        "RequestID": MessageAttribute("String", REQUEST_ID),
        "ErrorCode": MessageAttribute("Number", "200"),
        "ErrorMessage": MessageAttribute("String", "no stock"),
    }


def test_an_event_that_never_ran_has_the_code_of_a_throttle() -> None:
    """Ours: AWS's is not known."""
    letter = function_dead_letter(ended(Condition.ZERO_RESERVED_CONCURRENCY, count=0, response=None))
    assert letter.attributes["ErrorCode"] == MessageAttribute("Number", "429")
    assert letter.attributes["ErrorMessage"] == MessageAttribute("String", "Rate Exceeded.")


@pytest.mark.parametrize(
    ("text", "kept"),
    [("a" * 1024, 1024), ("a" * 1025, 1024), ("é" * 600, 1024), ("a" + "é" * 600, 1023), ("€" * 400, 1023)],
)
def test_an_error_message_has_at_most_1_kb_and_no_half_character(text: str, kept: int) -> None:
    """Of UTF-8: that is what the service counts."""
    found = message_of(json.dumps({"errorMessage": text}).encode())
    assert found is not None
    assert text.startswith(found)
    assert len(found.encode()) == kept


@given(st.text(max_size=50), st.integers(0, 60))
def test_a_cut_is_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    """One character more would be too many."""
    found = cut(text, limit)
    encoded = text.encode("utf-8", "replace")
    assert len(found.encode()) <= limit or found == text
    if found != text:
        assert encoded.startswith(found.encode())
        following = encoded[len(found.encode()) :].decode()[0]
        assert len((found + following).encode()) > limit


def test_an_error_message_that_a_queue_would_refuse_does_not_keep_the_letter() -> None:
    """Control characters, and half of a surrogate pair, are replaced; an empty message is left out."""
    assert message_of(json.dumps({"errorMessage": "a\x00b\x1b[31m\ufffe"}).encode()) == "a\ufffdb\ufffd[31m\ufffd"
    assert message_of(rb'{"errorMessage": "\ud800x"}') is not None
    assert message_of(b'{"errorMessage": ""}') is None


@pytest.mark.parametrize("response", [b'{"message": "x"}', b"[1]", b"text", b'{"errorMessage": 5}', b'"no"'])
def test_an_answer_without_an_error_message_is_told_whole(response: bytes) -> None:
    """A custom runtime may report anything."""
    assert message_of(response) == response.decode()


def test_an_event_that_is_no_text_cannot_be_a_message() -> None:
    """It is not accepted either; said all the same."""
    with pytest.raises(Undeliverable, match="no UTF-8"):
        function_dead_letter(ended(payload=b"\xff")).message()


@given(st.text())
def test_what_replaces_refused_characters_is_accepted(text: str) -> None:
    """And nothing else changes."""
    accepted = accepted_characters(text)
    check_characters(accepted)
    assert len(accepted) == len(text)


FAILED = FailedHandover(
    "arn:aws:lambda:us-east-1:000000000000:function:gone", "ResourceNotFoundException", "Function not found", 0
)


def test_a_dead_letter_of_a_rule_has_the_attributes_of_eventbridge() -> None:
    """docs/lambda 14.1; the condition only where retries were used up."""
    letter = rule_dead_letter(b'{"id":1}', "arn:aws:events:us-east-1:000000000000:rule/r", FAILED)
    assert letter.message().body == '{"id":1}'
    assert {name: given.value for name, given in letter.attributes.items()} == {
        "RULE_ARN": "arn:aws:events:us-east-1:000000000000:rule/r",
        "TARGET_ARN": FAILED.target_arn,
        "ERROR_CODE": "ResourceNotFoundException",
        "ERROR_MESSAGE": "Function not found",
        "RETRY_ATTEMPTS": "0",
    }


def test_a_dead_letter_of_scheduler_has_its_attributes() -> None:
    """All of them texts."""
    failed = FailedHandover("arn:f", "429", "Rate Exceeded.", 185, "MaximumRetryAttempts")
    letter = scheduler_dead_letter(
        b'{"report":"daily"}', "arn:s", failed, execution_id="d32c5kddcf5bb8c3", scheduled_time="2022-03-22T18:59:43Z"
    )
    assert {given.data_type for given in letter.attributes.values()} == {"String"}
    assert {name: given.value for name, given in letter.attributes.items()} == {
        "SCHEDULE_ARN": "arn:s",
        "TARGET_ARN": "arn:f",
        "ERROR_CODE": "429",
        "ERROR_MESSAGE": "Rate Exceeded.",
        "EXECUTION_ID": "d32c5kddcf5bb8c3",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "185",
        "SCHEDULED_TIME": "2022-03-22T18:59:43Z",
    }


@given(st.text(st.characters(max_codepoint=127)))
def test_text_of_ascii_is_looked_at_as_any_other(text: str) -> None:
    """Only faster."""
    refused = accepted_characters(text) != text
    with pytest.raises(Undeliverable) if refused else nullcontext():
        check_characters(text)
