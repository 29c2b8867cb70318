"""What patterns see of a record, for each source (docs/lambda 6.4).

Patterns are written against Lambda's event records; pollers hold wire records. A :class:`View` says how each top-level
member of an event record is had from a record, so that only what a pattern looks at is made, and made once.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Raw

from config.models import KinesisMapping, SqsMapping
from pollers.filtering.fields import NOTHING
from pollers.jsontext.numbers import NOT_JSON, decode
from pollers.sources.kinesis.events import identity_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from config.models import MappingBase
    from pollers.aws.api import Wire
    from pollers.jsontext.numbers import Json

Member: TypeAlias = "Callable[[Wire], Json]"
"""From a record to one member of its event record; NOTHING when it has none. Never alters the record."""


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of event source. ``data`` is the member that holds what was sent."""

    name: str
    data: str
    members: frozenset[str]


SQS: Final = Source(
    "sqs",
    "body",
    frozenset(
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
)
KINESIS: Final = Source(
    "kinesis",
    "data",
    frozenset(
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
)
DYNAMODB: Final = Source(
    "dynamodb",
    "dynamodb",
    frozenset(
        [
            "eventID",
            "eventName",
            "eventVersion",
            "eventSource",
            "awsRegion",
            "dynamodb",
            "userIdentity",
            "eventSourceARN",
        ]
    ),
)
SOURCES: Final[Mapping[str, Source]] = {source.name: source for source in (SQS, KINESIS, DYNAMODB)}


NOT_KNOWN_TO_POLLERS: Final[Mapping[str, frozenset[str]]] = {"kinesis": frozenset({"eventID"})}
"""Members that wire records do not tell: a Kinesis record's ``eventID`` names its shard."""


def source_of(mapping: MappingBase) -> Source:
    """The kind of a mapping's event source."""
    if isinstance(mapping, SqsMapping):
        return SQS
    return KINESIS if isinstance(mapping, KinesisMapping) else DYNAMODB


@dataclass(frozen=True, slots=True)
class Decoded:
    """Data that needs no decoding; NOTHING or None where there is none."""

    value: Json


@dataclass(frozen=True, slots=True)
class View:
    """How the members of event records are had from records.

    ``data`` gives what was sent, not yet decoded: text or bytes; None where the source never needs decoding. A member
    that is not in ``members`` is not known, and counts as absent.
    """

    source: Source
    members: Mapping[str, Member]
    data: Callable[[Wire], str | bytes | Decoded] | None = None


def wire_view(mapping: MappingBase, paths: Collection[str]) -> View:
    """The view of a mapping's wire records, as its service sends them, for patterns that look at ``paths``."""
    if isinstance(mapping, SqsMapping):
        return View(SQS, _sqs_members(mapping), lambda record: record.get("Body") or "")
    if isinstance(mapping, KinesisMapping):
        return View(KINESIS, _kinesis_members(mapping), lambda record: _from_base64(record.get("Data")))
    needed = sorted({keys[1] for path in paths if (keys := path.split("."))[0] == DYNAMODB.data and len(keys) > 1})
    return View(DYNAMODB, _dynamodb_members(mapping, needed))


def event_view(source: Source) -> View:
    """The view of Lambda event records of ``source``, as functions get them. Data that is already decoded stays as it is."""
    if source is KINESIS:
        members = {name: _inner_or_own(name) for name in KINESIS.members}
        return View(KINESIS, members, lambda record: _decoded_or(_from_base64, members["data"](record)))
    data = (lambda record: _decoded_or(str, record.get("body"))) if source is SQS else None
    return View(source, {name: _plain(name) for name in source.members}, data)


def _decoded_or(undo: Callable[[str], str | bytes], data: Json) -> str | bytes | Decoded:
    return undo(data) if isinstance(data, str) else Decoded(data)


def _inner_or_own(name: str) -> Member:
    """A member of a Kinesis event record: of its inner object, or its own."""

    def member(record: Wire) -> Json:
        inner = record.get("kinesis")
        if isinstance(inner, dict) and name in inner:
            return inner[name]
        return record.get(name, NOTHING)

    return member


def _plain(name: str) -> Member:
    return lambda record: record.get(name, NOTHING)


def _constant(value: Json) -> Member:
    return lambda _record: value


def _from_base64(data: Json) -> bytes:
    """The bytes that a record's base64 text stands for; none for what is no base64."""
    try:
        return binascii.a2b_base64(data)
    except (TypeError, ValueError):
        return b""


def _sqs_members(mapping: MappingBase) -> dict[str, Member]:
    # Without attributes, Lambda's record has the digest as null under a batching window, else not at all (5.1).
    no_digest = None if mapping.maximum_batching_window_in_seconds else NOTHING
    return {
        "messageId": _plain("MessageId"),
        "receiptHandle": _plain("ReceiptHandle"),
        "attributes": _plain("Attributes"),
        "messageAttributes": lambda record: _message_attributes(record.get("MessageAttributes") or {}),
        "md5OfMessageAttributes": lambda record: record.get("MD5OfMessageAttributes", no_digest),
        "md5OfBody": _plain("MD5OfBody"),
        "eventSource": _constant("aws:sqs"),
        "eventSourceARN": _constant(mapping.event_source_arn),
        "awsRegion": _constant(mapping.arn.region),
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


_ATTRIBUTE_MEMBERS = (("StringValue", "stringValue"), ("BinaryValue", "binaryValue"), ("DataType", "dataType"))


def _kinesis_members(mapping: MappingBase) -> dict[str, Member]:
    """All but ``eventID``, which names the record's shard: the record does not."""
    return {
        "kinesisSchemaVersion": _constant("1.0"),
        "partitionKey": lambda record: record.get("PartitionKey") or "",
        "sequenceNumber": _plain("SequenceNumber"),
        "approximateArrivalTimestamp": _plain("ApproximateArrivalTimestamp"),
        "eventSource": _constant("aws:kinesis"),
        "eventVersion": _constant("1.0"),
        "eventName": _constant("aws:kinesis:record"),
        "invokeIdentityArn": _constant(identity_arn(mapping.event_source_arn)),
        "awsRegion": _constant(mapping.arn.region),
        "eventSourceARN": _constant(mapping.event_source_arn),
    }


def _dynamodb_members(mapping: MappingBase, needed: Collection[str]) -> dict[str, Member]:
    return {
        "eventID": _plain("eventID"),
        "eventName": _plain("eventName"),
        "eventVersion": _plain("eventVersion"),
        "eventSource": _constant("aws:dynamodb"),
        "awsRegion": _constant(mapping.arn.region),
        "dynamodb": _change(needed),
        "userIdentity": lambda record: _identity(record.get("userIdentity")),
        "eventSourceARN": _constant(mapping.event_source_arn),
    }


def _change(needed: Collection[str]) -> Member:
    """The ``needed`` members of a change, the creation time as the float that it is in Lambda's events (5.3).

    A member may still be the JSON text that the service sent: only what a pattern looks at is parsed.
    """

    def member(record: Wire) -> Json:
        wire = record.get("dynamodb") or {}
        change: dict[str, Json] = {}
        for name in needed:
            value = wire.get(name)
            if type(value) is Raw:
                value = decode(bytes(value), keep_number_texts=False)
            elif name == "ApproximateCreationDateTime" and isinstance(value, int):
                value = float(value)
            # An image that the view leaves out is absent, not null.
            if value is not None and value is not NOT_JSON:
                change[name] = value
        return change

    return member


def _identity(wire: Wire | None) -> Json:
    """Who deleted the item, with the member names of Lambda's events, which are not the API's (5.3)."""
    return {"type": wire.get("Type"), "principalId": wire.get("PrincipalId")} if wire else NOTHING
