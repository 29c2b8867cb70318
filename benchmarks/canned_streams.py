"""Kinesis and DynamoDB Streams with one shard that never runs dry: every GetRecords brings a page of new records.

``python -m benchmarks.canned_streams SOURCE PAGE CREATED [TOTAL]`` serves pages of at most PAGE records of SOURCE (kinesis or
dynamodb) until its standard input ends. CREATED is when they arrived, in seconds since the epoch: lately enough for none to have
expired. After TOTAL records the shard stays open and has no more.
"""

from __future__ import annotations

import base64
import random
import sys
from typing import Any

import orjson

from benchmarks.canned import CannedEndpoint, serve

STREAM_ARNS = {
    "kinesis": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
    "dynamodb": "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2025-10-09T08:00:00.000",
}
SHARD = "shardId-000000000000"
DATA_BYTES = 300
_PAGE = "@@PAGE@@"
_DIGITS = "495903382714902566085596925383615710"
"""Stands before page and place in a sequence number, which then has the 56 digits of a real one."""


def kinesis_record(place: int, created: int, seed: random.Random) -> dict[str, Any]:
    """A record of 300 bytes."""
    return {
        "SequenceNumber": f"{_DIGITS}{_PAGE}{place:08}",
        "ApproximateArrivalTimestamp": created + place / 1000,
        "Data": base64.b64encode(seed.randbytes(DATA_BYTES)).decode(),
        "PartitionKey": f"user-{seed.randrange(10_000)}",
    }


def dynamodb_record(place: int, created: int, seed: random.Random) -> dict[str, Any]:
    """A change of an order, with both images."""
    key = {"customer": {"S": f"customer#{seed.randrange(10_000)}"}, "order": {"S": f"order#{place}"}}
    image = {
        **key,
        "total": {"N": "129.90"},
        "lines": {"L": [{"M": {"sku": {"S": f"sku-{line}"}, "count": {"N": "2"}}} for line in range(2)]},
        "tags": {"SS": ["new", "web"]},
        "token": {"B": base64.b64encode(seed.randbytes(16)).decode()},
        "paid": {"BOOL": True},
        "note": {"S": "x" * 60},
    }
    return {
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": created,
            "Keys": key,
            "NewImage": image,
            "OldImage": image | {"paid": {"BOOL": False}},
            "SequenceNumber": f"4959033{_PAGE}{place:08}",
            "SizeBytes": 512,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventID": f"{seed.getrandbits(128):032x}",
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "eventVersion": "1.1",
    }


_RECORDS = {"kinesis": kinesis_record, "dynamodb": dynamodb_record}


class CannedStream(CannedEndpoint):
    """The stream, over all connections. A page is one template in which the number of the page is put in."""

    source = "kinesis"
    records: tuple[bytes, ...] = ()
    total: int | None = None
    _templates: dict[int, bytes] = {}  # noqa: RUF012 - shared by all connections on purpose
    _page = 0
    _served = 0

    @classmethod
    def prepare(cls, source: str, page_records: int, created: int, total: int | None) -> None:
        """Make the records of a page."""
        seed = random.Random(1)
        cls.source, cls.total = source, total
        cls.records = tuple(orjson.dumps(_RECORDS[source](place, created, seed)) for place in range(page_records))

    def answer(self, operation: str, request: dict[str, Any]) -> bytes:
        """See ``CannedEndpoint.answer``."""
        match operation:
            case "GetRecords":
                return self._records(request.get("Limit", len(self.records)))
            case "GetShardIterator":
                return b'{"ShardIterator":"1"}'
            case "ListShards":
                return orjson.dumps({"Shards": [_SHARD]})
            case "DescribeStreamSummary":
                return orjson.dumps({"StreamDescriptionSummary": _SUMMARY})
            case "DescribeStream":
                return orjson.dumps({"StreamDescription": _DESCRIPTION})
        return b"{}"

    @classmethod
    def _records(cls, limit: int) -> bytes:
        count = min(limit, len(cls.records))
        if cls.total is not None:
            count = min(count, cls.total - cls._served)
        cls._served += count
        cls._page += 1
        if count not in cls._templates:
            cls._templates.clear()  # limits vary from page to page: one template at a time is enough
            cls._templates[count] = b",".join(cls.records[:count])
        records = cls._templates[count].replace(_PAGE.encode(), b"%012d" % cls._page)
        more = cls.total is None or cls._served < cls.total
        return b'{"Records":[%b],"NextShardIterator":"1","MillisBehindLatest":%d}' % (records, 60_000 * more)


_SHARD = {
    "ShardId": SHARD,
    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)},
    "SequenceNumberRange": {"StartingSequenceNumber": "0"},
}
_SUMMARY = {
    "StreamName": "clicks",
    "StreamARN": STREAM_ARNS["kinesis"],
    "StreamStatus": "ACTIVE",
    "RetentionPeriodHours": 8760 * 100,
    "StreamCreationTimestamp": 1_760_000_000,
    "EnhancedMonitoring": [],
    "OpenShardCount": 1,
}
_DESCRIPTION = {
    "StreamArn": STREAM_ARNS["dynamodb"],
    "StreamStatus": "ENABLED",
    "StreamViewType": "NEW_AND_OLD_IMAGES",
    "CreationRequestDateTime": 1_760_000_000,
    "TableName": "orders",
    "Shards": [_SHARD],
}


if __name__ == "__main__":
    source, *numbers = sys.argv[1:]
    page, created, *total = map(int, numbers)
    CannedStream.prepare(source, page, created, total[0] if total else None)
    serve(CannedStream)
