"""Mappings with filters, patterns, and wire records as each service sends them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from config.models import DynamoDBMapping, Filter, FilterCriteria, KinesisMapping, SqsMapping
from pollers.sources.registry import compile_patterns

if TYPE_CHECKING:
    from config.models import Mapping
    from pollers.filtering import RecordFilter

QUEUE = "arn:aws:sqs:us-east-2:123456789012:my-queue"
STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"
TABLE_STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2016-12-01T00:00:00.000"

JSON_PATTERN = {"body": {"type": ["created"]}}
TEXT_PATTERN = {"body": ["created"]}
NO_BODY_PATTERN = {"attributes": {"ApproximateReceiveCount": ["1"]}}
NEW_IMAGE = {"id": {"S": "x"}, "presentKey": {"S": "here"}, "n": {"N": "101"}, "flag": {"BOOL": True}}


def _criteria(patterns: tuple[Any, ...]) -> FilterCriteria:
    texts = [pattern if isinstance(pattern, str) else json.dumps(pattern) for pattern in patterns]
    return FilterCriteria(filters=[Filter(pattern=text) for text in texts])


def sqs(*patterns: Any, window: int = 0) -> SqsMapping:  # noqa: ANN401 - any JSON value, or its text
    """A queue's mapping with these patterns."""
    return SqsMapping(
        name="q",
        event_source_arn=QUEUE,
        function_name="f",
        maximum_batching_window_in_seconds=window,
        filter_criteria=_criteria(patterns),
    )


def kinesis(*patterns: Any) -> KinesisMapping:  # noqa: ANN401
    """A Kinesis stream's mapping with these patterns."""
    return KinesisMapping(
        name="k",
        event_source_arn=STREAM,
        function_name="f",
        starting_position="LATEST",
        filter_criteria=_criteria(patterns),
    )


def dynamodb(*patterns: Any) -> DynamoDBMapping:  # noqa: ANN401
    """A DynamoDB stream's mapping with these patterns."""
    return DynamoDBMapping(
        name="d",
        event_source_arn=TABLE_STREAM,
        function_name="f",
        starting_position="LATEST",
        filter_criteria=_criteria(patterns),
    )


def message(body: Any, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """A message of ReceiveMessage; a body that is no string is sent as JSON."""
    return {
        "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "ReceiptHandle": "AQEB",
        "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        **members,
    }


def stream_record(data: Any, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """A record of Kinesis' GetRecords; data that is no bytes is sent as JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return {
        "SequenceNumber": "49590338271490256608559692538361571095921575989136588898",
        "ApproximateArrivalTimestamp": 1545084650.987,
        "Data": base64.b64encode(raw).decode(),
        "PartitionKey": "1",
        **members,
    }


def change_record(new_image: dict[str, Any], name: str = "INSERT", **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """A record of DynamoDB Streams' GetRecords."""
    return {
        "eventID": "f07f8ca4b0b26cb9c4e5e77e69f274ee",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1480642020,
            "Keys": {"id": {"S": "x"}},
            "NewImage": new_image,
            "SequenceNumber": "1405400000000002063282832",
            "SizeBytes": 54,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        **members,
    }


def filter_of(mapping: Mapping) -> RecordFilter:
    """The mapping's filter, which it must have."""
    compiled = compile_patterns(mapping)
    assert compiled is not None
    return compiled
