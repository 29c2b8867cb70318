"""Change events as the elements of Lambda's events: ``{"event": {...}}`` (docs/lambda 5.5).

The members of a change event stand in alphabetical order, as published; inside of them everything is as the server sent it.
Values are relaxed extended JSON, version 2 (:mod:`extended_json`).

The members of the event itself are read off its bytes: their names and forms are few, and all but the documents among them are
short. Documents among them are :mod:`documents`' to spell.
"""

from __future__ import annotations

from binascii import unhexlify
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
from pollers.sources.documentdb.layouts import Member, layout_of, parts_of, read_along
from pollers.sources.documentdb.tokens import spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.sources.documentdb.api import OperationTime
    from pollers.sources.documentdb.layouts import Layout, Parts

INVALIDATE: Final = b'"invalidate"'
_HEX_TOKEN: Final = b"\x02_data\0"
_ENDS: Final = b"\0\0"
"""Of the text, and of the token."""
_KNOWN: Final = 1_000
"""Layouts that are remembered at most."""
_LATELY: Final = 4
"""Layouts that are tried at most, of those that have a resume token of the same length."""
_TOKEN_SIZE: Final = slice(20, 24)
"""Where that length stands in an event that begins with its token."""


class ChangeEvent(msgspec.Struct, frozen=True, gc=False):
    """A change event that has been read.

    ``position``: behind it (:mod:`tokens`). ``seconds``: when it happened, since the epoch; None: it does not say. ``event``: the
    element of Lambda's event. ``readable``: whether it was BSON.
    """

    position: str
    seconds: int | None
    event: bytes
    readable: bool = True


class ChangeReader:
    """Reads the change events of one stream.

    Most events are of the operation, the collection and the form of one of the last: such a one is read along what is known of that
    (:mod:`layouts`), which takes half the time. Any other is read member by member.
    """

    def __init__(self) -> None:
        self._layouts: dict[Parts, Layout] = {}
        self._lately: dict[bytes, list[Layout]] = {}

    def read(self, raw: bytes) -> ChangeEvent:
        """A change event. One that is no BSON is given as its bytes, if it can be told which it is; else NotBson is raised."""
        try:
            if len(raw) < LEAST_BYTES or INT32(raw, 0)[0] != len(raw) or raw[-1]:
                raise NotBson("the event has another length than it says")
            return self._read_along(raw) or self._read(raw)
        except (NotBson, CutShort, IndexError, RecursionError):
            return _unreadable(raw)

    def _read_along(self, raw: bytes) -> ChangeEvent | None:
        """The event, if it is like one that was read lately."""
        for layout in self._lately.get(raw[_TOKEN_SIZE], ()):
            try:
                change = read_along(raw, layout)
            except (ValueError, CutShort):  # of which NotBson and binascii's error are
                continue
            if change is not None:
                return ChangeEvent(*change)
        return None

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
            self._remember(raw, list(members.values()))
        return ChangeEvent(position, None if when is None else when[0], b'{"event":{%b}}' % event)

    def _remember(self, raw: bytes, members: list[Member]) -> None:
        """Events that are like this one may follow."""
        parts = parts_of(raw, members)
        if parts is None:
            return
        layout = self._layouts.get(parts)
        if layout is None:
            if len(self._layouts) >= _KNOWN:
                self._layouts.clear()
                self._lately.clear()
            layout = self._layouts[parts] = layout_of(parts, members)
        lately = self._lately.setdefault(raw[_TOKEN_SIZE], [])
        lately.insert(0, layout)
        del lately[_LATELY:]


def _members(raw: bytes) -> Iterator[Member]:
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
        yield Member(name, kind, at, start, end, value)
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
