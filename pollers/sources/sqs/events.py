"""An SQS message as it came over the wire -> the bytes of its Lambda event record (docs/lambda 5.1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import Wire

_LIST: tuple[str, ...] = ()


class SqsEncoder:
    """Encodes the messages of one queue. Members, their order and their spelling are AWS's; the body passes byte for byte."""

    __slots__ = ("_arn", "_region", "_windowed")

    def __init__(self, arn: Arn, *, window_seconds: float) -> None:
        self._arn = arn.text
        self._region = arn.region
        self._windowed = window_seconds > 0

    def encode(self, wire: Wire) -> bytes:
        """The record's bytes: UTF-8, except that a lone surrogate keeps its ``\\u`` escape."""
        record = self._record(wire)
        try:
            return orjson.dumps(record)
        except TypeError:
            # orjson refuses lone surrogates. UTF-8 cannot carry them either, and "backslashreplace" writes JSON's own escape.
            return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")

    def _record(self, wire: Wire) -> dict[str, Any]:
        attributes = wire.get("MessageAttributes")
        record: dict[str, Any] = {
            "messageId": wire["MessageId"],
            "receiptHandle": wire["ReceiptHandle"],
            "body": wire.get("Body", ""),
            "attributes": _strings(wire.get("Attributes")),
            "messageAttributes": _message_attributes(attributes) if attributes else {},
        }
        if attributes:
            record["md5OfMessageAttributes"] = wire.get("MD5OfMessageAttributes")
        elif self._windowed:
            record["md5OfMessageAttributes"] = None
        record["md5OfBody"] = wire.get("MD5OfBody")
        record["eventSource"] = "aws:sqs"
        record["eventSourceARN"] = self._arn
        record["awsRegion"] = self._region
        return record


def _strings(attributes: dict[str, Any] | None) -> dict[str, str]:
    """System attributes, all strings: AWS sends them so, some emulators send counters as numbers."""
    if not attributes:
        return {}
    for value in attributes.values():
        if type(value) is not str:
            return {name: str(value) for name, value in attributes.items()}
    return attributes


def _message_attributes(attributes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The sender's attributes in Lambda's spelling. Binary values are the base64 that SQS sent, untouched."""
    spelled = {}
    for name, attribute in attributes.items():
        value: dict[str, Any] = {}
        if "StringValue" in attribute:
            value["stringValue"] = attribute["StringValue"]
        if "BinaryValue" in attribute:
            value["binaryValue"] = attribute["BinaryValue"]
        value["stringListValues"] = _LIST
        value["binaryListValues"] = _LIST
        value["dataType"] = attribute.get("DataType")
        spelled[name] = value
    return spelled
