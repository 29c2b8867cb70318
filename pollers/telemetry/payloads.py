"""The start of an event's payload, without the members around it, for people who look at a failure.

Each kind of source declares which of these functions reads its encoded event records. Quotes inside a text are escaped, so no
text in a record can look like one of its members.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, TypeAlias

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_BYTES = 512
"""How much of a payload is kept."""
_JSON_BYTES = 2 * LIMIT_BYTES
_ESCAPE_BYTES = 12
"""The length of the longest escape (a pair of surrogates), which may have been cut in two."""

PayloadStart: TypeAlias = "Callable[[bytes], bytes]"
"""Up to :data:`LIMIT_BYTES` of the payload of an encoded Lambda event record; of the record itself where it has no such member."""


def text_member(name: str) -> PayloadStart:
    """For a member that is a string: its text, without escapes."""
    pattern = re.compile(rb'"%b":"((?:[^"\\]|\\.){0,%d})' % (name.encode(), _JSON_BYTES), re.DOTALL)

    def start(record: bytes) -> bytes:
        found = pattern.search(record)
        return (record if found is None else _unescaped(found[1]))[:LIMIT_BYTES]

    return start


def base64_member(name: str) -> PayloadStart:
    """For a member that is base64: the decoded bytes."""
    pattern = re.compile(rb'"%b":"([A-Za-z0-9+/]{0,%d})' % (name.encode(), LIMIT_BYTES // 3 * 4))

    def start(record: bytes) -> bytes:
        found = pattern.search(record)
        if found is None:
            return record[:LIMIT_BYTES]
        return binascii.a2b_base64(found[1] + b"=" * (-len(found[1]) % 4))

    return start


def json_member(name: str) -> PayloadStart:
    """For a member that is a JSON value: its text."""
    pattern = re.compile(rb'"%b":(.{0,%d})' % (name.encode(), LIMIT_BYTES), re.DOTALL)

    def start(record: bytes) -> bytes:
        found = pattern.search(record)
        return record[:LIMIT_BYTES] if found is None else found[1]

    return start


def _unescaped(text: bytes) -> bytes:
    for cut in range(_ESCAPE_BYTES + 1):
        try:
            whole: str = orjson.loads(b'"' + text[: len(text) - cut] + b'"')
        except orjson.JSONDecodeError:
            continue
        return whole.encode("utf-8", "replace")
    return text
