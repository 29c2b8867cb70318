"""Change events as the elements of Lambda's events: ``{"event": {...}}`` (docs/lambda 5.5).

The members of a change event stand in alphabetical order, as published; inside of them everything is as the server sent it.
Values are relaxed extended JSON, version 2 (:mod:`extended_json`).

The members of the event itself are read off its bytes: their names and forms are few, and all but the documents among them are
short. Documents are decoded by pymongo's C code and encoded by orjson, some 5 µs for 300 B, unless something is in them that one
of the two would spell wrong or not at all. Then, and for whatever fails, the exact way is taken from the start.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from datetime import datetime
from operator import itemgetter
from struct import error as CutShort  # noqa: N812 - what it says here
from typing import TYPE_CHECKING, Any, Final

import bson
import msgspec
import orjson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.timestamp import Timestamp

from pollers.sources.documentdb.extended_json import (
    DOCUMENT,
    INT32,
    LEAST_BYTES,
    STRING,
    TIMESTAMP,
    TIMESTAMP_KIND,
    NotBson,
    binary_text,
    cstring,
    datetime_text,
    document_text,
    id_text,
    string,
    text,
    timestamp_text,
    value_text,
)
from pollers.sources.documentdb.tokens import spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.sources.documentdb.api import OperationTime

INVALIDATE: Final = b"invalidate"
_HEX_TOKEN: Final = b"\x02_data\0"
_KEY_OF_ID: Final = b"\x16\0\0\0\x07_id\0"
"""How a document begins that has an ObjectId as ``_id`` and nothing else."""
_KNOWN: Final = 1_000
"""Layouts and names of collections that are remembered at most."""
_SUBTYPE_0: Final = 0
_EPOCH_YEAR: Final = 1970

# Naive datetimes are UTC; what has no datetime becomes a type that the fast way does not know.
_CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_SYMBOL: Final = re.compile(rb"\x0e[^\x00-\x1f]*\x00..[\x00\x01]\x00", re.DOTALL)
"""A symbol, which the driver would make a text; its name has no control characters."""
_UNDEFINED: Final = re.compile(rb"\x06(?:[^\x00]|\x00[^\x00]|\x00\x00[^\x00])")
"""Undefined, which the driver makes null. One passes for null: of empty name, the last of a document that is its parent's last."""
_NOT_FINITE: Final = re.compile(rb"[\xf0-\xff][\x7f\xff]")
"""The last two bytes of a double that JSON has no number for, and orjson makes null of."""


class ChangeEvent(msgspec.Struct, frozen=True, gc=False):
    """A change event that has been read.

    ``position``: behind it (:mod:`tokens`). ``seconds``: when it happened, since the epoch; None: it does not say. ``event``: the
    element of Lambda's event. ``readable``: whether it was BSON.
    """

    position: str
    seconds: int | None
    event: bytes
    readable: bool = True


class _Layout(msgspec.Struct, frozen=True, gc=False):
    """Events whose members have the same names in the same order: the text around their values, and the values' order in it."""

    template: bytes
    ordered: Callable[[list[bytes]], tuple[bytes, ...]]


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
        return orjson.Fragment(binary_text(value, _SUBTYPE_0))
    if kind is Timestamp:
        return orjson.Fragment(timestamp_text(value.time, value.inc))
    raise TypeError(kind.__name__)


class ChangeReader:
    """Reads the change events of one stream. What it remembers are texts that come again and again."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[bytes, ...], _Layout] = {}
        self._known: dict[bytes, bytes] = {}

    def read(self, raw: bytes) -> ChangeEvent:
        """A change event. One that is no BSON is given as its bytes, if it can be told which it is; else NotBson is raised."""
        try:
            return self._read(raw)
        except (NotBson, CutShort, IndexError, RecursionError):
            return _unreadable(raw)

    def _read(self, raw: bytes) -> ChangeEvent:
        last = len(raw) - 1
        if last < LEAST_BYTES or INT32(raw, 0)[0] != last + 1 or raw[last]:
            raise NotBson("the event has another length than it says")
        names: list[bytes] = []
        values: list[bytes] = []
        token, data, operation, time = b"", None, b"", None
        at, find = 4, raw.find
        while at < last:
            kind = raw[at]
            start = find(0, at) + 1
            name = raw[at + 1 : start - 1]
            names.append(name)
            if kind == DOCUMENT:
                at = start + INT32(raw, start)[0]
                document = raw[start:at]
                if name == b"_id":
                    token, data = document, _data(document)
                    values.append(document_json(document) if data is None else b'{"_data":"%b"}' % data)
                elif name == b"ns":
                    values.append(self._known.get(document) or self._remembered(document, document_json(document)))
                elif document.startswith(_KEY_OF_ID):
                    values.append(b'{"_id":{"$oid":"%b"}}' % document[9:21].hex().encode())
                else:
                    values.append(document_json(document))
                if at <= start:
                    raise NotBson("a document is shorter than its length")
            elif kind == TIMESTAMP_KIND:
                increment, seconds = TIMESTAMP(raw, start)
                if name == b"clusterTime":
                    time = seconds, increment
                values.append(b'{"$timestamp":{"t":%d,"i":%d}}' % (seconds, increment))
                at = start + 8
            elif name == b"operationType" and kind == STRING:
                operation, at = string(raw, start)
                values.append(self._known.get(operation) or self._remembered(operation, text(operation)))
            else:
                value, at = value_text(raw, kind, start)
                values.append(value)
        if at != last:
            raise NotBson("a value is longer than its event")
        layout = self._layouts.get(known := tuple(names)) or self._layout(known)
        if data is not None and operation != INVALIDATE:
            position = data.decode()
        else:
            position = _position_of(token, time if operation == INVALIDATE else None)
        return ChangeEvent(position, None if time is None else time[0], layout.template % layout.ordered(values))

    def _layout(self, names: tuple[bytes, ...]) -> _Layout:
        """The template of events with these members."""
        # Of members of equal names the last counts, as in documents.
        places = {name: place for place, name in enumerate(names)}
        ordered = sorted(places)
        members = [b"%b:" % text(name).replace(b"%", b"%%") + b"%b" for name in ordered]
        template = b'{"event":{%b}}' % b",".join(members)
        indices = [places[name] for name in ordered]
        if len(self._layouts) >= _KNOWN:
            self._layouts.clear()
        get = itemgetter(*indices) if len(indices) > 1 else lambda values: (values[indices[0]],) if indices else ()
        layout = self._layouts[names] = _Layout(template, get)
        return layout

    def _remembered(self, raw: bytes, spelled_value: bytes) -> bytes:
        """The JSON of what comes again: names of collections, which are documents, and of operations, which are texts."""
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[raw] = spelled_value
        return spelled_value


def _data(token: bytes) -> bytes | None:
    """The hexadecimal digits that are all that a token has; None: it has something else."""
    if not token.startswith(_HEX_TOKEN, 4) or len(token) != INT32(token, 11)[0] + 16:
        return None
    data = token[15:-2]
    try:
        return data if unhexlify(data) else None
    except ValueError:
        return None


def _position_of(token: bytes, invalidated: OperationTime | None) -> str:
    """Raises NotBson."""
    try:
        return spelled(bson.decode(token), invalidated)
    except (BSONError, ValueError) as error:
        raise NotBson(f"the event's resume token cannot be read: {error}") from error


def _unreadable(raw: bytes) -> ChangeEvent:
    """An event that is no BSON: its bytes, so that nothing of it is lost. Raises NotBson where it does not begin with its token."""
    try:
        name, start = cstring(raw, 5)
        token = raw[start : start + INT32(raw, start)[0]]
    except CutShort as error:
        raise NotBson(f"the event has no resume token: {error}") from error
    if name != b"_id":
        raise NotBson("the event does not begin with its resume token")
    member = binary_text(raw, _SUBTYPE_0)[1:]
    return ChangeEvent(
        _position_of(token, None), None, b'{"event":{"_id":%b,%b}' % (document_text(token), member), readable=False
    )
