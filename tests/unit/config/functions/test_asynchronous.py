"""``event_invoke_config``, ``dead_letter_config`` and ``function_url`` of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

CODE = "code: ., handler: app.handler"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:done"


def test_defaults_are_lambdas(folder: Folder) -> None:
    """Two retries, six hours, no destination, no dead-letter queue, no URL."""
    function = folder.function(CODE)
    invoke = function.event_invoke_config
    assert (invoke.maximum_retry_attempts, invoke.maximum_event_age_in_seconds) == (2, 21_600)
    assert (invoke.on_success, invoke.on_failure) == (None, None)
    assert function.dead_letter_config.target_arn is None
    assert function.function_url is None


def test_cloudformation_is_understood(folder: Folder) -> None:
    """As it stands in a template."""
    function = folder.function(
        f"{CODE}, event_invoke_config: {{MaximumRetryAttempts: 0, DestinationConfig: {{OnFailure: {{Destination: '{QUEUE}'}}}}}}, "
        f"dead_letter_config: {{TargetArn: '{QUEUE}'}}, "
        "function_url: {AuthType: NONE, InvokeMode: RESPONSE_STREAM, Cors: {AllowOrigins: ['*'], AllowMethods: [GET]}}"
    )
    assert function.event_invoke_config.maximum_retry_attempts == 0
    assert function.event_invoke_config.on_failure == QUEUE
    assert function.dead_letter_config.target_arn == QUEUE
    assert function.function_url is not None
    assert function.function_url.cors is not None
    assert function.function_url.cors.allow_origins == ["*"]


@pytest.mark.parametrize(
    "arn",
    [
        QUEUE,
        "arn:aws:sns:us-east-1:000000000000:done",
        "arn:aws:lambda:us-east-1:000000000000:function:other",
        "arn:aws:events:us-east-1:000000000000:event-bus/default",
    ],
)
def test_successes_go_to_four_kinds(folder: Folder, arn: str) -> None:
    """All but a bucket, which takes failures only."""
    destinations = f"{{on_success: {{destination: '{arn}'}}, on_failure: {{destination: 'arn:aws:s3:::failed'}}}}"
    function = folder.function(f"{CODE}, event_invoke_config: {{destination_config: {destinations}}}")
    assert function.event_invoke_config.on_success == arn
    assert function.event_invoke_config.on_failure == "arn:aws:s3:::failed"


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            "event_invoke_config: {destination_config: {on_success: {destination: 'arn:aws:s3:::b'}}}",
            "event_invoke_config.destination_config.on_success.destination: found 'arn:aws:s3:::b', expected the ARN of a standard "
            "SQS queue, a standard SNS topic, a function or an EventBridge event bus",
        ),
        (
            f"dead_letter_config: {{target_arn: '{QUEUE}.fifo'}}",
            "dead_letter_config.target_arn: found a FIFO queue, expected the ARN of a standard SQS queue or a standard SNS topic: "
            "FIFO queues are no dead-letter queues",
        ),
        (
            "function_url: {auth_type: NONE, cors: {allow_methods: [GET, OPTIONS]}}",
            "function_url.cors.allow_methods[1]: found OPTIONS, expected one of GET, PUT, POST, DELETE, HEAD, PATCH, * (OPTIONS is "
            "implied)",
        ),
        ("function_url: {}", "function_url: auth_type is missing, expected one of NONE, AWS_IAM"),
    ],
)
def test_what_lambda_does_not_take_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """With the part that is wrong."""
    assert folder.function_faults(f"{CODE}, {settings}") == [fault]


def test_an_empty_destination_means_none(folder: Folder) -> None:
    """As on Lambda, where a template can switch one off so."""
    function = folder.function(
        f"{CODE}, event_invoke_config: {{destination_config: {{on_success: {{destination: ''}}}}}}"
    )
    assert function.event_invoke_config.on_success is None


SELF = """
lambda_api: {}
functions:
  orders:
    code: .
    handler: app.handler
    event_invoke_config:
      destination_config: {on_success: {destination: "arn:aws:lambda:REGION:000000000000:function:orders"}}
"""


@pytest.mark.parametrize("qualifier", ["", ":$LATEST"])
def test_a_function_is_no_destination_for_itself(folder: Folder, qualifier: str) -> None:
    """It would be called for ever; Lambda refuses it too."""
    text = SELF.replace("REGION", "us-east-1").replace('orders"', f'orders{qualifier}"')
    assert folder.faults(text) == [
        "headrace.yaml:8: functions.orders.event_invoke_config.destination_config.on_success.destination: found the function "
        "itself, expected another function: it would be called for ever"
    ]


def test_a_function_of_the_same_name_elsewhere_is_another(folder: Folder) -> None:
    """In another region, or where no function has an ARN of Lambda's API."""
    assert folder.load(SELF.replace("REGION", "eu-west-1")).config.functions
    assert folder.load(SELF.replace("REGION", "us-east-1").replace("lambda_api: {}", "")).config.functions


def test_one_wrong_option_does_not_hide_another(folder: Folder) -> None:
    """What is wrong beside it in the same section is told at once."""
    found = folder.function_faults(
        f"{CODE}, function_url: {{auth_type: MAYBE, cors: {{allow_methods: [OPTIONS]}}}}, event_invoke_config: "
        "{maximum_retry_attempts: 7, destination_config: {on_success: {destination: 'arn:aws:s3:::b'}}}"
    )
    assert sorted(fault.split(":")[0] for fault in found) == [
        "event_invoke_config.destination_config.on_success.destination",
        "event_invoke_config.maximum_retry_attempts",
        "function_url.auth_type",
        "function_url.cors.allow_methods[0]",
    ]
