"""The start of what an event carries, for people who look at a failure: its payload, without the handles around it."""

from __future__ import annotations

import binascii
import re

import orjson

LIMIT_BYTES = 512
"""How much of a payload is kept."""
_JSON_BYTES = 2 * LIMIT_BYTES
_BODY = re.compile(rb'"body":"((?:[^"\\]|\\.){0,%d})' % _JSON_BYTES, re.DOTALL)
_DATA = re.compile(rb'"data":"([A-Za-z0-9+/]{0,%d})' % (LIMIT_BYTES // 3 * 4))
_CHANGE = re.compile(rb'"dynamodb":(.{0,%d})' % LIMIT_BYTES, re.DOTALL)
_ESCAPE_BYTES = 12
"""The longest escape (a pair of surrogates), which the cut may have split."""


def first_payload(record: bytes) -> bytes:
    """Up to :data:`LIMIT_BYTES` of what an encoded Lambda event record carries: an SQS body, Kinesis data, a DynamoDB change.

    Its quotes being escaped, no text inside a record looks like one of its members.
    """
    if (body := _BODY.search(record)) is not None:
        return _unescaped(body[1])[:LIMIT_BYTES]
    if (data := _DATA.search(record)) is not None:
        text = data[1]
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    if (change := _CHANGE.search(record)) is not None:
        return change[1]
    return record[:LIMIT_BYTES]


def _unescaped(text: bytes) -> bytes:
    for cut in range(_ESCAPE_BYTES + 1):
        try:
            whole: str = orjson.loads(b'"' + text[: len(text) - cut] + b'"')
        except orjson.JSONDecodeError:
            continue
        return whole.encode("utf-8", "replace")
    return text
