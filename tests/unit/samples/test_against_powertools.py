"""Samples read by the data classes of Powertools for AWS Lambda, which know the documented shapes: every property is there."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities import data_classes as classes
from aws_lambda_powertools.utilities.data_classes import api_gateway_authorizer_event as authorizers
from aws_lambda_powertools.utilities.data_classes import api_gateway_websocket_event as websockets
from aws_lambda_powertools.utilities.data_classes import cognito_user_pool_event as cognito
from aws_lambda_powertools.utilities.data_classes.cloud_watch_logs_event import CloudWatchLogsDecodedData
from aws_lambda_powertools.utilities.data_classes.common import DictWrapper
from aws_lambda_powertools.utilities.data_classes.s3_batch_operation_event import S3BatchOperationEvent

from pollers.samples import SAMPLES
from tests.unit.samples.circumstances import document

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES: dict[str, Callable[[dict[str, Any]], DictWrapper]] = {
    "alb": classes.ALBEvent,
    "api-gateway": classes.APIGatewayProxyEventV2,
    "api-gateway-authorizer": authorizers.APIGatewayAuthorizerEventV2,
    "api-gateway-rest": classes.APIGatewayProxyEvent,
    "api-gateway-rest-authorizer": authorizers.APIGatewayAuthorizerTokenEvent,
    "api-gateway-websocket": websockets.APIGatewayWebSocketEvent,
    "appsync": classes.AppSyncResolverEvent,
    "bedrock-agent": classes.BedrockAgentEvent,
    "cloudformation": classes.CloudFormationCustomResourceEvent,
    "cloudwatch-alarm": classes.CloudWatchAlarmEvent,
    "cloudwatch-logs": classes.CloudWatchLogsEvent,
    "codepipeline": classes.CodePipelineJobEvent,
    "cognito": cognito.PreSignUpTriggerEvent,
    "cognito-create-auth-challenge": cognito.CreateAuthChallengeTriggerEvent,
    "cognito-custom-message": cognito.CustomMessageTriggerEvent,
    "cognito-define-auth-challenge": cognito.DefineAuthChallengeTriggerEvent,
    "cognito-migrate-user": cognito.UserMigrationTriggerEvent,
    "cognito-post-authentication": cognito.PostAuthenticationTriggerEvent,
    "cognito-post-confirmation": cognito.PostConfirmationTriggerEvent,
    "cognito-pre-authentication": cognito.PreAuthenticationTriggerEvent,
    "cognito-pre-token-generation": cognito.PreTokenGenerationTriggerEvent,
    "cognito-verify-auth-challenge": cognito.VerifyAuthChallengeResponseTriggerEvent,
    "config": classes.AWSConfigRuleEvent,
    "dynamodb": classes.DynamoDBStreamEvent,
    "eventbridge": classes.EventBridgeEvent,
    "firehose": classes.KinesisFirehoseEvent,
    "function-url": classes.LambdaFunctionUrlEvent,
    "kinesis": classes.KinesisStreamEvent,
    "s3": classes.S3Event,
    "s3-batch": S3BatchOperationEvent,
    "s3-delete": classes.S3Event,
    "s3-eventbridge": classes.S3EventBridgeNotificationEvent,
    "scheduled": classes.EventBridgeEvent,
    "scheduler": classes.EventBridgeEvent,
    "secrets-manager": classes.SecretsManagerEvent,
    "ses": classes.SESEvent,
    "sns": classes.SNSEvent,
    "sqs": classes.SQSEvent,
}

WITHOUT_CLASS = {"documentdb"}
"""Samples for which there are no data classes."""
ABSENT: dict[str, tuple[str, ...]] = {
    "api-gateway-rest": ("version",),  # only HTTP APIs that ask for format 1.0 say it
    "s3-delete": ("size", "etag"),
    "s3-eventbridge": ("version_id",),  # only with versioning
    "sqs": ("decoded_nested_s3_event", "decoded_nested_sns_event"),  # only for what those services have sent
}
"""Properties of the classes that these events do not have on AWS either."""


def unreadable(name: str, value: object) -> Iterator[str]:
    """The properties that cannot be read, wherever in the event, with why."""
    if isinstance(value, DictWrapper):
        for attribute, _ in inspect.getmembers(type(value), lambda member: isinstance(member, property)):
            try:
                found = getattr(value, attribute)
                if isinstance(found, Iterator):
                    found = list(found)
            except Exception as error:
                yield f"{name}.{attribute}: {error!r}"
            else:
                yield from unreadable(f"{name}.{attribute}", found)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        for inner in value:
            yield from unreadable(name, inner)


def test_every_sample_is_read() -> None:
    """None is left out of the table."""
    assert CLASSES.keys() | WITHOUT_CLASS == SAMPLES.keys()
    assert not CLASSES.keys() & WITHOUT_CLASS


@pytest.mark.parametrize("name", CLASSES)
def test_every_property_reads(name: str) -> None:
    """Handlers use any of them."""
    absent = ABSENT.get(name, ())
    faults = unreadable("event", CLASSES[name](document(name)))
    assert [fault for fault in faults if not any(f".{one}" in fault for one in absent)] == []


def test_a_property_that_is_missing_is_found() -> None:
    """Also deep inside, and in lists."""
    event = document("sns")
    del event["Records"][0]["Sns"]["TopicArn"]  # type: ignore[index] # of this document it is known
    assert len(list(unreadable("event", classes.SNSEvent(event)))) > 0


def test_the_packed_logs_read() -> None:
    """What is inside comes out of base64 and gzip."""
    event = classes.CloudWatchLogsEvent(document("cloudwatch-logs"))
    decoded = event.parse_logs_data()
    assert isinstance(decoded, CloudWatchLogsDecodedData)
    assert list(unreadable("logs", decoded)) == []
    assert decoded.log_events[0].message == "[ERROR] order 1001 has no address"
