"""Frames of AWS's event streams (docs/lambda 11.8). Deciders."""

from __future__ import annotations

import struct
from zlib import crc32

import orjson

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_AROUND_BYTES = 16
"""Two lengths and two checksums."""


def _header(name: str, value: str) -> bytes:
    return struct.pack(f">B{len(name)}sBH{len(value)}s", len(name), name.encode(), 7, len(value), value.encode())


def _headers(event_type: str, content_type: str) -> bytes:
    named = ((":message-type", "event"), (":event-type", event_type), (":content-type", content_type))
    return b"".join(_header(name, value) for name, value in named)


_CHUNK = _headers("PayloadChunk", "application/octet-stream")
_COMPLETE = _headers("InvokeComplete", "application/json")


def payload_chunk(payload: bytes) -> tuple[bytes, bytes, bytes]:
    """A piece of the response as a frame in three parts, the middle one as it is: it may be large, and is not copied."""
    return _frame(_CHUNK, payload)


def invoke_complete(code: str | None = None, details: str | None = None, log_result: str | None = None) -> bytes:
    """The last frame: what went wrong, if anything did, and the end of the log, if it was asked for."""
    given = {"ErrorCode": code, "ErrorDetails": details, "LogResult": log_result}
    return b"".join(
        _frame(_COMPLETE, orjson.dumps({name: value for name, value in given.items() if value is not None}))
    )


def _frame(headers: bytes, payload: bytes) -> tuple[bytes, bytes, bytes]:
    lengths = struct.pack(">II", _AROUND_BYTES + len(headers) + len(payload), len(headers))
    head = lengths + struct.pack(">I", crc32(lengths)) + headers
    return head, payload, struct.pack(">I", crc32(payload, crc32(head)))
