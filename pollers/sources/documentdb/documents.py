"""BSON documents as relaxed extended JSON, fast: by pymongo's C code and orjson, where these spell it as the exact way does.

Some 5 µs for 300 B. Where something is in a document that one of the two would spell wrong or not at all, and for whatever fails,
the exact way (:mod:`extended_json`) is taken from the start.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

import bson
import orjson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.timestamp import Timestamp

from pollers.sources.documentdb.extended_json import (
    SUBTYPE_0,
    binary_text,
    datetime_text,
    document_text,
    id_text,
    timestamp_text,
)

_EPOCH_YEAR: Final = 1970
# Naive datetimes are UTC; what has no datetime becomes a type that the fast way does not know.
_CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_SYMBOL: Final = re.compile(rb"\x0e[^\x00-\x1f]*\x00..[\x00\x01]\x00", re.DOTALL)
"""A symbol, which the driver would make a text; its name has no control characters."""
_UNDEFINED: Final = re.compile(rb"\x06(?:[^\x00]|\x00[^\x00]|\x00\x00[^\x00]|\x00+\Z)")
"""Undefined, which the driver makes null. One passes for null, since the number 6 looks so: of empty name, the last of a document
that is its parent's last, with more behind that."""
_NOT_FINITE: Final = re.compile(rb"[\xf0-\xff][\x7f\xff]")
"""The last two bytes of a double that JSON has no number for, and orjson makes null of."""


def document_json(raw: bytes) -> bytes:
    """A BSON document as JSON. Raises NotBson."""
    try:
        fast = orjson.dumps(bson.decode(raw, _CODEC), _extended, _OPTIONS)
    except (BSONError, TypeError, ValueError, RecursionError):
        # Text that is no UTF-8, deeper than orjson goes, a type that is rare, or no BSON at all.
        return document_text(raw)
    return document_text(raw) if _is_misspelled(raw, fast) else fast


def _is_misspelled(raw: bytes, fast: bytes) -> bool:
    """Whether the fast way may have made something else of a value. To look for one byte takes 0.04 µs, for more ten times that."""
    if (0x7F in raw or 0xFF in raw) and b"null" in fast and _NOT_FINITE.search(raw):
        return True
    if 0x06 in raw and _UNDEFINED.search(raw) and b"null" in fast:
        return True
    if 0x0E in raw and _SYMBOL.search(raw):
        return True
    # What looks like a DBRef becomes one, with its members in another order.
    return 0x24 in raw and b"$ref" in raw


def _extended(value: Any) -> Any:  # noqa: ANN401 - any BSON value, and what JSON makes of it
    """What orjson does not know and is not rare. Raises TypeError for the rest."""
    kind = type(value)
    if kind is ObjectId:
        return orjson.Fragment(id_text(value.binary))
    if kind is Int64:
        return int(value)
    if kind is datetime:
        if value.year < _EPOCH_YEAR:
            raise TypeError("a date that is spelled as a number")
        return orjson.Fragment(datetime_text(value))
    if kind is Decimal128:
        return {"$numberDecimal": str(value)}
    if kind is bytes:
        return orjson.Fragment(binary_text(value, SUBTYPE_0))
    if kind is Timestamp:
        return orjson.Fragment(timestamp_text(value.time, value.inc))
    raise TypeError(kind.__name__)
