"""Samples read by the models of Powertools for AWS Lambda, which check types and forms of values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aws_lambda_powertools.utilities.parser import models

from tests.unit.function_urls.requests import event_of, head
from tests.unit.samples.circumstances import document

if TYPE_CHECKING:
    from pydantic import BaseModel

MODELS: dict[str, type[BaseModel]] = {
    "alb": models.AlbModel,
    "api-gateway": models.APIGatewayProxyEventV2Model,
    "api-gateway-rest": models.APIGatewayProxyEventModel,
    "api-gateway-websocket": models.APIGatewayWebSocketMessageEventModel,
    "appsync": models.AppSyncResolverEventModel,
    "bedrock-agent": models.BedrockAgentEventModel,
    "cloudformation": models.CloudFormationCustomResourceCreateModel,
    "cloudwatch-logs": models.CloudWatchLogsModel,
    "cognito": models.CognitoPreSignupTriggerModel,
    "cognito-create-auth-challenge": models.CognitoCreateAuthChallengeTriggerModel,
    "cognito-custom-message": models.CognitoCustomMessageTriggerModel,
    "cognito-define-auth-challenge": models.CognitoDefineAuthChallengeTriggerModel,
    "cognito-migrate-user": models.CognitoMigrateUserTriggerModel,
    "cognito-post-authentication": models.CognitoPostAuthenticationTriggerModel,
    "cognito-post-confirmation": models.CognitoPostConfirmationTriggerModel,
    "cognito-pre-authentication": models.CognitoPreAuthenticationTriggerModel,
    "cognito-verify-auth-challenge": models.CognitoVerifyAuthChallengeTriggerModel,
    "dynamodb": models.DynamoDBStreamModel,
    "eventbridge": models.EventBridgeModel,
    "firehose": models.KinesisFirehoseModel,
    "function-url": models.LambdaFunctionUrlModel,
    "kinesis": models.KinesisDataStreamModel,
    "s3": models.S3Model,
    "s3-batch": models.S3BatchOperationModel,
    "s3-delete": models.S3Model,
    "s3-eventbridge": models.S3EventNotificationEventBridgeModel,
    "scheduled": models.EventBridgeModel,
    "ses": models.SesModel,
    "sns": models.SnsModel,
    "sqs": models.SqsModel,
}
"""There are none of the others. That of EventBridge does not take a text as detail, which Scheduler sends."""


@pytest.mark.parametrize("name", MODELS)
def test_a_sample_is_valid(name: str) -> None:
    """As it comes to a handler: read from its text."""
    MODELS[name].model_validate(json.loads(json.dumps(document(name))))


def test_the_request_of_a_function_url_has_the_members_of_our_own() -> None:
    """Those of a request with a query, cookies and a body, but for headers, which are the client's."""
    sent = head(
        b"/orders/1001?expand=lines&tag=a&tag=b",
        (b"Cookie", b"session=9f2c; theme=dark"),
        (b"Content-Type", b"application/json"),
        (b"User-Agent", b"curl/8"),
        method="POST",
    )
    ours, sample = event_of(sent, b"{}"), document("function-url")
    assert ours.keys() == sample.keys()
    assert isinstance(context := sample["requestContext"], dict)
    assert ours["requestContext"].keys() == context.keys()
    assert ours["requestContext"]["http"].keys() == context["http"].keys()
    for name in ("rawPath", "rawQueryString", "queryStringParameters", "cookies"):
        assert ours[name] == sample[name]
