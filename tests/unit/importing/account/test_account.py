"""What becomes of a live account: its mappings and schedules, the functions that they call, and how to take them over."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from pollers.aws.errors import AccessDenied, AwsError, Refused, Throttled, Unavailable
from pollers.importing import write
from pollers.importing.account.calls import TRIES, PatientCalls, paged
from pollers.importing.account.collecting import Collector, source_name
from pollers.importing.account.reading import imported_account
from tests.unit.importing.account.service import (
    ACCOUNT,
    QUEUE,
    STREAM,
    TABLE,
    WORKER,
    Service,
    account,
    function,
    mapping,
    stream,
)
from tests.unit.importing.templates import Outcome, options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIME = "2026-01-01T00:00:00Z"


async def imported(
    folder: Path,
    service: Service,
    scheduler: Service | None = None,
    events: Service | None = None,
    *,
    progress: list[str] | None = None,
    folders: Mapping[str, Path] | None = None,
) -> Outcome:
    """What comes of an account."""
    told: list[str] = [] if progress is None else progress
    none = Service({("ListSchedules",): {}, ("ListRules",): {}})
    collector = Collector(service, scheduler or none, events or none, told.append)
    found = imported_account(await collector.collected(), "the account", folders or {})
    written = write(found, folder)
    return Outcome(written.text, [str(note) for note in written.notes], written.variables, folder)


async def test_a_queues_mapping_and_its_function(tmp_path: Path) -> None:
    """The function is called in AWS by its ARN; the advice says what to do first."""
    found = await imported(tmp_path, account(mapping(BatchSize=5)))
    assert options(found, "functions", "worker") == {"runtime": "lambda", "function_arn": WORKER, "timeout": 30}
    assert options(found, "event_source_mappings", "worker-jobs") == {
        "event_source_arn": QUEUE,
        "function_name": "worker",
        "batch_size": 5,
    }
    assert "# event source mapping u1" in found.text.replace("  ", "")
    assert "--no-enabled" in found.text
    assert any("--no-enabled" in note for note in found.notes)
    found.loaded()


async def test_streams_are_read_on_from_where_they_were_left(tmp_path: Path) -> None:
    """A Kinesis stream from the time of the take-over, a DynamoDB stream from its beginning."""
    found = await imported(tmp_path, account(stream(), stream(UUID="u2", EventSourceArn=TABLE)))
    clicks = options(found, "event_source_mappings", "worker-clicks")
    assert (clicks["starting_position"], clicks["starting_position_timestamp"]) == ("AT_TIMESTAMP", "${TAKE_OVER_TIME}")
    assert options(found, "event_source_mappings", "worker-t")["starting_position"] == "TRIM_HORIZON"
    assert found.variables == ("TAKE_OVER_TIME",)
    assert found.loaded(TAKE_OVER_TIME=TIME).event_source_mappings["worker-clicks"].name == "worker-clicks"


@pytest.mark.parametrize("state", ["Disabled", "Disabling"])
async def test_a_mapping_that_is_disabled_stays_so(tmp_path: Path, state: str) -> None:
    """As it is, and without advice."""
    found = await imported(tmp_path, account(stream(State=state)))
    written = options(found, "event_source_mappings", "worker-clicks")
    assert (written["enabled"], written["starting_position"]) == (False, "LATEST")
    assert "--no-enabled" not in found.text


async def test_a_mapping_that_is_being_deleted_is_left_out(tmp_path: Path) -> None:
    """It is gone in a moment."""
    assert "worker" not in (await imported(tmp_path, account(mapping(State="Deleting")))).text


async def test_every_page_is_read_and_the_order_is_ours(tmp_path: Path) -> None:
    """The same bytes, however the service lists them."""
    pages: dict[tuple[str, ...], Any] = {
        ("ListEventSourceMappings",): {"EventSourceMappings": [mapping(UUID="b")], "NextMarker": "m"},
        ("ListEventSourceMappings", "m"): {"EventSourceMappings": [mapping(UUID="a", EventSourceArn=f"{QUEUE}0")]},
        ("GetFunction", WORKER): function(),
    }
    turned: dict[tuple[str, ...], Any] = {
        ("ListEventSourceMappings",): {**pages["ListEventSourceMappings", "m"], "NextMarker": "m"},
        ("ListEventSourceMappings", "m"): {"EventSourceMappings": [mapping(UUID="b")]},
        ("GetFunction", WORKER): function(),
    }
    one, other = await imported(tmp_path, Service(pages)), await imported(tmp_path, Service(turned))
    assert one.text == other.text
    assert len(one.loaded().event_source_mappings) == 2


async def test_filters_with_a_key_of_ones_own_are_asked_for(tmp_path: Path) -> None:
    """The list does not have them."""
    filters = {"Filters": [{"Pattern": '{"body":{"a":["b"]}}'}]}
    service = account(mapping(KMSKeyArn="arn:aws:kms:eu-west-1:1:key/k"))
    service.replies["GetEventSourceMapping", "u1"] = mapping(FilterCriteria=filters, KMSKeyArn="arn:aws:kms:x")
    found = await imported(tmp_path, service)
    written = options(found, "event_source_mappings", "worker-jobs")
    assert written["filter_criteria"] == {"filters": [{"pattern": {"body": {"a": ["b"]}}}]}
    assert any("clear text" in note for note in found.notes)
    found.loaded()


async def test_a_function_whose_code_is_here_runs_here(tmp_path: Path) -> None:
    """With its environment and its limits; layers and roles do not come along."""
    (tmp_path / "code").mkdir()
    layer = f"arn:aws:lambda:{ACCOUNT}:layer:deps:3"
    service = account(mapping())
    service.replies["GetFunction", WORKER] = function(
        Environment={"Variables": {"STAGE": "${b}"}},
        Layers=[{"Arn": layer, "CodeSize": 1}],
        DeadLetterConfig={"TargetArn": QUEUE},
    ) | {"Concurrency": {"ReservedConcurrentExecutions": 4}}
    found = await imported(tmp_path, service, folders={"worker": tmp_path / "code"})
    assert options(found, "functions", "worker") == {
        **{"code": "./code", "handler": "app.handler", "timeout": 30, "memory_size": 256, "concurrency": 4},
        **{"environment": {"STAGE": "$${b}"}, "dead_letter_config": {"target_arn": QUEUE}},
    }
    assert any(layer in note for note in found.notes)
    found.loaded()


async def test_an_environment_that_cannot_be_decrypted_is_said(tmp_path: Path) -> None:
    """Lambda answers an error in its place."""
    (tmp_path / "code").mkdir()
    service = account(mapping())
    service.replies["GetFunction", WORKER] = function(Environment={"Error": {"ErrorCode": "AccessDenied"}})
    found = await imported(tmp_path, service, folders={"worker": tmp_path / "code"})
    assert any("the values of its environment are not told" in note for note in found.notes)


async def test_how_a_function_is_called_comes_along(tmp_path: Path) -> None:
    """Its URL and its event invoke config; those of an alias with the alias."""
    service = account(mapping(FunctionArn=f"{WORKER}:live"))
    service.replies |= {
        ("GetFunctionUrlConfig", WORKER): {
            "FunctionArn": WORKER,
            "FunctionUrl": "https://x",
            "AuthType": "AWS_IAM",
            "InvokeMode": "BUFFERED",
        },
        ("GetFunctionEventInvokeConfig", WORKER, "live"): {
            **{"FunctionArn": f"{WORKER}:live", "MaximumRetryAttempts": 0, "LastModified": 1.0},
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
        },
    }
    found = await imported(tmp_path, service)
    assert options(found, "functions", "worker")["function_url"] == {"auth_type": "AWS_IAM"}
    live = options(found, "functions", "worker-live")
    assert (live["qualifier"], live["event_invoke_config"]) == (
        "live",
        {"maximum_retry_attempts": 0, "destination_config": {"on_failure": {"destination": QUEUE}}},
    )
    found.loaded()


async def test_schedules_that_call_functions_come_along(tmp_path: Path) -> None:
    """EventBridge Scheduler's, and rules with a schedule; others are not asked for."""
    at_night = {
        **{"Name": "nightly", "GroupName": "default", "ScheduleExpression": "cron(0 3 * * ? *)", "State": "ENABLED"},
        **{"ScheduleExpressionTimezone": "Europe/Berlin", "FlexibleTimeWindow": {"Mode": "OFF"}, "Arn": "arn:s"},
        "Target": {"Arn": WORKER, "RoleArn": "r", "RetryPolicy": {"MaximumRetryAttempts": 3}},
    }
    listed = [
        {"Name": "nightly", "GroupName": "default", "Target": {"Arn": WORKER}},
        {"Name": "q", "Target": {"Arn": QUEUE}},
    ]
    scheduler = Service({("ListSchedules",): {"Schedules": listed}, ("GetSchedule", "default", "nightly"): at_night})
    rules = [
        {"Name": "often", "ScheduleExpression": "rate(5 minutes)", "State": "DISABLED", "Arn": "arn:r"},
        {"Name": "waits", "EventPattern": "{}"},
    ]
    targets = [{"Id": "1", "Arn": WORKER, "Input": '{"a":1}'}, {"Id": "2", "Arn": QUEUE}]
    events = Service({("ListRules",): {"Rules": rules}, ("ListTargetsByRule", "often"): {"Targets": targets}})
    found = await imported(tmp_path, account(), scheduler, events)
    assert options(found, "schedules", "nightly") == {
        **{"schedule_expression": "cron(0 3 * * ? *)", "schedule_expression_timezone": "Europe/Berlin"},
        **{"function_name": "worker", "retry_policy": {"maximum_retry_attempts": 3}},
    }
    assert options(found, "schedules", "often") == {
        **{"event": "rule", "schedule_expression": "rate(5 minutes)", "function_name": "worker"},
        **{"state": "DISABLED", "input": {"a": 1}},
    }
    assert ("ListTargetsByRule", "waits") not in events.asked
    found.loaded()


async def test_what_one_may_not_read_is_said_and_the_rest_is_imported(tmp_path: Path) -> None:
    """Schedules are of other services, with permissions of their own."""
    denied = Service({}, [AccessDenied("AccessDeniedException", "no", operation="ListSchedules")] * 9)
    service = account(mapping())
    service.replies["GetFunctionUrlConfig", WORKER] = Refused(
        "Unknown", "what is that", operation="GetFunctionUrlConfig"
    )
    found = await imported(tmp_path, service, denied, denied)
    assert any("schedules of EventBridge Scheduler are not imported" in note for note in found.notes)
    assert any("not told of worker: GetFunctionUrlConfig: Unknown: what is that" in note for note in found.notes)
    assert "worker-jobs" in found.loaded().event_source_mappings


async def test_a_function_that_is_gone_is_said(tmp_path: Path) -> None:
    """Its mapping stays, as in AWS."""
    service = account(mapping())
    del service.replies["GetFunction", WORKER]
    found = await imported(tmp_path, service)
    assert any("is not there any more" in note for note in found.notes)
    found.loaded()


async def test_a_function_that_one_may_not_read_is_called_in_aws(tmp_path: Path) -> None:
    """By the ARN that its mapping names."""
    service = account(mapping())
    service.replies["GetFunction", WORKER] = AccessDenied("AccessDeniedException", "no")
    found = await imported(tmp_path, service)
    assert any("not told of worker: GetFunction: AccessDeniedException: no" in note for note in found.notes)
    assert not any("is not there any more" in note for note in found.notes)
    assert options(found, "functions", "worker") == {"runtime": "lambda", "function_arn": WORKER}


async def test_a_service_that_fails_among_many_functions_is_one_error(tmp_path: Path) -> None:
    """And no group of exceptions."""
    arns = [WORKER.replace("worker", f"f{number}") for number in range(9)]
    service = account(*(mapping(UUID=arn, FunctionArn=arn) for arn in arns))
    service.replies |= {("GetFunction", arn): Unavailable("503", "out of order") for arn in arns}
    with pytest.raises(Unavailable, match="out of order"):
        await imported(tmp_path, service)


async def test_mappings_that_may_not_be_read_are_an_error(tmp_path: Path) -> None:
    """There is nothing to import then."""
    with pytest.raises(AccessDenied):
        await imported(tmp_path, Service({}, [AccessDenied("AccessDeniedException", "no")]))


async def test_progress_is_told_where_there_is_much(tmp_path: Path) -> None:
    """And not for a few."""
    arns = [WORKER.replace("worker", f"f{number:02}") for number in range(60)]
    service = account(*(mapping(UUID=arn, FunctionArn=arn) for arn in arns))
    service.replies |= {("GetFunction", arn): function(f"f{number:02}") for number, arn in enumerate(arns)}
    progress: list[str] = []
    found = await imported(tmp_path, service, progress=progress)
    assert progress == [
        "found 60 event source mappings",
        "read 25 of 60 functions",
        "read 50 of 60 functions",
        "read 60 of 60 functions",
    ]
    assert len(found.loaded().functions) == 60


class Sdk:
    """The SDK's calls, which fail some times before they succeed."""

    service_clock: Any = None

    def __init__(self, *outcomes: AwsError | dict[str, Any]) -> None:
        self._outcomes = list(outcomes)

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        """Not used here."""
        raise NotImplementedError

    async def reply(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The next outcome; the last one for ever."""
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, AwsError):
            raise outcome
        return outcome


class Slept:
    """A sleep that takes no time."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Only noted."""
        self.seconds.append(seconds)


async def test_throttles_and_outages_are_waited_for() -> None:
    """With growing delays, and not for ever."""
    slept = Slept()
    busy = Throttled("TooManyRequestsException", "slow down")
    calls = PatientCalls(Sdk(busy, Unavailable("503"), {"A": 1, "ResponseMetadata": {}}), slept, Random(1))
    assert await calls.reply("Get", {}) == {"A": 1}
    assert len(slept.seconds) == 2
    assert slept.seconds[0] < slept.seconds[1]
    with pytest.raises(Throttled):
        await PatientCalls(Sdk(busy), slept, Random(1)).reply("Get", {})
    assert len(slept.seconds) == 2 + TRIES - 1


async def test_values_of_a_reply_are_ours() -> None:
    """Times are texts, whole numbers whole, and the bytes of JSON services are read."""
    whole = {"T": datetime(2026, 1, 1, tzinfo=UTC), "N": 3.0, "F": 1.5, "B": b"x", "L": [True]}
    assert await PatientCalls(Sdk(whole)).reply("Get", {}) == {
        **{"T": "2026-01-01T00:00:00+00:00", "N": 3, "F": "1.5", "B": None, "L": [True]},
    }
    assert await PatientCalls(Sdk({"Body": json.dumps({"A": 1}).encode()})).reply("Get", {}) == {"A": 1}


async def test_a_service_that_gives_the_same_page_for_ever_is_left() -> None:
    """A marker that does not move is no further page."""
    service = Service(
        {("List",): {"Items": [{"A": 1}], "Next": "m"}, ("List", "m"): {"Items": [{"A": 2}, 3], "Next": "m"}}
    )
    assert [one async for one in paged(service, "List", "Items", ("Next", "Marker"))] == [{"A": 1}, {"A": 2}]


@pytest.mark.parametrize(
    ("arn", "expected"),
    [(QUEUE, "jobs"), (STREAM, "clicks"), (TABLE, "t"), (f"{STREAM}/consumer/c:1", "clicks"), ("", "source")],
)
def test_a_source_has_a_short_name(arn: str, expected: str) -> None:
    """Of the queue, the stream or the table."""
    assert source_name(arn) == expected
