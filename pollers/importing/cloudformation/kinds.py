"""What ``Ref`` and ``Fn::GetAtt`` are for each type of resource (docs/lambda 17.1): a name, a URL or an ARN, made of the resource's
name where the template gives it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUEUE_URL = re.compile(r"https?://[^/]+/(?:[^/]+/)*(?P<name>[^/]+)")


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A type of resource.

    ``name`` is the property that names it. ``ref`` and the ``attributes`` are texts in which ``{name}``, ``{region}``,
    ``{account}``, ``{partition}`` and ``{suffix}`` are filled in; an attribute that is not here cannot be known from a name.
    ``called`` is what Ref is, for the variable that stands for it. ``service`` is that of its ARNs, where mappings read it.
    """

    name: str | None = None
    ref: str | None = "{name}"
    called: str = "Name"
    attributes: Mapping[str, str] = field(default_factory=dict)
    service: str | None = None


def _arn(service: str, resource: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


_TABLE = ResourceKind("TableName", attributes={"Arn": _arn("dynamodb", "table/{name}")}, service="dynamodb")
_FUNCTION = ResourceKind("FunctionName", attributes={"Arn": _arn("lambda", "function:{name}")})
_MADE = ResourceKind(None, None, "Arn")

KINDS: dict[str, ResourceKind] = {
    "AWS::SQS::Queue": ResourceKind(
        "QueueName",
        "https://sqs.{region}.{suffix}/{account}/{name}",
        "Url",
        {
            "Arn": _arn("sqs", "{name}"),
            "QueueName": "{name}",
            "QueueUrl": "https://sqs.{region}.{suffix}/{account}/{name}",
        },
        "sqs",
    ),
    "AWS::Kinesis::Stream": ResourceKind(
        "Name", attributes={"Arn": _arn("kinesis", "stream/{name}")}, service="kinesis"
    ),
    "AWS::Kinesis::StreamConsumer": ResourceKind(None, None, "ConsumerARN", service="kinesis"),
    "AWS::DynamoDB::Table": _TABLE,
    "AWS::DynamoDB::GlobalTable": _TABLE,
    "AWS::Serverless::SimpleTable": _TABLE,
    "AWS::SNS::Topic": ResourceKind(
        "TopicName", _arn("sns", "{name}"), "Arn", {"TopicArn": _arn("sns", "{name}"), "TopicName": "{name}"}
    ),
    "AWS::S3::Bucket": ResourceKind("BucketName", attributes={"Arn": "arn:{partition}:s3:::{name}"}),
    "AWS::Events::EventBus": ResourceKind(
        "Name", attributes={"Arn": _arn("events", "event-bus/{name}"), "Name": "{name}"}
    ),
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Serverless::Function": _FUNCTION,
    "AWS::Lambda::Alias": _MADE,
    "AWS::Lambda::Version": _MADE,
    "AWS::Lambda::LayerVersion": _MADE,
    "AWS::Serverless::LayerVersion": _MADE,
    "AWS::MSK::Cluster": ResourceKind(None, None, "Arn", service="kafka"),
    "AWS::AmazonMQ::Broker": ResourceKind(None, None, "Id", service="mq"),
    "AWS::DocDB::DBCluster": ResourceKind("DBClusterIdentifier", service="rds"),
    "AWS::SecretsManager::Secret": _MADE,
    "AWS::SecretsManager::SecretTargetAttachment": _MADE,
}
OTHER = ResourceKind(None, None, "Ref")


def kind_of(resource_type: str) -> ResourceKind:
    """What is known of a type of resource."""
    return KINDS.get(resource_type, OTHER)


def name_in(resource_type: str, physical_id: str) -> str | None:
    """The name of a resource in a physical id, which is its name, its URL or its ARN; None where that has none."""
    if resource_type == "AWS::SQS::Queue":
        found = _QUEUE_URL.fullmatch(physical_id)
        return None if found is None else found["name"]
    if physical_id.startswith("arn:"):
        return physical_id.rpartition(":")[2] if resource_type == "AWS::SNS::Topic" else None
    return physical_id if kind_of(resource_type).ref == "{name}" else None
