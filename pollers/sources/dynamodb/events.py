"""DynamoDB stream records as Lambda event records (docs/lambda 5.3).

Attribute values stay typed as the service sent them (numbers are strings, binary values base64). What differs from the
wire: the creation time is a JSON float, ``userIdentity`` has lower-case members, and the source's ARN is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from msgspec import Raw

from config import parse_arn
from pollers.events.encoding import RecordEncoder, ShardEncoder, json_bytes

if TYPE_CHECKING:
    from pollers.aws.api import Wire

_ID = b'{"eventID":'
_NULL = Raw(b"null")
_CREATED = "ApproximateCreationDateTime"
_MEMBERS = ("Keys", "NewImage", "OldImage", "SequenceNumber", "SizeBytes", "StreamViewType")
_WITH_BOTH_IMAGES = len(_MEMBERS) + 1


def encoder(event_source_arn: str) -> ShardEncoder:
    """The encoders of one mapping, given the stream's ARN. Its records do not name their shard."""
    encode = _record_encoder(event_source_arn)

    def of_shard(_shard_id: str) -> RecordEncoder:
        return encode

    return of_shard


def _record_encoder(event_source_arn: str) -> RecordEncoder:
    """An encoder with everything but the record's own members ready."""
    dumps = orjson.dumps
    join = b"".join
    region = json_bytes(parse_arn(event_source_arn).region)
    end = b',"eventSourceARN":%b}' % json_bytes(event_source_arn)
    heads: dict[tuple[str, str], bytes] = {}

    def encode(record: Wire) -> bytes:
        name = record["eventName"], record["eventVersion"]
        head = heads.get(name)
        if head is None:
            head = heads[name] = _head(*name, region)
        change = record["dynamodb"]
        try:
            event_id = dumps(record["eventID"])
            encoded = _sliced(change) if type(change.get("Keys")) is Raw else dumps(_change(change))
        except TypeError:
            event_id = json_bytes(record["eventID"])
            encoded = json_bytes(_change(change))
        if record.get("userIdentity"):
            return join((_ID, event_id, head, encoded, _identity(record["userIdentity"]), end))
        return join((_ID, event_id, head, encoded, end))

    return encode


def _head(event_name: str, event_version: str, region: bytes) -> bytes:
    """What lies between a record's id and its change."""
    return b',"eventName":%b,"eventVersion":%b,"eventSource":"aws:dynamodb","awsRegion":%b,"dynamodb":' % (
        json_bytes(event_name),
        json_bytes(event_version),
        region,
    )


def _sliced(change: dict[str, Any]) -> bytes:
    """The ``dynamodb`` member of a record whose items are still text (:mod:`pollers.aws.wire.slicing`): the text goes as it came.

    Copying it takes 1 µs for 900 B with both images, decoding and encoding it 17 µs.
    """
    parts = [b"{"]
    created = change.get(_CREATED)
    if created is not None:
        parts += (b'"ApproximateCreationDateTime":', orjson.dumps(created), b",")
    parts += (b'"Keys":', change["Keys"])
    new, old = change.get("NewImage"), change.get("OldImage")
    if new is not None and new != _NULL:
        parts += (b',"NewImage":', new)
    if old is not None and old != _NULL:
        parts += (b',"OldImage":', old)
    parts += (b',"SequenceNumber":', orjson.dumps(change["SequenceNumber"]))
    if "SizeBytes" in change:
        parts += (b',"SizeBytes":', change["SizeBytes"])
    if "StreamViewType" in change:
        parts += (b',"StreamViewType":', change["StreamViewType"])
    parts.append(b"}")
    return b"".join(parts)


def _change(wire: dict[str, Any]) -> dict[str, Any]:
    """The ``dynamodb`` member in the order of Lambda's events, without the members that the service left out."""
    new, old = wire.get("NewImage"), wire.get("OldImage")
    if new is None or old is None or len(wire) != _WITH_BOTH_IMAGES:
        return _present(wire)
    # The most expensive records, spelled out: a loop over the members takes longer than encoding them.
    try:
        return {
            _CREATED: float(wire[_CREATED]),
            "Keys": wire["Keys"],
            "NewImage": new,
            "OldImage": old,
            "SequenceNumber": wire["SequenceNumber"],
            "SizeBytes": wire["SizeBytes"],
            "StreamViewType": wire["StreamViewType"],
        }
    except KeyError:
        return _present(wire)


def _present(wire: dict[str, Any]) -> dict[str, Any]:
    """The members that the service sent: an image that the view leaves out is absent, not null."""
    change: dict[str, Any] = {_CREATED: float(wire[_CREATED])} if _CREATED in wire else {}
    for member in _MEMBERS:
        value = wire.get(member)
        if value is not None:
            change[member] = value
    return change


def _identity(wire: dict[str, Any]) -> bytes:
    """``userIdentity`` with the member names of Lambda's events, which are not the API's."""
    return b',"userIdentity":' + json_bytes({"type": wire.get("Type"), "principalId": wire.get("PrincipalId")})
