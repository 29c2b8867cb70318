"""Kinesis records as Lambda event records (docs/lambda 5.2).

``Data`` is passed through as the base64 text that the service sent, and the arrival time as its number of seconds.
``EncryptionType`` has no place in the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from config import parse_arn
from pollers.aws.wire.plain_records import PlainRecord, are_plain
from pollers.events.encoding import PageEncoder, RecordEncoder, ShardEncoder, json_bytes
from pollers.sources.kinesis.identity import identity_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pollers.aws.api import Wire

_HEAD = b'{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":'
_SEQUENCE_NUMBER = b',"sequenceNumber":"'
_DATA = b'","data":'
_ARRIVAL = b',"approximateArrivalTimestamp":'


def encoder(event_source_arn: str) -> ShardEncoder:
    """The encoders of one mapping, given its ARN (the stream's, or with enhanced fan-out the consumer's)."""
    end = _end(event_source_arn)
    return lambda shard_id: _record_encoder(_middle(shard_id), end)


def page_encoder(event_source_arn: str) -> Callable[[str], PageEncoder]:
    """Likewise for several records at once, which may be plain ones."""
    end = _end(event_source_arn)

    def of_shard(shard_id: str) -> PageEncoder:
        middle = _middle(shard_id)
        each, plain = _record_encoder(middle, end), _plain_encoder(middle.decode(), end.decode())

        def encode(records: Sequence[Wire]) -> list[bytes]:
            return plain(records) if are_plain(records) else list(map(each, records))

        return encode

    return of_shard


def _middle(shard_id: str) -> bytes:
    return b'},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"%b:' % json_bytes(shard_id)[1:-1]


def _end(event_source_arn: str) -> bytes:
    region = parse_arn(event_source_arn).region
    return (
        b'","eventName":"aws:kinesis:record","invokeIdentityArn":%b,"awsRegion":%b,"eventSourceARN":%b}'
        % (json_bytes(identity_arn(event_source_arn)), json_bytes(region), json_bytes(event_source_arn))
    )  # fmt: skip


def _plain_encoder(middle: str, end: str) -> Callable[[Sequence[PlainRecord]], list[bytes]]:
    """Texts without escapes are put in as they are: 0.3 µs for 300 B, with the arrival times spelled all at once."""

    def encode(records: Sequence[PlainRecord]) -> list[bytes]:
        arrivals = json_bytes([record.ApproximateArrivalTimestamp for record in records])[1:-1].decode().split(",")
        events: list[bytes] = []
        for record, arrival in zip(records, arrivals, strict=True):
            number = record.SequenceNumber
            event = (
                f'{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"{record.PartitionKey}"'
                f',"sequenceNumber":"{number}","data":"{record.Data}"'
                f',"approximateArrivalTimestamp":{arrival}{middle}{number}{end}'
            )
            events.append(event.encode())
        return events

    return encode


def _record_encoder(middle: bytes, end: bytes) -> RecordEncoder:
    """An encoder with everything but the record's own members ready.

    A join of ready bytes takes 0.5 µs for 300 B; one dump of a dictionary in the event's order takes 0.75 µs.
    """
    dumps = orjson.dumps
    join = b"".join

    def encode(record: Wire) -> bytes:
        try:
            sequence_number = record["SequenceNumber"].encode()
            return join(
                (
                    _HEAD,
                    dumps(record["PartitionKey"]),
                    _SEQUENCE_NUMBER,
                    sequence_number,
                    _DATA,
                    dumps(record["Data"]),
                    _ARRIVAL,
                    dumps(record["ApproximateArrivalTimestamp"]),
                    middle,
                    sequence_number,
                    end,
                )
            )
        except (KeyError, TypeError, UnicodeEncodeError):
            return _encode_odd(record, middle, end)

    return encode


def _encode_odd(record: Wire, middle: bytes, end: bytes) -> bytes:
    """A record that lacks a member, or has text that is not Unicode.

    A record without a partition key (the stream distributes by itself) gets an empty one: no real key is empty, and
    handlers that index the member keep working.
    """
    sequence_number = json_bytes(record["SequenceNumber"])[1:-1]
    return b"".join(
        (
            _HEAD,
            json_bytes(record.get("PartitionKey") or ""),
            _SEQUENCE_NUMBER,
            sequence_number,
            _DATA,
            json_bytes(record.get("Data") or ""),
            _ARRIVAL,
            json_bytes(record.get("ApproximateArrivalTimestamp")),
            middle,
            sequence_number,
            end,
        )
    )
