"""What patterns see of Kinesis records: the inner members stand at the top (docs/lambda 6.4)."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

from pollers.filtering.fields import NOTHING
from pollers.filtering.views import Member, RecordShape, View, constant, decoded_or, own_member
from pollers.sources.kinesis.identity import identity_arn

if TYPE_CHECKING:
    from collections.abc import Collection

    from config.models import KinesisMapping
    from pollers.aws.api import Wire
    from pollers.jsontext.numbers import Json

SHAPE: Final = RecordShape(
    data="data",
    members=frozenset(
        [
            "kinesisSchemaVersion",
            "partitionKey",
            "sequenceNumber",
            "data",
            "approximateArrivalTimestamp",
            "eventSource",
            "eventVersion",
            "eventID",
            "eventName",
            "invokeIdentityArn",
            "awsRegion",
            "eventSourceARN",
        ]
    ),
    unseen={
        "kinesis": "in patterns partitionKey and data stand at the top: kinesis counts as absent",
        # It names the record's shard, which wire records do not.
        "eventID": "eventID is not known when records are filtered: it counts as absent",
    },
    array="Records",
    text_is_tested=False,
)


def wire_view(mapping: KinesisMapping, _paths: Collection[str]) -> View:
    """The view of records as Kinesis sends them."""
    return View(SHAPE, _members(mapping), lambda record: _from_base64(record.get("Data")))


def _members(mapping: KinesisMapping) -> dict[str, Member]:
    return {
        "kinesisSchemaVersion": constant("1.0"),
        "partitionKey": lambda record: record.get("PartitionKey") or "",
        "sequenceNumber": own_member("SequenceNumber"),
        "approximateArrivalTimestamp": own_member("ApproximateArrivalTimestamp"),
        "eventSource": constant("aws:kinesis"),
        "eventVersion": constant("1.0"),
        "eventName": constant("aws:kinesis:record"),
        "invokeIdentityArn": constant(identity_arn(mapping.event_source_arn)),
        "awsRegion": constant(mapping.arn.region),
        "eventSourceARN": constant(mapping.event_source_arn),
    }


def _from_base64(data: Json) -> bytes:
    """The bytes that a record's base64 text stands for; none for what is no base64."""
    try:
        return binascii.a2b_base64(data)
    except (TypeError, ValueError):
        return b""


def _inner_or_own(name: str) -> Member:
    """A member of an event record: of its inner object, or its own."""

    def member(record: Wire) -> Json:
        inner = record.get("kinesis")
        if isinstance(inner, dict) and name in inner:
            return inner[name]
        return record.get(name, NOTHING)

    return member


_sent = _inner_or_own(SHAPE.data)
EVENT_VIEW: Final = View(
    SHAPE,
    {name: _inner_or_own(name) for name in SHAPE.members},
    lambda record: decoded_or(_from_base64, _sent(record)),
)
