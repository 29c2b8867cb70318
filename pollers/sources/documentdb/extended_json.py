"""BSON as relaxed extended JSON, version 2, exactly: every type as MongoDB's specification spells it, read off the bytes.

The specification is "Extended JSON" of MongoDB's driver specifications; what AWS writes beyond the published event is not known
(docs/differences). This is the slow way, some 0.5 µs for each member, which :mod:`documents` takes for what the fast one cannot
spell. Members stand in the order in which the server sent them; of members of equal names the last counts, in the place of the
first.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import hexlify
from datetime import datetime, timedelta
from functools import lru_cache
from math import isfinite, isnan
from struct import Struct
from struct import error as CutShort  # noqa: N812 - what it says here
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

INT32: Final = Struct("<i").unpack_from
INT64: Final = Struct("<q").unpack_from
DOUBLE: Final = Struct("<d").unpack_from
TIMESTAMP: Final = Struct("<II").unpack_from
"""The increment, then the seconds."""

DOUBLE_KIND, STRING, DOCUMENT, ARRAY, BINARY, UNDEFINED, OBJECT_ID, BOOLEAN, DATE, NULL = range(1, 11)
REGEX, POINTER, CODE, SYMBOL, SCOPED_CODE, INT32_KIND, TIMESTAMP_KIND, INT64_KIND, DECIMAL = range(11, 20)
MAX_KEY, MIN_KEY = 127, 255
SUBTYPE_0: Final = 0
"""Of binary data that is nothing in particular."""
OLD_BINARY = 2
"""A subtype whose bytes begin with their length once more."""
LEAST_BYTES: Final = 5
"""An empty document: its length and its end."""
_EPOCH: Final = datetime(1970, 1, 1)
"""Naive and in UTC, as the driver's are."""
_WITHOUT_FRACTION: Final = len('"1970-01-01T00:00:00')
_WITH_MILLISECONDS: Final = len('"1970-01-01T00:00:00.000')
_YEAR_10000: Final = 253_402_300_800_000
"""In milliseconds: the first time that has no spelling in ISO 8601 with four digits of the year."""


class NotBson(ValueError):  # noqa: N818 - what is wrong with the bytes
    """These bytes are no BSON document."""


def document_text(raw: bytes) -> bytes:
    """A whole BSON document as JSON. Raises NotBson."""
    try:
        text, end = _document(raw, 0)
    except (CutShort, IndexError, RecursionError) as error:
        raise NotBson(f"{type(error).__name__}: {error}") from error
    if end != len(raw):
        raise NotBson(f"{len(raw) - end} bytes follow the document")
    return text


def value_text(raw: bytes, kind: int, at: int) -> tuple[bytes, int]:
    """The value of a BSON type at a place as JSON, and where it ends.

    Raises NotBson, and IndexError, struct.error or RecursionError for what is cut short or nested without end.
    """
    spell = _SPELLED.get(kind)
    if spell is None:
        raise NotBson(f"there is no type {kind} (at byte {at})")
    return spell(raw, at)


def text(raw: bytes) -> bytes:
    """UTF-8 as a JSON text. Bytes that are none, which half of a surrogate pair is, too, become U+FFFD."""
    return orjson.dumps(raw.decode("utf-8", "replace"))


def date_text(milliseconds: int) -> bytes:
    """A time since the epoch. Years that ISO 8601 does not spell, and those before 1970, are numbers."""
    if not 0 <= milliseconds < _YEAR_10000:
        return b'{"$date":{"$numberLong":"%d"}}' % milliseconds
    seconds, rest = divmod(milliseconds, 1000)
    return _second(seconds) + (b'.%03dZ"}' % rest if rest else b'Z"}')


@lru_cache(maxsize=64)
def _second(seconds: int) -> bytes:
    """A second's text as far as it has no fraction. Most dates of a stream are of a few."""
    return b'{"$date":%b' % orjson.dumps(_EPOCH + timedelta(seconds=seconds))[:-1]


def datetime_text(moment: datetime) -> bytes:
    """The same of a naive datetime in UTC, of whole milliseconds, from 1970 on."""
    # orjson spells six digits of a fraction, or no fraction at all; the fastest way to the three that are wanted.
    spelled = orjson.dumps(moment)
    return b'{"$date":%bZ"}' % spelled[: _WITH_MILLISECONDS if moment.microsecond else _WITHOUT_FRACTION]


def timestamp_text(seconds: int, increment: int) -> bytes:
    """An operation time, as it is published."""
    return b'{"$timestamp":{"t":%d,"i":%d}}' % (seconds, increment)


def id_text(raw: bytes) -> bytes:
    """An ObjectId's 12 bytes."""
    return b'{"$oid":"%b"}' % hexlify(raw)


def binary_text(raw: bytes, subtype: int) -> bytes:
    """Binary data."""
    return b'{"$binary":{"base64":"%b","subType":"%02x"}}' % (b64encode(raw), subtype)


def double_text(value: float) -> bytes:
    """A double: what JSON has no number for is spelled."""
    if isfinite(value):
        return orjson.dumps(value)
    name = "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return b'{"$numberDouble":"%b"}' % name.encode()


def part(raw: bytes, at: int, size: int) -> tuple[bytes, int]:
    """So many bytes, and where they end. Raises NotBson where there are fewer."""
    end = at + size
    if size < 0 or end > len(raw):
        raise NotBson(f"{size} bytes are not there (at byte {at})")
    return raw[at:end], end


def cstring(raw: bytes, at: int) -> tuple[bytes, int]:
    """The bytes up to the next zero, and what follows it. Raises NotBson."""
    end = raw.find(0, at)
    if end < 0:
        raise NotBson(f"a name does not end (at byte {at})")
    return raw[at:end], end + 1


def string(raw: bytes, at: int) -> tuple[bytes, int]:
    """The bytes of a string that stands there with its length, and where it ends. Raises NotBson."""
    value, end = part(raw, at + 4, INT32(raw, at)[0])
    if value[-1:] != b"\0":
        raise NotBson(f"a text does not end with zero (at byte {at})")
    return value[:-1], end


def _members(raw: bytes, at: int) -> tuple[list[tuple[bytes, bytes]], int]:
    """The names of a document's members, as the server sent them, with their values as JSON."""
    size = INT32(raw, at)[0]
    last = at + size - 1
    if size < LEAST_BYTES or last >= len(raw) or raw[last]:
        raise NotBson(f"a document of {size} bytes does not end (at byte {at})")
    members: list[tuple[bytes, bytes]] = []
    at += 4
    while at < last:
        name, start = cstring(raw, at + 1)
        value, at = value_text(raw, raw[at], start)
        members.append((name, value))
    if at != last:
        raise NotBson(f"a value is longer than its document (at byte {last})")
    return members, last + 1


def _document(raw: bytes, at: int) -> tuple[bytes, int]:
    members, end = _members(raw, at)
    # Names are told apart by their bytes: two that are no UTF-8 may look alike.
    return b"{%b}" % b",".join([b"%b:%b" % (text(name), value) for name, value in dict(members).items()]), end


def _array(raw: bytes, at: int) -> tuple[bytes, int]:
    members, end = _members(raw, at)
    return b"[%b]" % b",".join([value for _, value in members]), end


def _string(raw: bytes, at: int) -> tuple[bytes, int]:
    value, end = string(raw, at)
    return text(value), end


def _double(raw: bytes, at: int) -> tuple[bytes, int]:
    return double_text(DOUBLE(raw, at)[0]), at + 8


def _binary(raw: bytes, at: int) -> tuple[bytes, int]:
    subtype = raw[at + 4]
    value, end = part(raw, at + 5, INT32(raw, at)[0])
    return binary_text(value[4:] if subtype == OLD_BINARY else value, subtype), end


def _undefined(_raw: bytes, at: int) -> tuple[bytes, int]:
    return b'{"$undefined":true}', at


def _object_id(raw: bytes, at: int) -> tuple[bytes, int]:
    value, end = part(raw, at, 12)
    return id_text(value), end


def _boolean(raw: bytes, at: int) -> tuple[bytes, int]:
    return (b"true" if raw[at] else b"false"), at + 1


def _date(raw: bytes, at: int) -> tuple[bytes, int]:
    return date_text(INT64(raw, at)[0]), at + 8


def _null(_raw: bytes, at: int) -> tuple[bytes, int]:
    return b"null", at


def _regex(raw: bytes, at: int) -> tuple[bytes, int]:
    pattern, at = cstring(raw, at)
    options, at = cstring(raw, at)
    return b'{"$regularExpression":{"pattern":%b,"options":%b}}' % (text(pattern), text(options)), at


def _pointer(raw: bytes, at: int) -> tuple[bytes, int]:
    collection, at = string(raw, at)
    value, at = _object_id(raw, at)
    return b'{"$dbPointer":{"$ref":%b,"$id":%b}}' % (text(collection), value), at


def _code(raw: bytes, at: int) -> tuple[bytes, int]:
    value, at = _string(raw, at)
    return b'{"$code":%b}' % value, at


def _symbol(raw: bytes, at: int) -> tuple[bytes, int]:
    value, at = _string(raw, at)
    return b'{"$symbol":%b}' % value, at


def _scoped_code(raw: bytes, at: int) -> tuple[bytes, int]:
    code, at = _string(raw, at + 4)
    scope, at = _document(raw, at)
    return b'{"$code":%b,"$scope":%b}' % (code, scope), at


def _int32(raw: bytes, at: int) -> tuple[bytes, int]:
    return b"%d" % INT32(raw, at)[0], at + 4


def _timestamp(raw: bytes, at: int) -> tuple[bytes, int]:
    increment, seconds = TIMESTAMP(raw, at)
    return timestamp_text(seconds, increment), at + 8


def _int64(raw: bytes, at: int) -> tuple[bytes, int]:
    return b"%d" % INT64(raw, at)[0], at + 8


def _decimal(raw: bytes, at: int) -> tuple[bytes, int]:
    from bson.decimal128 import Decimal128

    value, end = part(raw, at, 16)
    return b'{"$numberDecimal":"%b"}' % str(Decimal128.from_bid(value)).encode(), end


def _min_key(_raw: bytes, at: int) -> tuple[bytes, int]:
    return b'{"$minKey":1}', at


def _max_key(_raw: bytes, at: int) -> tuple[bytes, int]:
    return b'{"$maxKey":1}', at


_SPELLED: dict[int, Callable[[bytes, int], tuple[bytes, int]]] = {
    DOUBLE_KIND: _double,
    STRING: _string,
    DOCUMENT: _document,
    ARRAY: _array,
    BINARY: _binary,
    UNDEFINED: _undefined,
    OBJECT_ID: _object_id,
    BOOLEAN: _boolean,
    DATE: _date,
    NULL: _null,
    REGEX: _regex,
    POINTER: _pointer,
    CODE: _code,
    SYMBOL: _symbol,
    SCOPED_CODE: _scoped_code,
    INT32_KIND: _int32,
    TIMESTAMP_KIND: _timestamp,
    INT64_KIND: _int64,
    DECIMAL: _decimal,
    MAX_KEY: _max_key,
    MIN_KEY: _min_key,
}
