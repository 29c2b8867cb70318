"""The record of an asynchronous invocation, as Lambda writes it (docs/lambda 12.5, 12.6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from pollers.aws.api import BusEvent
from pollers.destinations.destination import Message
from pollers.destinations.ended import Condition
from pollers.destinations.record import UNHANDLED, milliseconds
from pollers.destinations.s3 import dated_key
from pollers.jsontext import NOT_JSON, decode

if TYPE_CHECKING:
    from pollers.destinations.ended import AcceptedEvent, EndedInvocation

VERSION = "$LATEST"
"""The only version that runs here."""
SOURCE = "lambda"
_DETAIL_TYPE = "Lambda Function Invocation Result - "
_NO_CHARACTERS = ((chr(0xFFFE).encode(), rb"\ufffe"), (chr(0xFFFF).encode(), rb"\uffff"))
"""What JSON allows as it is and queues refuse; escaped, both take it."""


@dataclass(frozen=True)
class InvocationRecord:
    """The record of the end of one event. The same end gives the same record, to the byte; it is made once."""

    ended: EndedInvocation

    @property
    def payload_bytes(self) -> int:
        """The size of both payloads, which is nearly that of the record."""
        return len(self.ended.event.payload) + len(self.ended.response or b"")

    @property
    def qualified_arn(self) -> str:
        """The function's ARN with its version, as records name it."""
        return f"{self.ended.event.function_arn}:{VERSION}"

    def encode(self) -> bytes:
        """The record, in Lambda's order. Both payloads stay the text that they are.

        ``responseContext`` and ``responsePayload`` are there only when the function answered. Takes some 1 ms for 1 MB, and up to
        10 ms with letters beyond ASCII.
        """
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        ended = self.ended
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": milliseconds(ended.ended_at),
            "requestContext": {
                "requestId": ended.event.request_id,
                "functionArn": self.qualified_arn,
                "condition": ended.condition.value,
                "approximateInvokeCount": ended.invoke_count,
            },
            "requestPayload": _payload(ended.event.payload),
        }
        if ended.response is not None:
            record["responseContext"] = {"statusCode": 200, "executedVersion": VERSION}
            if ended.function_error:
                record["responseContext"]["functionError"] = UNHANDLED
            record["responsePayload"] = _payload(ended.response)
        encoded = orjson.dumps(record)
        if not encoded.isascii():
            for character, escape in _NO_CHARACTERS:
                encoded = encoded.replace(character, escape)
        return encoded

    def message(self) -> Message:
        """The record, with the invocation's trace header."""
        return Message(self.encode().decode(), trace_header=trace_header(self.ended.event))

    def object_key(self) -> str:
        """``aws/lambda/async/<function>/`` and the date."""
        return dated_key(f"aws/lambda/async/{self.ended.event.function}", self.ended.ended_at, self.encode())

    async def object_body(self) -> bytes:
        """The record."""
        return self.encode()

    def bus_event(self, bus_arn: str) -> BusEvent:
        """The event whose detail is the record."""
        kind = "Success" if self.ended.condition is Condition.SUCCESS else "Failure"
        detail = self.encode().decode()
        return BusEvent(bus_arn, SOURCE, _DETAIL_TYPE + kind, (bus_arn, self.qualified_arn), detail)


def trace_header(event: AcceptedEvent) -> str:
    """A trace header in X-Ray's form for what is told of an event: made from its request id, so that it stays the same."""
    digest = hashlib.blake2b(event.request_id.encode(), digest_size=20).hexdigest()
    return f"Root=1-{int(event.accepted_at):08x}-{digest[:24]};Parent={digest[24:]};Sampled=0"


def _payload(body: bytes) -> orjson.Fragment | str:
    """JSON as it is written, and anything else as a text."""
    return orjson.Fragment(body) if is_json(body) else body.decode("utf-8", "replace")


def is_json(body: bytes) -> bool:
    """Whether these bytes are one JSON value. Takes 0.5 ms for 1 MB."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        # It refuses escapes of lone surrogates, which are JSON.
        return decode(body, keep_number_texts=True) is not NOT_JSON
    return True
