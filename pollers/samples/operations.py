"""Services that operate others: alarms, CloudFormation, CodePipeline, Config, Secrets Manager (docs/lambda 15.8)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pollers.samples.sample import Circumstances, Document, Sample

if TYPE_CHECKING:
    from datetime import datetime

NOWHERE: Final = "http://127.0.0.1:9/cloudformation"
"""Where a custom resource's answer goes. Nobody listens there: an address of CloudFormation's own is made for one answer."""


def _alarm_time(at: datetime) -> str:
    """As alarms have it: ``2026-01-31T12:00:00.000+0000``."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}+0000"


def _state(value: str, reason: str, at: datetime) -> Document:
    return {
        "value": value,
        "reason": reason,
        "reasonData": json.dumps({"version": "1.0", "statistic": "Maximum", "period": 60, "threshold": 100.0}),
        "timestamp": _alarm_time(at),
    }


def alarm(at: Circumstances) -> Document:
    """An alarm has changed its state, and calls a function."""
    metric = {"namespace": "AWS/SQS", "name": "ApproximateAgeOfOldestMessage", "dimensions": {"QueueName": "orders"}}
    metrics = [
        {"id": "age", "metricStat": {"metric": metric, "period": 60, "stat": "Maximum"}, "returnData": True},
    ]
    return {
        "source": "aws.cloudwatch",
        "alarmArn": at.arn("cloudwatch", "alarm:orders-are-late"),
        "accountId": at.account,
        "time": _alarm_time(at.now),
        "region": at.region,
        "alarmData": {
            "alarmName": "orders-are-late",
            "state": _state("ALARM", "Threshold Crossed: 1 datapoint was above 100", at.now),
            "previousState": _state("OK", "Threshold Crossed: 1 datapoint was below 100", at.now - timedelta(hours=2)),
            "configuration": {"description": "Orders wait too long", "metrics": metrics},
        },
    }


def cloudformation(at: Circumstances) -> Document:
    """A stack makes a custom resource. The function's answer goes to ``ResponseURL``, not to its caller."""
    function = at.arn("lambda", "function:orders")
    return {
        "RequestType": "Create",
        "ServiceToken": function,
        "ResponseURL": NOWHERE,
        "StackId": at.arn("cloudformation", f"stack/orders/{at.uuid()}"),
        "RequestId": at.uuid(),
        "LogicalResourceId": "Catalogue",
        "ResourceType": "Custom::Catalogue",
        "ResourceProperties": {"ServiceToken": function, "Season": "spring"},
    }


def codepipeline(at: Circumstances) -> Document:
    """A pipeline's action. Its result is told by a call of CodePipeline's API."""
    bucket = f"codepipeline-{at.region}-{at.number(12)}"
    artifact = {
        "location": {
            "s3Location": {"bucketName": bucket, "objectKey": f"orders/source/{at.word(7)}"},
            "type": "S3",
        },
        "revision": None,
        "name": "source",
    }
    data = {
        "actionConfiguration": {
            "configuration": {"FunctionName": "orders", "UserParameters": json.dumps({"season": "spring"})}
        },
        "inputArtifacts": [artifact],
        "outputArtifacts": [],
        "artifactCredentials": {
            "accessKeyId": f"ASIA{at.hex(16).upper()}",
            "secretAccessKey": at.base64(30),
            "sessionToken": at.base64(90),
        },
        "continuationToken": None,
    }
    return {"CodePipeline.job": {"id": at.uuid(), "accountId": at.account, "data": data}}


def config_rule(at: Circumstances) -> Document:
    """A custom rule of Config runs on a schedule."""
    notification = {
        "awsAccountId": at.account,
        "notificationCreationTime": at.milliseconds,
        "messageType": "ScheduledNotification",
        "recordVersion": "1.0",
    }
    rule = f"config-rule-{at.word(6)}"
    return {
        "version": "1.0",
        "invokingEvent": json.dumps(notification),
        "ruleParameters": json.dumps({"season": "spring"}),
        "resultToken": at.base64(90),
        "eventLeftScope": False,
        "executionRoleArn": at.role("config"),
        "configRuleArn": at.arn("config", f"config-rule/{rule}"),
        "configRuleName": "orders-have-owners",
        "configRuleId": rule,
        "accountId": at.account,
    }


def rotation(at: Circumstances) -> Document:
    """A secret is rotated: the function is called once for each of four steps."""
    return {
        "SecretId": at.arn("secretsmanager", f"secret:orders-{at.word(6)}"),
        "ClientRequestToken": at.uuid(),
        "Step": "createSecret",
    }


SAMPLES: Final = {
    "cloudformation": Sample("a stack makes a custom resource", cloudformation),
    "cloudwatch-alarm": Sample("an alarm has changed its state", alarm),
    "codepipeline": Sample("an action of a pipeline", codepipeline),
    "config": Sample("a custom rule of Config runs on a schedule", config_rule),
    "secrets-manager": Sample("the first step of a secret's rotation", rotation),
}
"""By the names that ``headrace invoke --sample`` takes."""
