"""AWS's event stream encoding: framed messages over one long HTTP response, their payloads left undecoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pollers.aws.errors import AwsError, Unavailable
from pollers.aws.wire.classify import failure
from pollers.aws.wire.sdk_private import EventStreamBuffer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def events(chunks: AsyncIterator[bytes], operation: str) -> AsyncIterator[tuple[str, bytes]]:
    """Each event's type and payload, until the service ends the stream.

    Raises the class of the error that the service sends in the stream, and Unavailable when the stream is torn.
    """
    buffer = EventStreamBuffer()
    unread_bytes = 0
    try:
        async for chunk in chunks:
            buffer.add_data(chunk)
            unread_bytes += len(chunk)
            for message in buffer:
                unread_bytes -= message.prelude.total_length
                headers = message.headers
                if headers.get(":message-type") != "event":
                    raise _failure(headers, message.payload, operation)
                yield _text(headers.get(":event-type")), message.payload
    except AwsError:
        raise
    except Exception as error:  # the decoder has no error of its own for every kind of garbage
        raise Unavailable(type(error).__name__, str(error), operation=operation) from error
    if unread_bytes:
        raise Unavailable(
            "TornStream", f"the stream ended within a message, after {unread_bytes} bytes", operation=operation
        )


def _failure(headers: dict[str, Any], payload: bytes, operation: str) -> Exception:
    """An ``exception`` has its message in a JSON payload, an ``error`` in its headers."""
    code = _text(headers.get(":exception-type")) or _text(headers.get(":error-code")) or "UnknownEventStreamError"
    message = _text(headers.get(":error-message"))
    try:
        document = orjson.loads(payload) if payload else {}
    except orjson.JSONDecodeError:
        document = {}
    if isinstance(document, dict):
        message = message or _text(document.get("message")) or _text(document.get("Message"))
    return failure(code, message, status=0, operation=operation)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
