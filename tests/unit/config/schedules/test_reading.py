"""The section ``schedules``: models, faults with file and line, and what is pasted from AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from config import load
from config.schema import json_schema
from tests.unit.config.conftest import FUNCTION
from tests.unit.config.test_documentation import DOCUMENT, prepared, yaml_blocks

if TYPE_CHECKING:
    from config.models import Schedule
    from tests.unit.config.conftest import Folder

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:schedules-dead"
REPLY: dict[str, Any] = {
    "Arn": "arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly",
    "CreationDate": 1767225600.0,
    "Description": "every night",
    "FlexibleTimeWindow": {"MaximumWindowInMinutes": 15, "Mode": "FLEXIBLE"},
    "GroupName": "shop",
    "Name": "s",
    "ScheduleExpression": "cron(0 2 * * ? *)",
    "ScheduleExpressionTimezone": "Europe/Berlin",
    "State": "DISABLED",
    "ActionAfterCompletion": "NONE",
    "Target": {
        "Arn": ARN,
        "DeadLetterConfig": {"Arn": QUEUE},
        "Input": '{"report": "daily"}',
        "RetryPolicy": {"MaximumEventAgeInSeconds": 600, "MaximumRetryAttempts": 3},
        "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
    },
}
"""What ``aws scheduler get-schedule`` prints."""
TERRAFORM: dict[str, Any] = {
    "name": "s",
    "group_name": "shop",
    "schedule_expression": "cron(0 2 * * ? *)",
    "schedule_expression_timezone": "Europe/Berlin",
    "state": "DISABLED",
    "start_date": None,
    "flexible_time_window": [{"mode": "FLEXIBLE", "maximum_window_in_minutes": 15}],
    "target": [
        {
            "arn": ARN,
            "role_arn": "arn:aws:iam::123456789012:role/scheduler",
            "input": '{"report": "daily"}',
            "dead_letter_config": [{"arn": QUEUE}],
            "ecs_parameters": [],
            "retry_policy": [{"maximum_event_age_in_seconds": 600, "maximum_retry_attempts": 3}],
        }
    ],
}


def document(schedule: object) -> dict[str, Any]:
    """A configuration with one schedule, ``s``."""
    return {"functions": {"orders": {"code": ".", "handler": "app.handler"}}, "schedules": {"s": schedule}}


def read(folder: Folder, schedule: object) -> Schedule:
    """The schedule ``s`` with these settings; the schema takes it as well."""
    written = document(schedule)
    VALIDATOR.validate(written)
    return folder.load(json.dumps(written), "headrace.json").config.schedules["s"]


def faults(folder: Folder, **settings: object) -> list[str]:
    """What is said of a schedule with these settings, without file, line and its own path."""
    given = {"schedule_expression": "rate(5 minutes)", "function_name": "orders"} | settings
    written = {name: value for name, value in given.items() if value != "absent"}
    found = folder.faults(json.dumps(document(written)), "headrace.json")
    return [fault.split(": ", 1)[1].removeprefix("schedules.s").removeprefix(".").removeprefix(": ") for fault in found]


def test_a_schedule_with_nothing_but_what_it_must_have(folder: Folder) -> None:
    """The rest are AWS's defaults."""
    schedule = read(folder, {"schedule_expression": "rate(5 minutes)", "function_name": "orders"})

    assert schedule.model_dump(mode="json") == {
        "name": "s",
        "schedule_expression": "rate(5 minutes)",
        "schedule_expression_timezone": "UTC",
        "function_name": "orders",
        "input": None,
        "event": "scheduler",
        "state": "ENABLED",
        "group_name": "default",
        "start_date": None,
        "end_date": None,
        "flexible_time_window": {"mode": "OFF", "maximum_window_in_minutes": None},
        "retry_policy": {"maximum_retry_attempts": 185, "maximum_event_age_in_seconds": 86400},
        "dead_letter_config": {"arn": None},
        "missed": "once",
    }


@pytest.mark.parametrize(
    "schedule",
    [REPLY, TERRAFORM, {"Type": "AWS::Scheduler::Schedule", "Properties": REPLY}],
    ids=["reply", "terraform", "cloudformation"],
)
def test_a_pasted_schedule_means_what_it_means_on_aws(folder: Folder, schedule: dict[str, Any]) -> None:
    """The target's settings become the schedule's own."""
    found = read(folder, schedule)

    assert (found.function_name, found.input, found.group_name) == ("orders", '{"report": "daily"}', "shop")
    assert (found.retry_policy.maximum_retry_attempts, found.retry_policy.maximum_event_age_in_seconds) == (3, 600)
    assert found.dead_letter_config.arn == QUEUE
    assert (found.window_seconds, found.enabled) == (900, False)


def test_what_is_pasted_and_has_no_effect_is_noted(folder: Folder) -> None:
    """Each on its line, in its own spelling."""
    notes = [
        note.message for note in folder.load(json.dumps(document(REPLY | {"Name": "nightly"})), "headrace.json").notes
    ]

    assert "Name is ignored: the schedule is called 's'" in notes
    assert "Description has no effect outside AWS" in notes
    assert "ignored what AWS reports and no schedule can be given: Arn, CreationDate" in notes


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"a": [1, None, True]}, '{"a":[1,null,true]}'),
        ([], "[]"),
        (5, "5"),
        ('{"at": "<aws.scheduler.scheduled-time>"}', '{"at": "<aws.scheduler.scheduled-time>"}'),
        ('"text"', '"text"'),
        (None, None),
    ],
)
def test_the_input_is_json_text_or_any_value(folder: Folder, given: object, text: str | None) -> None:
    """Text stays as it is written."""
    schedule = read(folder, {"schedule_expression": "rate(5 minutes)", "function_name": "orders", "input": given})

    assert schedule.input == text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"schedule_expression": "cron(71 8 1 * ? *)"},
            "schedule_expression: found the minute '71', expected 0 to 59 (AWS: Invalid Schedule Expression cron(71 8 1 * ? *).)",
        ),
        (
            {"schedule_expression": "rate(1 minutes)", "event": "rule"},
            "schedule_expression: found the unit 'minutes' in 'rate(1 minutes)', expected minute: rules have the singular for 1 "
            "only (AWS: Parameter ScheduleExpression is not valid.)",
        ),
        (
            {"schedule_expression": "absent"},
            "schedule_expression is missing, expected rate(value unit), cron(fields) or at(yyyy-mm-ddThh:mm:ss)",
        ),
        ({"function_name": "absent"}, "function_name is missing, expected the name or the ARN of a function"),
        (
            {"function_name": "order"},
            "function_name: found 'order' (did you mean 'orders'?), expected a function that is defined under functions (orders)",
        ),
        (
            {"schedule_expression_timezone": "Europe/Berln"},
            "schedule_expression_timezone: found 'Europe/Berln' (did you mean 'Europe/Berlin'?), expected an IANA time zone, such "
            "as Europe/Berlin",
        ),
        (
            {"input": "hello"},
            "input: found text that is no JSON (malformed JSON at 'hello', expected a JSON value), expected JSON text, or a "
            "mapping or list in its place",
        ),
        (
            {"input": ""},
            "input: found text that is no JSON (an empty text), expected JSON text, or a mapping or list in its place",
        ),
        ({"input": '"' + "x" * 262_143 + '"'}, "input: found 262145 bytes, expected at most 262144"),
        (
            {"input": '"' + "x" * 8191 + '"', "event": "rule"},
            "input: found 8193 characters with event: rule, expected at most 8192",
        ),
        (
            {"flexible_time_window": {"mode": "FLEXIBLE"}},
            "flexible_time_window.mode: found FLEXIBLE without maximum_window_in_minutes, expected both",
        ),
        (
            {"flexible_time_window": {"maximum_window_in_minutes": 5}},
            "flexible_time_window.maximum_window_in_minutes: found 5 with mode OFF, expected mode FLEXIBLE",
        ),
        (
            {"start_date": "2026-01-02", "end_date": "2026-01-01"},
            "end_date: found 2026-01-01T00:00:00+00:00, which is before start_date 2026-01-02T00:00:00+00:00, expected a later "
            "time",
        ),
        (
            {"event": "rule", "start_date": 5},
            "start_date: found it with event: rule, expected it with event: scheduler only: rules have no such setting",
        ),
        (
            {"dead_letter_config": {"arn": QUEUE + ".fifo"}},
            "dead_letter_config.arn: found a FIFO queue, expected the ARN of a standard SQS queue: FIFO queues are no dead-letter "
            "queues",
        ),
        (
            {"target": {"arn": "orders"}},
            "target.arn: found it together with the schedule's own function_name, expected one of the two",
        ),
        (
            {"function_name": "absent", "Target": {"Arn": "arn:aws:scheduler:::aws-sdk:lambda:invoke"}},
            "Target.Arn: found 'arn:aws:scheduler:::aws-sdk:lambda:invoke', expected the name or the ARN of a function under "
            "functions: universal targets are not served; what Input has as Payload is the input here",
        ),
        (
            {"function_name": "absent", "Target": {"Arn": "orders", "SqsParameters": {"MessageGroupId": "g"}}},
            "Target.SqsParameters: found SqsParameters, which is about another kind of target, expected the ARN of a function and "
            "no parameters",
        ),
        ({"retry_policy": {"maximum_retry_attempts": 186}}, "retry_policy.maximum_retry_attempts: found 186, expected"),
        ({"missed": "all"}, "missed: found 'all', expected one of once, skip"),
        ({"group_name": "a/b"}, "group_name: found 'a/b', expected letters, digits, '.', '_' and '-'"),
    ],
)
def test_a_wrong_setting_is_a_fault_of_its_own(folder: Folder, settings: dict[str, object], message: str) -> None:
    """One fault, at the setting, with AWS's words where they are recorded."""
    found = faults(folder, **settings)

    assert len(found) == 1
    assert found[0].startswith(message)


def test_a_machine_without_zones_is_told_apart_from_a_wrong_name(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UTC is known everywhere; for anything else the fault says what to install."""
    monkeypatch.setattr("config.schedules.rules.known_zones", set)

    [fault] = faults(folder, schedule_expression_timezone="Europe/Nowhere")

    assert fault.endswith("expected UTC: this machine has no time zone database (install the package tzdata)")
    assert read(folder, {"schedule_expression": "rate(1 hour)", "function_name": "orders"}).name == "s"


def test_faults_have_file_and_line(folder: Folder) -> None:
    """Also in a file beside others; names of schedules are those of EventBridge."""
    folder.write(FUNCTION, "a.yaml")
    folder.write("schedules:\n  'a b':\n    schedule_expression: x\n    function_name: orders\n", "b.yaml")

    assert folder.faults() == [
        "b.yaml:2: schedules.a b: found the name 'a b', expected 1 to 64 letters, digits, '.', '_' and '-', as EventBridge "
        "has them",
        "b.yaml:3: schedules.a b.schedule_expression: found 'x', expected rate(value unit), cron(fields) or "
        "at(yyyy-mm-ddThh:mm:ss) (AWS: Invalid Schedule Expression x.)",
    ]


def test_schedules_may_be_spread_over_files(folder: Folder) -> None:
    """As functions and mappings may."""
    folder.write(FUNCTION, "a.yaml")
    folder.write("schedules: {one: {schedule_expression: rate(1 hour), function_name: orders}}", "b.yaml")
    folder.write("schedules: {two: {schedule_expression: rate(1 hour), function_name: orders}}", "c.yaml")

    assert list(folder.load().config.schedules) == ["one", "two"]


@pytest.mark.parametrize("text", ["at(2025-12-31T00:00:00)", "cron(0 0 30 2 ? *)", "cron(15 10 ? * 6L 2002-2005)"])
def test_a_schedule_that_is_not_due_any_more_is_noted(folder: Folder, text: str) -> None:
    """AWS takes it, and so do we."""
    loaded = folder.load(
        json.dumps(document({"schedule_expression": text, "function_name": "orders"})), "headrace.json"
    )

    assert "not due at any time after 2026-01-01T00:00:00Z" in [note.message for note in loaded.notes]


def test_a_local_time_that_does_not_exist_is_noted_as_that(folder: Folder) -> None:
    """It is no time that has passed: it lies ahead, and clocks leave it out."""
    settings = {"schedule_expression": "at(2027-03-28T02:30:00)", "schedule_expression_timezone": "Europe/Berlin"}
    loaded = folder.load(json.dumps(document({**settings, "function_name": "orders"})), "headrace.json")

    said = "never due: clocks in Europe/Berlin leave out 2027-03-28T02:30:00, since they are set forward over it"
    assert said in [note.message for note in loaded.notes]


def test_a_rate_is_never_noted_as_over(folder: Folder) -> None:
    """Its first run is at once, however long its interval."""
    text = "rate(99999999999 days)"
    loaded = folder.load(
        json.dumps(document({"schedule_expression": text, "function_name": "orders"})), "headrace.json"
    )

    assert not any("not due" in note.message for note in loaded.notes)


def test_loading_twice_gives_equal_schedules(folder: Folder) -> None:
    """A reload compares models to see what changed."""
    folder.write(json.dumps(document(REPLY)), "headrace.json")
    file = folder.path / "headrace.json"

    assert load(file, environ={}).config.schedules == load(file, environ={}).config.schedules


def test_the_example_of_the_documentation_loads(folder: Folder) -> None:
    """Without a fault and without a note."""
    [text] = yaml_blocks(DOCUMENT.with_name("schedules.md"))

    loaded = prepared(folder).load(text)

    assert (list(loaded.config.schedules), loaded.notes) == (["nightly", "tick"], [])
