"""What one writes without Headrace: an aiobotocore loop that builds Lambda's events from what the SDK decoded."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from benchmarks.canned_streams import SHARD, STREAM_ARNS

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/headrace"
_SERVICES = {"kinesis": "kinesis", "dynamodb": "dynamodbstreams"}


def kinesis_event_record(record: dict[str, Any]) -> dict[str, Any]:
    """The event record of a Kinesis record as boto3 gives it."""
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{SHARD}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": REGION,
        "eventSourceARN": STREAM_ARNS["kinesis"],
    }


def dynamodb_event_record(record: dict[str, Any]) -> dict[str, Any]:
    """The event record of a stream record as boto3 gives it."""
    change = record["dynamodb"]
    event: dict[str, Any] = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": record["eventVersion"],
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {"ApproximateCreationDateTime": change["ApproximateCreationDateTime"].timestamp()},
    }
    for member in ("Keys", "NewImage", "OldImage"):
        if member in change:
            event["dynamodb"][member] = {name: encoded(value) for name, value in change[member].items()}
    for member in ("SequenceNumber", "SizeBytes", "StreamViewType"):
        event["dynamodb"][member] = change[member]
    if "userIdentity" in record:
        identity = record["userIdentity"]
        event["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
    event["eventSourceARN"] = STREAM_ARNS["dynamodb"]
    return event


def encoded(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute value with its binary parts as base64 again, which boto3 decoded."""
    ((kind, inner),) = value.items()
    match kind:
        case "B":
            return {"B": base64.b64encode(inner).decode()}
        case "BS":
            return {"BS": [base64.b64encode(each).decode() for each in inner]}
        case "M":
            return {"M": {name: encoded(each) for name, each in inner.items()}}
        case "L":
            return {"L": [encoded(each) for each in inner]}
        case _:
            return value


async def consume(
    source: str,
    endpoint_url: str,
    page_records: int,
    handler: Callable[[Any, Any], object],
    seen: Callable[[int], bool],
) -> None:
    """Read, build the event and call the handler, until ``seen`` (told of each page) says that it is enough."""
    build = {"kinesis": kinesis_event_record, "dynamodb": dynamodb_event_record}[source]
    async with get_session().create_client(
        _SERVICES[source],
        region_name=REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=AioConfig(parameter_validation=False),
    ) as client:
        iterator = "1"
        while True:
            reply = await client.get_records(ShardIterator=iterator, Limit=page_records)
            iterator = reply["NextShardIterator"]
            handler({"Records": [build(record) for record in reply["Records"]]}, None)
            if seen(len(reply["Records"])):
                return
