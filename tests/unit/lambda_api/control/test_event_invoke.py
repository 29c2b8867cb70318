"""Event invoke configs: documents and errors as they were recorded from AWS."""

from __future__ import annotations

from typing import Any

import pytest

from pollers.lambda_api.control.event_invoke import DESTINATION_PATTERN
from tests.unit.lambda_api.control.rig import ARN, NOW, Rig

PATH = "/2019-09-25/functions/orders/event-invoke-config"
NOBODY = "/2019-09-25/functions/nobody/event-invoke-config"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:done"
NEITHER: dict[str, Any] = {"OnSuccess": {}, "OnFailure": {}}


async def test_a_config_is_put_shown_listed_and_deleted() -> None:
    """The same document each time: a time that is a number, a qualified ARN, both destinations, and only the limits given."""
    rig = Rig()
    expected: dict[str, Any] = {
        "LastModified": NOW,
        "FunctionArn": f"{ARN}:$LATEST",
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
    }
    body = {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}
    assert (put := await rig.ask("PUT", PATH, body)).body == expected
    assert put.status == 200
    assert (await rig.ask("GET", PATH)).body == expected
    assert (await rig.ask("GET", PATH, Qualifier="$LATEST")).body == expected
    assert (await rig.ask("GET", f"{PATH}/list")).body == {"FunctionEventInvokeConfigs": [expected]}
    assert (await rig.ask("DELETE", PATH)).status == 204
    assert (await rig.ask("GET", f"{PATH}/list")).body == {"FunctionEventInvokeConfigs": []}


async def test_put_replaces_and_post_merges() -> None:
    """PUT leaves nothing of the config before."""
    rig = Rig()
    await rig.ask("PUT", PATH, {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60})
    rig.clock.now += 10
    merged = (await rig.ask("POST", PATH, {"MaximumRetryAttempts": 0})).body
    assert (merged["MaximumRetryAttempts"], merged["MaximumEventAgeInSeconds"]) == (0, 60)
    assert merged["LastModified"] == NOW + 10
    replaced = (await rig.ask("PUT", PATH, {"MaximumRetryAttempts": 1})).body
    assert "MaximumEventAgeInSeconds" not in replaced


@pytest.mark.parametrize(
    "destinations", [{"OnSuccess": {}}, {"OnFailure": {"Destination": ""}}, {"OnSuccess": {"Destination": None}}, {}]
)
async def test_an_empty_destination_is_none(destinations: dict[str, Any]) -> None:
    """It is accepted, as on AWS, and takes away what there was."""
    rig = Rig()
    await rig.ask("PUT", PATH, {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}})
    answer = await rig.ask("POST", PATH, {"DestinationConfig": destinations})
    assert (answer.status, answer.body["DestinationConfig"]) == (200, NEITHER)
    assert rig.resources.settings_of("orders").on_failure is None


async def test_a_config_counts_at_once() -> None:
    """For the next attempt of an event that is waiting."""
    rig = Rig()
    await rig.ask("PUT", PATH, {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 61})
    settings = rig.resources.settings_of("orders")
    assert (settings.maximum_retry_attempts, settings.maximum_event_age_seconds) == (0, 61)


ONE = "1 validation error detected: "
WRONG_DESTINATION = "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid."
TABLE: list[tuple[str, str, object, int, str, str]] = [
    ("PUT", PATH, {}, 400, "InvalidParameterValueException",
     "You must specify at least one of error handling or destination setting."),
    ("PUT", PATH, {"DestinationConfig": {"OnSuccess": {"Destination": ARN}}}, 400, "InvalidParameterValueException",
     "You can't specify the function as a destination for itself."),
    ("PUT", PATH, {"DestinationConfig": {"OnSuccess": {"Destination": f"{ARN}x"}}}, 400, "InvalidParameterValueException",
     f"The destination ARN {ARN}x is invalid."),
    ("PUT", PATH, {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:iam:us-east-1:000000000000:function:a"}}}, 400,
     "InvalidParameterValueException",
     WRONG_DESTINATION.format("OnSuccess(destination=arn:aws:iam:us-east-1:000000000000:function:a)", "null")),
    ("PUT", PATH, {"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}, "OnFailure": {"Destination": f"{QUEUE}.fifo"}}}, 400,
     "InvalidParameterValueException",
     WRONG_DESTINATION.format(f"OnSuccess(destination={QUEUE})", f"OnFailure(destination={QUEUE}.fifo)")),
    ("PUT", PATH, {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}}}, 400,
     "InvalidParameterValueException", WRONG_DESTINATION.format("OnSuccess(destination=arn:aws:s3:::bucket)", "null")),
    ("PUT", PATH, {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:_!:x"}}}, 400, "ValidationException",
     f"{ONE}Value 'arn:aws:_!:x' at 'destinationConfig.onFailure.destination' failed to satisfy constraint: Member must satisfy "
     f"regular expression pattern: {DESTINATION_PATTERN}"),
    ("PUT", PATH, {"MaximumRetryAttempts": 3}, 400, "ValidationException",
     f"{ONE}Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 2"),
    ("PUT", PATH, {"MaximumRetryAttempts": -1, "MaximumEventAgeInSeconds": 59}, 400, "ValidationException",
     "2 validation errors detected: Value '-1' at 'maximumRetryAttempts' failed to satisfy constraint: Member must have value "
     "greater than or equal to 0; Value '59' at 'maximumEventAgeInSeconds' failed to satisfy constraint: Member must have value "
     "greater than or equal to 60"),
    ("PUT", PATH, {"MaximumRetryAttempts": True}, 400, "SerializationException",
     "the value at 'maximumRetryAttempts' is not an Integer"),
    ("PUT", PATH, "{", 400, "SerializationException", ""),
    ("PUT", PATH, [], 400, "SerializationException", "the body is no JSON object"),
    ("PUT", f"{PATH.replace('orders', 'orders:1')}", {"MaximumRetryAttempts": 1}, 404, "ResourceNotFoundException",
     "The function doesn't exist."),
    ("PUT", NOBODY, {"MaximumRetryAttempts": 1}, 404, "ResourceNotFoundException", "The function doesn't exist."),
    ("POST", NOBODY, {"MaximumRetryAttempts": 1}, 404, "ResourceNotFoundException", "The function doesn't exist."),
    ("POST", PATH, {"MaximumRetryAttempts": 1}, 404, "ResourceNotFoundException",
     f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig"),
    ("GET", PATH, None, 404, "ResourceNotFoundException",
     f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig"),
    ("GET", NOBODY, None, 404, "ResourceNotFoundException",
     f"The function {ARN.replace('orders', 'nobody')}:$LATEST doesn't have an EventInvokeConfig"),
    ("DELETE", NOBODY, None, 404, "ResourceNotFoundException",
     f"The function {ARN.replace('orders', 'nobody')}:$LATEST doesn't have an EventInvokeConfig"),
    ("DELETE", PATH, None, 404, "ResourceNotFoundException",
     f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig"),
    ("GET", PATH.replace("orders", "orders:live"), None, 404, "ResourceNotFoundException",
     f"The function {ARN}:live doesn't have an EventInvokeConfig"),
    ("GET", f"{NOBODY}/list", None, 404, "ResourceNotFoundException", "The function doesn't exist."),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "error", "message"), TABLE)
async def test_what_is_wrong_is_answered_as_on_aws(
    method: str, path: str, body: object, status: int, error: str, message: str
) -> None:
    """Status, type and text; nothing is changed."""
    rig = Rig()
    answer = await rig.ask(method, path, body)
    assert (answer.status, answer.type) == (status, error)
    assert answer.message == message or not message
    assert not rig.resources.made_of("orders").by_api


async def test_two_qualifiers_that_differ_are_a_conflict() -> None:
    """As for every operation."""
    answer = await Rig().ask(
        "PUT", PATH.replace("orders", "orders:live"), {"MaximumRetryAttempts": 1}, Qualifier="other"
    )
    assert answer.message == "The derived qualifier from the function name does not match the specified qualifier."


async def test_destinations_elsewhere_are_taken() -> None:
    """Whether they exist is found at the first delivery, as on AWS; a bucket is for failures only."""
    rig = Rig()
    for success, failure in (
        ("arn:aws:lambda:us-east-1:000000000000:function:audit", "arn:aws:s3:::bucket"),
        ("arn:aws:lambda:eu-west-1:111111111111:function:orders", "arn:aws:sns:us-east-1:000000000000:topic"),
        ("arn:aws:events:us-east-1:000000000000:event-bus/default", QUEUE),
    ):
        config = {"OnSuccess": {"Destination": success}, "OnFailure": {"Destination": failure}}
        assert (await rig.ask("PUT", PATH, {"DestinationConfig": config})).body["DestinationConfig"] == config


async def test_what_the_configuration_gives_is_shown_and_not_changed() -> None:
    """409, with the option that gives it; its own times."""
    rig = Rig(event_invoke_config={"maximum_retry_attempts": 1})
    shown = {
        "LastModified": NOW,
        "FunctionArn": f"{ARN}:$LATEST",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": NEITHER,
    }
    rig.clock.now += 99
    for method, body in (("PUT", {"MaximumRetryAttempts": 0}), ("POST", {"MaximumRetryAttempts": 0}), ("DELETE", None)):
        answer = await rig.ask(method, PATH, body)
        assert (answer.status, answer.type) == (409, "ResourceConflictException")
        assert "The configuration gives functions.orders.event_invoke_config" in answer.body["message"]
    assert (await rig.ask("GET", PATH)).body == shown
