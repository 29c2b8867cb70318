"""Aggregates as the Kinesis Producer Library makes them."""

from __future__ import annotations

import hashlib

MARK = bytes.fromhex("f3899ac2")


def aggregate(*user_records: str) -> bytes:
    """The data of one record that holds these user records, all of one partition key."""
    message = _field(1, b"k")
    for data in user_records:
        message += _field(3, b"\x08\x00" + _field(3, data.encode()))
    return MARK + message + hashlib.md5(message, usedforsecurity=False).digest()


def as_value(data: bytes) -> str:
    """Data as a value of a stream in memory, whose values are text."""
    return data.decode("utf-8", "surrogateescape")


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
