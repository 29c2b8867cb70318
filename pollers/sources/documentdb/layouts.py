"""Change events that are like one that has been read: the same members in the same order, of the same operation and collection.

What stands in all of them, and values of a fixed length, are read at once. Nothing is taken for granted: an event that differs from
a layout in one byte that is not a value's is another one, and is read member by member (:mod:`events`).
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from itertools import zip_longest
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from pollers.sources.documentdb.documents import document_json
from pollers.sources.documentdb.extended_json import (
    DATE,
    DOCUMENT,
    INT64_KIND,
    NULL,
    TIMESTAMP_KIND,
    date_text,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FIRST: Final = 4
"""Where an event's first member begins."""
_TOKEN, _KEY, _INCREMENT, _SECONDS, _CLUSTER_TIME = range(-5, 0)
"""Values beside BSON's types: the digits of the resume token, an ObjectId in a document of its own, and what is in timestamps."""
_FIELDS: Final = {
    DOCUMENT: "i",
    DATE: "q",
    INT64_KIND: "q",
    _INCREMENT: "I",
    _SECONDS: "I",
    _CLUSTER_TIME: "I",
    _KEY: "12s",
}
"""How ``struct`` writes them. Of a document it is the length, which it begins with."""
_TEMPLATES: Final = {
    _TOKEN: b'{"_data":"%b"}',
    _KEY: b'{"_id":{"$oid":"%b"}}',
    _INCREMENT: b'{"$timestamp":{"t":%d,"i":%d}}',
    DOCUMENT: b"%b",
    DATE: b"%b",
    INT64_KIND: b"%d",
}
_SPELLED: Final[dict[int, Callable[[Any], bytes]]] = {DOCUMENT: document_json, DATE: date_text, _KEY: hexlify}
_LENGTH_BYTES: Final = 4
_TOKEN_HEAD: Final = len(b"\x03_id\0....\x02_data\0....")
_TOKEN_TAIL: Final = b"\0\0"
_KEY_HEAD: Final = b"\x16\0\0\0\x07_id\0"
_KEY_TAIL: Final = b"\0"
_EVENT_TAIL: Final = b"\0"

Parts: TypeAlias = tuple[bytes | int, ...]
"""An event in its order: bytes that stand there each time, and the kinds of values between them."""


class Member(msgspec.Struct, frozen=True, gc=False):
    """A member of an event: where it begins, where its value does, where it ends, and its value as JSON."""

    name: bytes
    kind: int
    begin: int
    start: int
    end: int
    value: bytes

    @property
    def same_each_time(self) -> bool:
        """Whether it tells one layout from another, and is no value."""
        return self.name == b"operationType" or self.kind == NULL or (self.name == b"ns" and self.kind == DOCUMENT)


class _Segment(msgspec.Struct, frozen=True, gc=False):
    """Parts of an event up to a document, which has any length, or to the event's end. ``size``: up to there.

    ``unpack`` gives ``constants`` and values in turn.
    """

    unpack: Callable[[bytes, int], tuple[Any, ...]]
    size: int
    constants: tuple[bytes, ...]
    before_document: bool


class Layout(msgspec.Struct, frozen=True, gc=False):
    """What events have in common.

    ``spelled``: which of the values that are found are to be spelled, and by what. ``seconds``: which of them is the event's time.
    ``template``: an event as JSON around its values, which ``ordered`` puts in their places.
    """

    segments: tuple[_Segment, ...]
    spelled: tuple[tuple[int, Callable[[Any], bytes]], ...]
    seconds: int | None
    template: bytes
    ordered: Callable[[list[Any]], tuple[bytes | int, ...]]


def parts_of(raw: bytes, members: Sequence[Member]) -> Parts | None:
    """The parts of an event, which are those of its layout. Its token has nothing but digits.

    None: it has no layout, for its members are not simply in a row behind the token, or there is a value that is rare.
    """
    token = members[0]
    if token.name != b"_id" or [member.begin for member in members] != [_FIRST, *(one.end for one in members[:-1])]:
        return None
    parts: list[bytes | int] = [raw[_FIRST : _FIRST + _TOKEN_HEAD], _TOKEN, _TOKEN_TAIL]
    for member in members[1:]:
        head = raw[member.begin : member.start]
        if member.same_each_time:
            parts.append(raw[member.begin : member.end])
        elif member.kind == DOCUMENT and raw.startswith(_KEY_HEAD, member.start):
            parts += head + _KEY_HEAD, _KEY, _KEY_TAIL
        elif member.kind == TIMESTAMP_KIND:
            parts += head, _INCREMENT, _CLUSTER_TIME if member.name == b"clusterTime" else _SECONDS
        elif member.kind in _FIELDS:
            parts += head, member.kind
        else:
            return None
    return *parts, _EVENT_TAIL


def layout_of(parts: Parts, members: Sequence[Member]) -> Layout:
    """The layout of an event that has these parts and members."""
    digits = members[0].end - _FIRST - _TOKEN_HEAD - len(_TOKEN_TAIL)
    segments: list[_Segment] = []
    constants, kinds = [b""], []
    for part in parts:
        if isinstance(part, bytes):
            constants[-1] += part
            continue
        kinds.append(part)
        if part == DOCUMENT:
            segments.append(_segment(constants, kinds, digits))
            constants, kinds = [], []
        constants.append(b"")
    segments.append(_segment(constants, kinds, digits))
    values = [part for part in parts if isinstance(part, int)]
    spelled = tuple((index, _SPELLED[kind]) for index, kind in enumerate(values) if kind in _SPELLED)
    seconds = next((index for index, kind in enumerate(values) if kind == _CLUSTER_TIME), None)
    return Layout(tuple(segments), spelled, seconds, *_template(members, values))


def _segment(constants: list[bytes], kinds: list[int], digits: int) -> _Segment:
    fields = [f"{digits}s" if kind == _TOKEN else _FIELDS[kind] for kind in kinds]
    form = Struct(
        "<" + "".join(f"{len(there)}s{field}" for there, field in zip_longest(constants, fields, fillvalue=""))
    )
    before_document = kinds[-1:] == [DOCUMENT]
    size = form.size - (_LENGTH_BYTES if before_document else 0)
    return _Segment(form.unpack_from, size, tuple(constants), before_document)


def _template(
    members: Sequence[Member], values: list[int]
) -> tuple[bytes, Callable[[list[Any]], tuple[bytes | int, ...]]]:
    """The event around its values, and what puts those that are found in its members' order in the event's."""
    places: dict[bytes, list[int]] = {}
    taken = 0
    for member in members:
        # A timestamp is two values, as it is found the other way round than it is written.
        count = 0 if member.same_each_time else 2 if member.kind == TIMESTAMP_KIND else 1
        places[member.name] = list(range(taken, taken + count))[::-1]
        taken += count
    ordered = sorted(members, key=lambda member: member.name)
    written = [
        b"%b:%b" % (text(one.name).replace(b"%", b"%%"), _value(one, values, places[one.name])) for one in ordered
    ]
    indices = [index for one in ordered for index in places[one.name]]
    return b'{"event":{%b}}' % b",".join(written), itemgetter(*indices) if len(indices) > 1 else tuple


def _value(member: Member, values: list[int], places: list[int]) -> bytes:
    """A member's value in a template."""
    return _TEMPLATES[values[places[-1]]] if places else member.value.replace(b"%", b"%%")


def read_along(raw: bytes, layout: Layout) -> tuple[str, int | None, bytes] | None:
    """The event, if it is as ``layout`` says: its token's digits, when it happened, and the event of Lambda's. None: it is another.

    Raises struct.error, NotBson or binascii.Error for some that are others, too.
    """
    at = _FIRST
    found: list[Any] = []
    for segment in layout.segments:
        parts = segment.unpack(raw, at)
        if parts[::2] != segment.constants:
            return None
        found += parts[1::2]
        at += segment.size
        if segment.before_document:
            begin, at = at, at + found[-1]
            found[-1] = raw[begin:at]
    if at != len(raw):
        return None
    data = found[0]
    unhexlify(data)
    # Only now, since a document takes much longer than the rest.
    for index, spell in layout.spelled:
        found[index] = spell(found[index])
    seconds = None if layout.seconds is None else found[layout.seconds]
    return data.decode(), seconds, layout.template % layout.ordered(found)
