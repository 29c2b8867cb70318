"""Lambda's API by AWS's SDK for JavaScript: other headers than Python's, and streams as they are written."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.lambda_api_clients import ARN, place_for_clients
from tests.lambda_clients import javascript

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


def lines(place: LambdaApiPlace, *steps: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything that the client prints."""
    return list(javascript(place.url, *steps))


def test_javascript_invokes_in_every_way(place: LambdaApiPlace, tmp_path: Path) -> None:
    """It sends its payload as application/octet-stream, and none at all where there is none."""
    told = tmp_path / "told"
    event = {"FunctionName": "notes", "InvocationType": "Event", "Payload": json.dumps({"file": str(told)})}
    plain, empty, accepted, dry, tail, failed = lines(
        place,
        ("Invoke", {"FunctionName": "orders", "Payload": '{"a":1}'}),
        ("Invoke", {"FunctionName": ARN}),
        ("Invoke", event),
        ("Invoke", {"FunctionName": "broken", "InvocationType": "DryRun"}),
        ("Invoke", {"FunctionName": "chatty", "LogType": "Tail"}),
        ("Invoke", {"FunctionName": "broken"}),
    )
    assert (plain["status"], plain["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(plain["payload"])["echo"] == {"a": 1}
    assert json.loads(empty["payload"])["echo"] == {}
    assert (accepted["StatusCode"], dry["StatusCode"]) == (202, 204)
    assert "ExecutedVersion" not in accepted
    assert b"looking at it\n" in base64.b64decode(tail["LogResult"])
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["payload"])["errorType"] == "ValueError"
    place.until(told.exists, "the run")


def test_javascript_reads_errors_as_its_own_classes(place: LambdaApiPlace) -> None:
    """With the reason of a throttle."""
    reserve = {"FunctionName": "orders", "ReservedConcurrentExecutions": 0}
    try:
        unknown, broken, made, throttled = lines(
            place,
            ("Invoke", {"FunctionName": "nobody"}),
            ("Invoke", {"FunctionName": "orders", "Payload": "{"}),
            ("PutFunctionConcurrency", reserve),
            ("Invoke", {"FunctionName": "orders"}),
        )
    finally:
        place.client().delete_function_concurrency(FunctionName="orders")
    assert (unknown["error"], unknown["status"], unknown["Type"]) == ("ResourceNotFoundException", 404, "User")
    assert (broken["error"], broken["status"], broken["known"]) == ("InvalidRequestContentException", 400, True)
    assert made["ReservedConcurrentExecutions"] == 0
    assert (throttled["error"], throttled["status"]) == ("TooManyRequestsException", 429)
    assert throttled["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_javascript_reads_a_stream_while_it_is_written(place: LambdaApiPlace, tmp_path: Path) -> None:
    """The function writes the second piece only when the client has read the first."""
    gate = tmp_path / "gate"
    steps = json.dumps([["write", "one"], ["await", str(gate)], ["write", "two"]])
    printed = javascript(place.url, ("InvokeWithResponseStream", {"FunctionName": "stream", "Payload": steps}))
    assert next(printed) == {"chunk": "one"}
    gate.touch()
    second, complete, reply = printed
    assert second == {"chunk": "two"}
    assert complete["complete"].get("ErrorCode") is None
    assert (reply["StatusCode"], reply["ExecutedVersion"]) == (200, "$LATEST")


def test_javascript_is_told_how_a_stream_failed(place: LambdaApiPlace) -> None:
    """After what had been written; a handler that fails before it begins is told in the same way."""
    steps = json.dumps([["write", "one"], ["error", "no more"]])
    printed = lines(
        place,
        ("InvokeWithResponseStream", {"FunctionName": "stream", "Payload": steps, "LogType": "Tail"}),
        ("InvokeWithResponseStream", {"FunctionName": "broken"}),
        ("InvokeWithResponseStream", {"FunctionName": "orders", "Payload": "7"}),
    )
    first, cut, _, begun, *rest = printed
    assert first == {"chunk": "one"}
    assert cut["complete"]["ErrorCode"] == "Function.Broke"
    assert "START RequestId" in base64.b64decode(cut["complete"]["LogResult"]).decode()
    assert begun["complete"]["ErrorCode"] == "ValueError"
    assert json.loads(begun["complete"]["ErrorDetails"])["errorMessage"] == "no such order"
    _, whole, complete, _ = rest
    assert json.loads(whole["chunk"]) == {"echo": 7, "arn": ARN}
    assert complete["complete"].get("ErrorCode") is None


def test_javascript_makes_and_ends_a_mapping(place: LambdaApiPlace) -> None:
    """Its dates are dates, and errors have their names."""
    arn = "arn:aws:sqs:us-east-1:000000000000:javascript"
    made, refused = lines(
        place,
        ("CreateEventSourceMapping", {"EventSourceArn": arn, "FunctionName": "orders:live", "Enabled": False}),
        ("CreateEventSourceMapping", {"EventSourceArn": arn, "FunctionName": "nobody"}),
    )
    assert (made["status"], made["State"], made["FunctionArn"]) == (202, "Creating", f"{ARN}:live")
    assert made["LastModified"].endswith("Z")
    assert (refused["error"], refused["message"]) == ("InvalidParameterValueException", "Function does not exist")
    uuid = {"UUID": made["UUID"]}
    place.until(lambda: place.client().get_event_source_mapping(**uuid)["State"] == "Disabled", "the mapping")
    ended, unknown = lines(
        place,
        ("DeleteEventSourceMapping", uuid),
        ("GetEventSourceMapping", {"UUID": "00000000-0000-4000-8000-000000000000"}),
    )
    assert (ended["status"], ended["State"]) == (202, "Deleting")
    assert (unknown["error"], unknown["status"]) == ("ResourceNotFoundException", 404)
