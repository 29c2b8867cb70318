"""Which kind of event source an ARN names, and so which model and which rules a mapping has."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from config.arns import parse_arn
from config.models import DynamoDBMapping, KinesisMapping, SqsMapping
from config.text.nodes import quoted

if TYPE_CHECKING:
    from config.arns import Arn
    from config.models import Mapping

READ = "an SQS queue, a Kinesis stream (or its consumer) or a DynamoDB table's stream"

_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo|[A-Za-z0-9_-]{1,80}")
_STREAM = re.compile(r"stream/[A-Za-z0-9_.-]{1,128}")
_CONSUMER = re.compile(r"stream/[A-Za-z0-9_.-]{1,128}/consumer/[A-Za-z0-9_.-]{1,128}:[0-9]+")
_TABLE_STREAM = re.compile(r"table/[A-Za-z0-9_.-]{1,255}/stream/[^/]+")
_TABLE = re.compile(r"table/[A-Za-z0-9_.-]{1,255}")
_REGION = re.compile(r"[a-z][a-z0-9-]*")  # emulators have regions of their own, such as "ddblocal"
_ACCOUNT = re.compile(r"[0-9]{12}")


class Kind(Enum):
    """The kinds of event sources that differ in what their mappings may say (the columns of docs/lambda 1.2)."""

    STANDARD = "an SQS standard queue"
    FIFO = "an SQS FIFO queue"
    KINESIS = "a Kinesis stream"
    CONSUMER = "a Kinesis stream's consumer"
    DYNAMODB = "a DynamoDB stream"

    @property
    def model(self) -> type[Mapping]:
        """The model of this kind's mappings."""
        if self.is_queue:
            return SqsMapping
        return DynamoDBMapping if self is Kind.DYNAMODB else KinesisMapping

    @property
    def is_queue(self) -> bool:
        """Whether the source is a queue rather than a stream."""
        return self in (Kind.STANDARD, Kind.FIFO)


_OTHERS = {
    "kafka": "an Amazon MSK (Kafka) source",
    "mq": "an Amazon MQ broker",
    "rds": "a DocumentDB cluster",
    "docdb-elastic": "a DocumentDB cluster",
    "events": "an EventBridge bus",
    "sns": "an SNS topic, which Lambda has no event source mapping for (subscribe a queue to it)",
    "s3": "an S3 bucket, which Lambda has no event source mapping for (let it notify a queue)",
}


def kind_of(text: str) -> Kind:
    """The kind of source that ``text`` names. Raises ValueError: what was found, and what would be right."""
    try:
        arn = parse_arn(text)
    except ValueError:
        raise ValueError(f"found {_seen(text)}, expected the ARN of {READ}") from None
    if arn.service in _OTHERS:
        raise ValueError(
            f"found {_OTHERS[arn.service]}, expected {READ}: other sources are not read (AWS: Unrecognized event source.)"
        )
    kind = _kind_by_resource(arn)
    if kind is None:
        raise ValueError(f"found {quoted(text)}, expected {_expected_form(arn)} (AWS: Unrecognized event source.)")
    _check_owner(arn)
    return kind


def _seen(text: str) -> str:
    if text.startswith(("https://sqs", "http://")) or "/queue/" in text:
        return f"{quoted(text)}, which looks like a queue's URL"
    return quoted(text) if text else "an empty text"


def _kind_by_resource(arn: Arn) -> Kind | None:
    if arn.service == "sqs" and _QUEUE.fullmatch(arn.resource):
        return Kind.FIFO if arn.resource.endswith(".fifo") else Kind.STANDARD
    if arn.service == "kinesis" and _STREAM.fullmatch(arn.resource):
        return Kind.KINESIS
    if arn.service == "kinesis" and _CONSUMER.fullmatch(arn.resource):
        return Kind.CONSUMER
    if arn.service == "dynamodb" and _TABLE_STREAM.fullmatch(arn.resource):
        return Kind.DYNAMODB
    return None


def _expected_form(arn: Arn) -> str:
    if arn.service == "sqs":
        return "a queue's ARN, arn:aws:sqs:REGION:ACCOUNT:NAME"
    if arn.service == "kinesis":
        return (
            "a stream's ARN, arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, or a consumer's, .../consumer/NAME:TIMESTAMP"
        )
    if arn.service == "dynamodb" and _TABLE.fullmatch(arn.resource):
        return "the ARN of the table's stream (LatestStreamArn, .../stream/LABEL) rather than the table's own"
    if arn.service == "dynamodb":
        return "a table stream's ARN, arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL"
    return f"the ARN of {READ}"


def _check_owner(arn: Arn) -> None:
    if not _REGION.fullmatch(arn.region):
        raise ValueError(f"found the region {quoted(arn.region)} in {quoted(arn.text)}, expected one such as us-east-1")
    if not _ACCOUNT.fullmatch(arn.account):
        raise ValueError(f"found the account {quoted(arn.account)} in {quoted(arn.text)}, expected 12 digits")
