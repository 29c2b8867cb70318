"""What patterns see of SQS messages (docs/lambda 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pollers.filtering.fields import NOTHING
from pollers.filtering.views import Member, RecordShape, View, constant, decoded_or, own_member

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from config.models import SqsMapping
    from pollers.jsontext.numbers import Json

SHAPE: Final = RecordShape(
    data="body",
    members=frozenset(
        [
            "messageId",
            "receiptHandle",
            "body",
            "attributes",
            "messageAttributes",
            "md5OfMessageAttributes",
            "md5OfBody",
            "eventSource",
            "eventSourceARN",
            "awsRegion",
        ]
    ),
    unseen={},
    array="Records",
    text_is_tested=True,
)
EVENT_VIEW: Final = View(
    SHAPE,
    {name: own_member(name) for name in SHAPE.members},
    lambda record: decoded_or(str, record.get("body")),
)
_ATTRIBUTE_MEMBERS = (("StringValue", "stringValue"), ("BinaryValue", "binaryValue"), ("DataType", "dataType"))


def wire_view(mapping: SqsMapping, _paths: Collection[str]) -> View:
    """The view of messages as SQS sends them."""
    return View(SHAPE, _members(mapping), lambda record: record.get("Body") or "")


def _members(mapping: SqsMapping) -> dict[str, Member]:
    # Without attributes, Lambda's record has the digest as null under a batching window, else not at all (5.1).
    no_digest = None if mapping.maximum_batching_window_in_seconds else NOTHING
    return {
        "messageId": own_member("MessageId"),
        "receiptHandle": own_member("ReceiptHandle"),
        "attributes": own_member("Attributes"),
        "messageAttributes": lambda record: _message_attributes(record.get("MessageAttributes") or {}),
        "md5OfMessageAttributes": lambda record: record.get("MD5OfMessageAttributes", no_digest),
        "md5OfBody": own_member("MD5OfBody"),
        "eventSource": constant("aws:sqs"),
        "eventSourceARN": constant(mapping.event_source_arn),
        "awsRegion": constant(mapping.arn.region),
    }


def _message_attributes(wire: Mapping[str, Mapping[str, Any]]) -> Json:
    """Message attributes with the member names of Lambda's events (5.1); its empty lists hold no value to match."""
    return {
        name: {
            event_name: attribute[wire_name]
            for wire_name, event_name in _ATTRIBUTE_MEMBERS
            if attribute.get(wire_name) is not None
        }
        for name, attribute in wire.items()
    }
