"""Lambda's API by the AWS CLI: what a user types, and what comes of it."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.lambda_api_clients import ARN, place_for_clients
from tests.lambda_clients import Commands
from tests.unit.made_functions.packages import APP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.lambda_api import LambdaApiPlace

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaApiPlace]:
    """One process for all tests of this module."""
    with place_for_clients(tmp_path_factory.mktemp("clients")) as place:
        yield place


@pytest.fixture(scope="module")
def aws(place: LambdaApiPlace) -> Iterator[Commands]:
    """``aws lambda``."""
    commands = Commands(place.url)
    yield commands
    commands.close()


def test_the_cli_writes_the_result_into_a_file(aws: Commands, tmp_path: Path) -> None:
    """As a user types it, in a process of its own."""
    arguments = ["lambda", "invoke", "--function-name", "orders", "--payload", '{"a": 1}', "out.json"]
    done = subprocess.run(
        [*aws.program(), *arguments], cwd=tmp_path, env=aws.environment(), capture_output=True, check=True
    )

    assert json.loads(done.stdout) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads((tmp_path / "out.json").read_text()) == {"echo": {"a": 1}, "arn": ARN}


@pytest.mark.parametrize("name", [ARN, "000000000000:function:orders", f"{ARN}:$LATEST"])
def test_the_cli_may_name_a_function_in_any_form(aws: Commands, tmp_path: Path, name: str) -> None:
    """It encodes ARNs in the path."""
    out = tmp_path / "out.json"
    assert aws("invoke", "--function-name", name, str(out)).json["StatusCode"] == 200
    assert json.loads(out.read_text())["echo"] == {}


def test_the_cli_shows_the_log_s_tail(aws: Commands, place: LambdaApiPlace, tmp_path: Path) -> None:
    """And passes a client context on."""
    context = base64.b64encode(b'{"custom": {"shop": "north"}}').decode()
    options = ["--log-type", "Tail", "--client-context", context]
    shown = aws("invoke", "--function-name", "chatty", *options, str(tmp_path / "out.json")).json
    result = json.loads((tmp_path / "out.json").read_text())
    start, line, end, report = base64.b64decode(shown["LogResult"]).decode().splitlines()

    assert result["custom"] == {"shop": "north"}
    assert (start, line) == (f"START RequestId: {result['id']} Version: $LATEST", "looking at it")
    assert end == f"END RequestId: {result['id']}"
    assert report.startswith(f"REPORT RequestId: {result['id']}\tDuration: ")


def test_a_function_s_error_is_a_result_for_the_cli(aws: Commands, tmp_path: Path) -> None:
    """Exit code 0: only the reply says that it is one."""
    out = tmp_path / "out.json"
    assert aws("invoke", "--function-name", "broken", str(out)).json == {
        "StatusCode": 200,
        "FunctionError": "Unhandled",
        "ExecutedVersion": "$LATEST",
    }
    assert json.loads(out.read_text())["errorMessage"] == "no such order"


@pytest.mark.parametrize(
    "arguments",
    [
        ["invoke", "--invocation-type", "Event", "--payload", "file://{0}/event.json", "{0}/out.json"],
        ["invoke-async", "--invoke-args", "{0}/event.json"],
    ],
    ids=["Invoke", "InvokeAsync"],
)
def test_events_of_the_cli_run(aws: Commands, place: LambdaApiPlace, tmp_path: Path, arguments: list[str]) -> None:
    """Accepted with 202, by either operation."""
    told = tmp_path / "told"
    (tmp_path / "event.json").write_text(json.dumps({"file": str(told)}))
    done = aws(*(argument.format(tmp_path) for argument in arguments), "--function-name", "notes")

    assert list(done.json.values()) == [202]
    place.until(told.exists, "the run")


def test_a_dry_run_of_the_cli_runs_nothing(aws: Commands, tmp_path: Path) -> None:
    """204, whatever the function would do."""
    out = tmp_path / "out.json"
    done = aws("invoke", "--function-name", "broken", "--invocation-type", "DryRun", str(out))
    assert done.json == {"StatusCode": 204}


@pytest.mark.parametrize(
    ("name", "payload", "error"),
    [
        (
            "nobody",
            "{}",
            "(ResourceNotFoundException) when calling the Invoke operation: Function not found: ",
        ),
        (
            "orders",
            "{",
            "(InvalidRequestContentException) when calling the Invoke operation: Could not parse request body",
        ),
        ("or!ders", "{}", "(ValidationException) when calling the Invoke operation: 1 validation error detected"),
    ],
)
def test_the_cli_shows_errors_with_their_names_and_texts(
    aws: Commands, tmp_path: Path, name: str, payload: str, error: str
) -> None:
    """It exits with a code that is not 0."""
    done = aws("invoke", "--function-name", name, "--payload", payload, str(tmp_path / "out.json"))
    assert done.code != 0
    assert error in done.err


def test_the_cli_is_told_of_an_event_that_is_too_large(aws: Commands, tmp_path: Path) -> None:
    """By the error that AWS sends, which is not in the model."""
    (tmp_path / "event.json").write_text('"' + "x" * 6_291_456 + '"')
    done = aws(
        "invoke", "--function-name", "orders", "--payload", f"file://{tmp_path / 'event.json'}", str(tmp_path / "out")
    )
    assert "(RequestEntityTooLargeException)" in done.err
    assert "Request must be smaller than 6291456 bytes for the InvokeFunction operation" in done.err


def test_reserved_concurrency_by_the_cli(aws: Commands, tmp_path: Path) -> None:
    """None is 429, until it is deleted."""
    reserve = ("put-function-concurrency", "--function-name", "orders", "--reserved-concurrent-executions")
    assert aws(*reserve, "0").json == {"ReservedConcurrentExecutions": 0}
    refused = aws("invoke", "--function-name", "orders", str(tmp_path / "out"))
    assert "(TooManyRequestsException)" in refused.err
    assert "Rate Exceeded." in refused.err
    assert aws("get-function-concurrency", "--function-name", "orders").json == {"ReservedConcurrentExecutions": 0}
    assert aws("delete-function-concurrency", "--function-name", "orders").code == 0
    assert aws("invoke", "--function-name", "orders", str(tmp_path / "out")).code == 0


def test_function_urls_by_the_cli(aws: Commands) -> None:
    """Made, read, listed, changed, deleted."""
    of = ("--function-name", "orders")
    made = aws(
        "create-function-url-config", *of, "--auth-type", "NONE", "--cors", "AllowOrigins=https://example.com"
    ).json
    assert made["Cors"] == {"AllowOrigins": ["https://example.com"]}
    shown = aws("get-function-url-config", *of).json
    assert (shown["FunctionUrl"], shown["InvokeMode"]) == (made["FunctionUrl"], "BUFFERED")
    assert aws("list-function-url-configs", *of).json["FunctionUrlConfigs"] == [shown]
    assert (
        aws("update-function-url-config", *of, "--invoke-mode", "RESPONSE_STREAM").json["InvokeMode"]
        == "RESPONSE_STREAM"
    )
    assert "(ResourceConflictException)" in aws("create-function-url-config", *of, "--auth-type", "NONE").err
    assert aws("delete-function-url-config", *of).code == 0
    assert "(ResourceNotFoundException)" in aws("get-function-url-config", *of).err


def test_event_invoke_configs_by_the_cli(aws: Commands) -> None:
    """What is put replaces, what is updated is merged."""
    of = ("--function-name", "orders")
    queue = "arn:aws:sqs:us-east-1:000000000000:failed"
    destination = json.dumps({"OnFailure": {"Destination": queue}})
    aws("put-function-event-invoke-config", *of, "--maximum-retry-attempts", "1", "--destination-config", destination)
    updated = aws("update-function-event-invoke-config", *of, "--maximum-event-age-in-seconds", "60").json
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (1, 60)
    assert updated["DestinationConfig"]["OnFailure"] == {"Destination": queue}
    assert len(aws("list-function-event-invoke-configs", *of).json["FunctionEventInvokeConfigs"]) == 1
    assert (
        "MaximumRetryAttempts"
        not in aws("put-function-event-invoke-config", *of, "--maximum-event-age-in-seconds", "90").json
    )
    assert aws("delete-function-event-invoke-config", *of).code == 0
    assert "(ResourceNotFoundException)" in aws("get-function-event-invoke-config", *of).err


def test_the_cli_makes_changes_and_ends_a_mapping(aws: Commands, place: LambdaApiPlace) -> None:
    """As a user types it; one that is disabled asks its source for nothing."""
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
    options = ["--starting-position", "TRIM_HORIZON", "--no-enabled", "--tags", "team=a"]
    made = aws("create-event-source-mapping", "--function-name", ARN, "--event-source-arn", arn, *options).json
    assert (made["State"], made["BatchSize"], made["LastProcessingResult"]) == ("Creating", 100, "No records processed")
    uuid = ["--uuid", made["UUID"]]
    place.until(lambda: aws("get-event-source-mapping", *uuid).json["State"] == "Disabled", "the mapping")
    pattern = {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]}
    changed = aws("update-event-source-mapping", *uuid, "--filter-criteria", json.dumps(pattern)).json
    assert (changed["State"], changed["FilterCriteria"]) == ("Updating", pattern)
    again = aws("create-event-source-mapping", "--function-name", ARN, "--event-source-arn", arn, *options)
    assert "(ResourceConflictException)" in again.err
    assert f"existing mapping with UUID {made['UUID']}" in again.err
    assert aws("list-tags", "--resource", made["EventSourceMappingArn"]).json == {"Tags": {"team": "a"}}
    place.until(lambda: aws("get-event-source-mapping", *uuid).json["State"] == "Disabled", "the change")
    assert [one["UUID"] for one in aws("list-event-source-mappings").json["EventSourceMappings"]] == [made["UUID"]]
    assert aws("delete-event-source-mapping", *uuid).json["State"] == "Deleting"
    place.until(lambda: "(ResourceNotFoundException)" in aws("get-event-source-mapping", *uuid).err, "the end")


def test_the_cli_makes_a_function_of_a_package(aws: Commands, tmp_path: Path) -> None:
    """Waits for it, calls it, changes and deletes it."""
    (tmp_path / "made.zip").write_bytes(APP)
    zipped, role = f"fileb://{tmp_path / 'made.zip'}", "arn:aws:iam::000000000000:role/any"
    options = ["--runtime", "python3.11", "--handler", "app.handler", "--zip-file", zipped, "--role", role]
    assert aws("create-function", "--function-name", "made", *options).json["State"] == "Pending"
    assert aws("wait", "function-active-v2", "--function-name", "made").code == 0
    assert aws("invoke", "--function-name", "made", "--payload", "[1]", str(tmp_path / "out")).json["StatusCode"] == 200
    assert json.loads((tmp_path / "out").read_text()) == {"echo": [1]}
    changed = aws(
        "update-function-configuration",
        "--function-name",
        "made",
        "--timeout",
        "9",
        "--environment",
        "Variables={TABLE=x}",
    )
    assert (changed.json["Timeout"], changed.json["Environment"]) == (9, {"Variables": {"TABLE": "x"}})
    assert aws("wait", "function-updated-v2", "--function-name", "made").code == 0
    assert aws("update-function-code", "--function-name", "made", "--zip-file", zipped).json["CodeSize"] == len(APP)
    assert aws("delete-function", "--function-name", "made").code == 0
    assert "(ResourceNotFoundException)" in aws("get-function", "--function-name", "made").err
    refused = aws("create-function", "--function-name", "made", *options, "--runtime", "java21")
    assert "Value java21 at 'runtime' failed to satisfy constraint" in refused.err
