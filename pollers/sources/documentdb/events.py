"""Change events as the elements of Lambda's events: ``{"event": {...}}`` (docs/lambda 5.5).

The members of a change event stand in alphabetical order, as published; inside of them everything is as the server sent it.
Values are relaxed extended JSON, version 2 (:mod:`extended_json`).

The members of the event itself are read off its bytes: their names and forms are few, and all but the documents among them are
short. Documents among them are :mod:`documents`' to spell.
"""

from __future__ import annotations

from binascii import unhexlify
from operator import itemgetter
from struct import error as CutShort  # noqa: N812 - what it says here
from typing import TYPE_CHECKING, Final

import bson
import msgspec
from bson.errors import BSONError

from pollers.sources.documentdb.documents import document_json
from pollers.sources.documentdb.extended_json import (
    DOCUMENT,
    INT32,
    LEAST_BYTES,
    SUBTYPE_0,
    TIMESTAMP,
    TIMESTAMP_KIND,
    NotBson,
    binary_text,
    cstring,
    document_text,
    part,
    text,
    value_text,
)
from pollers.sources.documentdb.tokens import spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pollers.sources.documentdb.api import OperationTime

INVALIDATE: Final = b'"invalidate"'
_HEX_TOKEN: Final = b"\x02_data\0"
_ENDS: Final = b"\0\0"
"""Of the text, and of the token."""
_KEY_OF_ID: Final = b"\x16\0\0\0\x07_id\0"
"""How a document begins that has an ObjectId as ``_id`` and nothing else."""
_KNOWN: Final = 1_000
"""Layouts that are remembered at most."""
_NOTHING: Final = 0
_CLUSTER_TIME: Final = bytes([TIMESTAMP_KIND]) + b"clusterTime\0"


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
    """Events that have the same members in the same order, with the same operation and collection.

    Their resume token comes first. ``steps``: for each member what stands there, how long that is, and what follows (the type of
    its value; ``_NOTHING`` where the whole member is the same each time). ``template``: the event around the values of those that
    differ, which ``ordered`` puts in the order of the event.
    """

    steps: tuple[tuple[bytes, int, int], ...]
    template: bytes
    ordered: Callable[[list[bytes]], tuple[bytes, ...]]


class _Member(msgspec.Struct, frozen=True, gc=False):
    """A member of an event: where it begins, where its value does, where it ends, and its value as JSON."""

    name: bytes
    kind: int
    begin: int
    start: int
    end: int
    value: bytes


class ChangeReader:
    """Reads the change events of one stream.

    Most events are of the operation, the collection and the form of the one before: such a one is read along what is known of that,
    which takes half the time. Any other is read member by member.
    """

    def __init__(self) -> None:
        self._layouts: dict[tuple[bytes, ...], _Layout] = {}
        self._last: _Layout | None = None

    def read(self, raw: bytes) -> ChangeEvent:
        """A change event. One that is no BSON is given as its bytes, if it can be told which it is; else NotBson is raised."""
        try:
            if len(raw) < LEAST_BYTES or INT32(raw, 0)[0] != len(raw) or raw[-1]:
                raise NotBson("the event has another length than it says")
            known = None if self._last is None else _read_along(raw, self._last)
            return known or self._read(raw)
        except (NotBson, CutShort, IndexError, RecursionError):
            return _unreadable(raw)

    def _read(self, raw: bytes) -> ChangeEvent:
        # Of members of equal names the last counts, in the place of the first, as in documents.
        members = {member.name: member for member in _members(raw)}
        token, operation, time = members.get(b"_id"), members.get(b"operationType"), members.get(b"clusterTime")
        if token is None or token.kind != DOCUMENT:
            raise NotBson("the event has no resume token")
        when = None
        if time is not None and time.kind == TIMESTAMP_KIND:
            increment, seconds = TIMESTAMP(raw, time.start)
            when = seconds, increment
        invalidates = operation is not None and operation.value == INVALIDATE
        position = _position_of(raw[token.start : token.end], when if invalidates else None)
        event = b",".join([b"%b:%b" % (text(name), members[name].value) for name in sorted(members)])
        if not invalidates and _data(raw, token.start) is not None:
            self._last = self._layout(raw, members)
        return ChangeEvent(position, None if when is None else when[0], b'{"event":{%b}}' % event)

    def _layout(self, raw: bytes, members: dict[bytes, _Member]) -> _Layout | None:
        """What is known of events that are like this one. None where its members are not simply in a row."""
        found = list(members.values())
        if found[0].name != b"_id" or [member.begin for member in found] != [4, *(member.end for member in found[:-1])]:
            return None
        key = tuple(raw[member.begin : member.end if _same_each_time(member) else member.start] for member in found)
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) >= _KNOWN:
                self._layouts.clear()
            kinds = [_NOTHING if _same_each_time(member) else member.kind for member in found]
            layout = self._layouts[key] = _Layout(
                tuple((there, len(there), kind) for there, kind in zip(key, kinds, strict=True)), *_template(found)
            )
        return layout


def _same_each_time(member: _Member) -> bool:
    return member.name == b"operationType" or (member.name == b"ns" and member.kind == DOCUMENT)


def _template(members: list[_Member]) -> tuple[bytes, Callable[[list[bytes]], tuple[bytes, ...]]]:
    """The event around its values, and what puts the values that are given in its members' order in the event's."""
    differing = [member.name for member in members if not _same_each_time(member)]
    parts = []
    for member in sorted(members, key=lambda member: member.name):
        name = text(member.name).replace(b"%", b"%%")
        parts.append(name + b":" + (member.value.replace(b"%", b"%%") if _same_each_time(member) else b"%b"))
    indices = [differing.index(name) for name in sorted(differing)]
    template = b'{"event":{%b}}' % b",".join(parts)
    return template, itemgetter(*indices) if len(indices) > 1 else tuple


def _read_along(raw: bytes, layout: _Layout) -> ChangeEvent | None:
    """The event, if it is as ``layout`` says; None: it is another. Raises what :meth:`ChangeReader.read` knows."""
    at, data, seconds = 4, b"", None
    values: list[bytes] = []
    for there, size, kind in layout.steps:
        if not raw.startswith(there, at):
            return None
        at += size
        if kind == _NOTHING:
            continue
        if kind == DOCUMENT:
            begin, at = at, at + INT32(raw, at)[0]
            if not data:  # the first document is the token
                found = _data(raw, begin)
                if found is None:
                    return None
                data = found
                values.append(b'{"_data":"%b"}' % data)
            elif raw.startswith(_KEY_OF_ID, begin) and not raw[at - 1]:
                values.append(b'{"_id":{"$oid":"%b"}}' % raw[begin + 9 : begin + 21].hex().encode())
            else:
                values.append(document_json(raw[begin:at]))
        elif kind == TIMESTAMP_KIND and there == _CLUSTER_TIME:
            increment, seconds = TIMESTAMP(raw, at)
            values.append(b'{"$timestamp":{"t":%d,"i":%d}}' % (seconds, increment))
            at += 8
        else:
            value, at = value_text(raw, kind, at)
            values.append(value)
    if at != len(raw) - 1:
        return None
    return ChangeEvent(data.decode(), seconds, layout.template % layout.ordered(values))


def _members(raw: bytes) -> Iterator[_Member]:
    """The members of an event. Raises NotBson, and what ``value_text`` does."""
    at, last = 4, len(raw) - 1
    while at < last:
        name, start = cstring(raw, at + 1)
        kind = raw[at]
        if kind == DOCUMENT:
            document, end = part(raw, start, INT32(raw, start)[0])
            value = document_json(document)
        else:
            value, end = value_text(raw, kind, start)
        yield _Member(name, kind, at, start, end, value)
        at = end
    if at != last:
        raise NotBson("a value is longer than its event")


def _data(raw: bytes, at: int) -> bytes | None:
    """The hexadecimal digits that are all that a token has, which is a document at this place; None: it has something else."""
    if not raw.startswith(_HEX_TOKEN, at + 4):
        return None
    size = INT32(raw, at + 11)[0]
    if INT32(raw, at)[0] != size + 16:
        return None
    if not raw.startswith(_ENDS, at + 14 + size):
        return None
    data = raw[at + 15 : at + 14 + size]
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
    member = binary_text(raw, SUBTYPE_0)[1:]
    return ChangeEvent(
        _position_of(token, None), None, b'{"event":{"_id":%b,%b}' % (document_text(token), member), readable=False
    )
