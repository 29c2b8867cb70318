"""The event of a run, its ids, and its dead letter."""

from __future__ import annotations

import json

import pytest

from config.models import Config
from pollers.schedules.events import Home, event_of, home_of
from pollers.schedules.identity import begins_after, event_id, execution_id, request_id
from pollers.schedules.letters import LostRun, letter_of
from pollers.schedules.retrying import Failed
from tests.unit.schedules.fakes import schedule

HOME = Home("eu-west-1", "123456789012")
DUE = 1_647_975_583  # 2022-03-22T18:59:43Z


def test_the_default_event_of_a_schedule() -> None:
    """Its detail is a text (docs/lambda 14.3)."""
    event = json.loads(event_of(schedule(group_name="shop", input=None), DUE, 1, HOME))

    assert event == {
        "version": "0",
        "id": event_id("s", DUE),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "123456789012",
        "time": "2022-03-22T18:59:43Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:scheduler:eu-west-1:123456789012:schedule/shop/s"],
        "detail": "{}",
    }


def test_the_default_event_of_a_rule() -> None:
    """Its detail is an object (docs/lambda 14.2), and its members are in AWS's order."""
    event = json.loads(event_of(schedule(event="rule", input=None), DUE, 1, HOME))

    assert (event["source"], event["detail"]) == ("aws.events", {})
    assert event["resources"] == ["arn:aws:events:eu-west-1:123456789012:rule/s"]
    assert list(event) == ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]


def test_keywords_are_replaced_wherever_they_stand() -> None:
    """Others stay, and so does everything else of the text (docs/lambda 14.3)."""
    text = (
        '{"<aws.scheduler.attempt-number>": "at <aws.scheduler.scheduled-time>!",\n "a": "<aws.scheduler.schedule-arn>", '
        '"i": "<aws.scheduler.execution-id>", "o": "<aws.scheduler.other>"}'
    )

    event = event_of(schedule(input=text), DUE, 3, HOME).decode()

    arn = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/s"
    assert event == (
        f'{{"3": "at 2022-03-22T18:59:43Z!",\n "a": "{arn}", "i": "{execution_id("s", DUE)}", "o": "<aws.scheduler.other>"}}'
    )


def test_the_input_of_a_rule_is_passed_on_as_it_is() -> None:
    """Rules have no keywords."""
    text = '"<aws.scheduler.attempt-number>"'
    assert event_of(schedule(input=text, event="rule"), DUE, 3, HOME) == text.encode()


def test_ids_follow_from_name_and_due_time() -> None:
    """So that a run that comes twice is recognised."""
    assert request_id("s", DUE) == request_id("s", DUE)
    assert len({request_id("s", DUE), request_id("s", DUE + 1), request_id("t", DUE), event_id("s", DUE)}) == 4
    assert len(execution_id("s", DUE)) == 16
    int(execution_id("s", DUE), 16)


def test_the_second_within_a_window_is_drawn_once_for_each_due_time() -> None:
    """All of the window is used; without a window there is nothing to draw."""
    drawn = [begins_after("s", due, 900) for due in range(DUE, DUE + 2000)]

    assert drawn == [begins_after("s", due, 900) for due in range(DUE, DUE + 2000)]
    assert (min(drawn), max(drawn)) < (10, 900)
    assert max(drawn) > 890
    assert len(set(drawn)) > 700
    assert begins_after("s", DUE, 0) == 0


@pytest.mark.parametrize(
    ("settings", "home"),
    [
        ({}, Home("us-east-1", "000000000000")),
        ({"aws": {"region": "eu-west-1"}}, Home("eu-west-1", "000000000000")),
        (
            {"aws": {"region": "eu-west-1"}, "lambda_api": {"account": "123456789012"}},
            Home("eu-west-1", "123456789012"),
        ),
        ({"lambda_api": {"region": "eu-north-1"}}, Home("eu-north-1", "000000000000")),
    ],
)
def test_arns_agree_with_those_of_functions(settings: dict[str, object], home: Home) -> None:
    """Lambda's API decides where it is served."""
    assert home_of(Config.model_validate(settings)) == home


def test_the_dead_letter_of_a_schedule() -> None:
    """docs/lambda 14.8."""
    failed = Failed("TooManyRequestsException", "no room")
    lost = LostRun(schedule(input="{}"), DUE, b"{}", failed, 4, "MaximumRetryAttempts")

    letter = letter_of(lost, HOME)

    assert letter.body == b"{}"
    assert {name: one.value for name, one in letter.attributes.items()} == {
        "SCHEDULE_ARN": "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/s",
        "TARGET_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
        "ERROR_CODE": "TooManyRequestsException",
        "ERROR_MESSAGE": "no room",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "3",
        "EXECUTION_ID": execution_id("s", DUE),
        "IS_PAYLOAD_TRUNCATED": "false",
        "SCHEDULED_TIME": "2022-03-22T18:59:43Z",
    }


def test_the_dead_letter_of_a_rule() -> None:
    """A rule has fewer attributes; what was not tried again has no condition."""
    failed = Failed("ResourceNotFoundException", "Function not found: orders", lasting=True)
    lost = LostRun(schedule(event="rule"), DUE, b"{}", failed, 1, None)

    names = letter_of(lost, HOME).attributes.keys()

    assert names == {"RULE_ARN", "TARGET_ARN", "ERROR_CODE", "ERROR_MESSAGE", "RETRY_ATTEMPTS"}
