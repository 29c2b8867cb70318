"""Records that the Kinesis Producer Library has made of several user records: recognised, and counted (docs/lambda 4.9).

Such a record's data is four bytes that mark it, a protobuf message, and the message's MD5. Field 3 of the message is a user record,
repeated. Functions get these records whole, as Lambda gives them; only a checkpoint that is shared with the Kinesis Client Library
says in which user record a consumer stopped.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode

MARK = b"\xf3\x89\x9a\xc2"
MARKED = "84maw"
"""How the base64 text of marked data begins: the first 30 of the mark's 32 bits."""
_DIGEST_BYTES = 16
_USER_RECORD = 3
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


def user_records(data: str) -> int | None:
    """How many user records this data has, given as base64; None: it is no aggregate, whatever it begins with."""
    if not data.startswith(MARKED):
        return None
    try:
        raw = b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    message, digest = raw[len(MARK) : -_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    if not raw.startswith(MARK) or len(raw) < len(MARK) + _DIGEST_BYTES:
        return None
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        return None
    try:
        return _counted(message)
    except (IndexError, ValueError):
        return None


def _counted(message: bytes) -> int:
    """Raises IndexError or ValueError for what is no such message."""
    count = at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _BYTES:
            size, at = _varint(message, at)
            at += size
            count += tag >> 3 == _USER_RECORD
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_FIXED_64, _FIXED_32):
            at += 8 if kind == _FIXED_64 else 4
        else:
            raise ValueError(f"wire type {kind}")
    if at > len(message):
        raise ValueError("the message is cut short")
    return count


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next field begins."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
