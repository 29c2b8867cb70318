"""What a record of an in-memory stream looks like on the wire, and what became of it in an event."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from pollers.aws.api import Wire


@dataclass(slots=True)
class Stored:
    """One record of a shard."""

    number: int
    key: str
    value: str
    arrival: float


def wire_record(kind: str, stored: Stored, number: str) -> Wire:
    """The record as the service sends it. ``number`` is its sequence number as the service spells it."""
    if kind == "kinesis":
        return {
            "SequenceNumber": number,
            "PartitionKey": stored.key,
            "Data": base64.b64encode(stored.value.encode("utf-8", "surrogateescape")).decode(),
            "ApproximateArrivalTimestamp": stored.arrival,
        }
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": stored.arrival,
        "Keys": {"id": {"S": stored.key}},
        "NewImage": {"id": {"S": stored.key}, "value": {"S": stored.value}},
        "SequenceNumber": number,
        "SizeBytes": len(stored.value),
        "StreamViewType": "NEW_IMAGE",
    }
    return {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change,
    }


def values(event: dict[str, Any]) -> list[tuple[str, str]]:
    """Key and value of every record of an event, as they were put."""
    found = []
    for record in event["Records"]:
        if "kinesis" in record:
            kinesis = record["kinesis"]
            found.append(
                (kinesis["partitionKey"], base64.b64decode(kinesis["data"]).decode("utf-8", "surrogateescape"))
            )
        else:
            image = record["dynamodb"]["NewImage"]
            found.append((image["id"]["S"], image["value"]["S"]))
    return found


def lane_of(key: bytes, lanes: int) -> int:
    """The lane, from 0, of a record with this key: the same in every version, since checkpoints rely on it."""
    return crc32(key) % lanes
