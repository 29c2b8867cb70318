"""Records: what mappings make of Kinesis, DynamoDB and DocumentDB, Firehose's transformation, logs (docs/lambda 5.2, 5.3, 5.5 and
15.6).
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Final

from pollers.samples.sample import Circumstances, Document, Sample

ORDER: Final = json.dumps({"order": "1001", "amount": 42})
"""What every record says."""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kinesis(at: Circumstances) -> Document:
    """A batch of one record of a Kinesis stream, as a mapping makes it."""
    number, shard = at.number(56), "shardId-000000000000"
    record = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "1001",
            "sequenceNumber": number,
            "data": _encoded(ORDER),
            "approximateArrivalTimestamp": at.epoch_milliseconds / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": at.role("orders"),
        "awsRegion": at.region,
        "eventSourceARN": at.arn("kinesis", "stream/orders"),
    }
    return {"Records": [record]}


def dynamodb(at: Circumstances) -> Document:
    """A batch of a table's stream: an item was changed."""
    before = {"id": {"S": "1001"}, "amount": {"N": "40"}, "open": {"BOOL": True}}
    record = {
        "eventID": at.hex(32),
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": at.region,
        "dynamodb": {
            "ApproximateCreationDateTime": at.epoch_seconds,
            "Keys": {"id": {"S": "1001"}},
            "NewImage": {**before, "amount": {"N": "42"}},
            "OldImage": before,
            "SequenceNumber": at.number(24),
            "SizeBytes": 62,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": at.arn("dynamodb", f"table/orders/stream/{at.milliseconds.removesuffix('Z')}"),
    }
    return {"Records": [record]}


def documentdb(at: Circumstances) -> Document:
    """A batch of one change event of a collection: a document was inserted."""
    key = {"_id": {"$oid": at.hex(24)}}
    event = {
        "_id": {"_data": f"01{at.epoch_seconds:08x}000000010100000001{at.hex(8)}"},
        "clusterTime": {"$timestamp": {"t": at.epoch_seconds, "i": 1}},
        "documentKey": key,
        "fullDocument": {**key, "order": "1001", "amount": 42, "placed": {"$date": at.milliseconds}},
        "ns": {"db": "shop", "coll": "orders"},
        "operationType": "insert",
    }
    return {
        "eventSourceArn": at.arn("rds", "cluster:shop"),
        "events": [{"event": event}],
        "eventSource": "aws:docdb",
    }


def firehose(at: Circumstances) -> Document:
    """Records that Firehose wants transformed: the function returns each with its id, a result and its data."""
    records = [
        {
            "recordId": f"{at.number(56)}000000",
            "approximateArrivalTimestamp": at.epoch_milliseconds,
            "data": _encoded(text),
        }
        for text in (ORDER, "not JSON")
    ]
    return {
        "invocationId": at.uuid(),
        "deliveryStreamArn": at.arn("firehose", "deliverystream/orders"),
        "region": at.region,
        "records": records,
    }


def logs(at: Circumstances) -> Document:
    """What a subscription filter has found in a log group: JSON, compressed with gzip, in base64."""
    found = {
        "messageType": "DATA_MESSAGE",
        "owner": at.account,
        "logGroup": "/aws/lambda/orders",
        "logStream": f"{at.now:%Y/%m/%d}/[$LATEST]{at.hex(32)}",
        "subscriptionFilters": ["errors"],
        "logEvents": [
            {"id": at.number(56), "timestamp": at.epoch_milliseconds, "message": "[ERROR] order 1001 has no address"}
        ],
    }
    packed = gzip.compress(json.dumps(found).encode(), mtime=0)
    return {"awslogs": {"data": base64.b64encode(packed).decode()}}


SAMPLES: Final = {
    "cloudwatch-logs": Sample("lines of a log group that a subscription filter has found", logs),
    "documentdb": Sample("a batch of a cluster's change stream, as a mapping makes it", documentdb),
    "dynamodb": Sample("a batch of a table's stream, as a mapping makes it", dynamodb),
    "firehose": Sample("records that Firehose wants transformed", firehose),
    "kinesis": Sample("a batch of a Kinesis stream, as a mapping makes it", kinesis),
}
"""By the names that ``headrace invoke --sample`` takes."""
