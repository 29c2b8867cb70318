"""Positions of a change stream as texts, which checkpoints keep and function responses name.

========================  ============================================================================================
``TOKEN``                 behind the event, or the idle moment, whose resume token is ``{"_data": "TOKEN"}``
``TOKEN@T.I``             behind an invalidate event, whose operation time is needed to go past it
``{...}``                 the same two for any other resume token: its document as canonical extended JSON
``@T.I``                  behind everything that happened up to this operation time
========================  ============================================================================================

Only the server knows what a token says. Texts are compared by equality alone: hexadecimal digits may all be decimal, and their
order is not that of the events.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.sources.documentdb.api import OperationTime, ResumeToken

DATA = "_data"
_TEXT = re.compile(
    r"(?:(?P<data>(?:[0-9A-Fa-f]{2})+)|(?P<document>\{.*\}))?(?:@(?P<seconds>[0-9]{1,10})\.(?P<increment>[0-9]{1,10}))?",
    re.DOTALL,
)
_TIME = re.compile(r"@[0-9.]+\Z")
_NOT_PLAIN = re.compile(r"[@{]")
_MOST = 2**32 - 1
"""The greatest number in a BSON timestamp."""
_TIMED = re.compile(r"(?:82|01)([0-9A-Fa-f]{8})[0-9A-Fa-f]{8}")
"""How the tokens of MongoDB (a timestamp in a key string) and of Amazon DocumentDB begin."""


@dataclass(frozen=True, slots=True)
class Position:
    """A position, read. At least one is given; both for an invalidate event."""

    token: ResumeToken | None = None
    time: OperationTime | None = None


def spelled(token: ResumeToken, invalidated: OperationTime | None = None) -> str:
    """The position behind an event, or an idle moment, of this token. ``invalidated``: when, if it is an invalidate event."""
    return _token_text(token) + ("" if invalidated is None else time_text(invalidated))


def time_text(time: OperationTime) -> str:
    """The position behind everything up to an operation time."""
    return f"@{time[0]}.{time[1]}"


def is_plain(data: str) -> bool:
    """Whether ``data`` itself is the position behind the event whose token is ``{"_data": data}``."""
    try:
        bytes.fromhex(data)
    except ValueError:
        return False
    return data.isalnum()  # not empty, and without the spaces that were skipped


def _token_text(token: ResumeToken) -> str:
    data = token.get(DATA)
    if len(token) == 1 and isinstance(data, str) and is_plain(data):
        return data
    from bson import json_util

    return json_util.dumps(token, json_options=json_util.CANONICAL_JSON_OPTIONS)


def parse(position: str) -> Position:
    """Raises ValueError for a text that is no position of a change stream."""
    found = _TEXT.fullmatch(position)
    if not position or found is None:
        raise ValueError(f"{_shortened(position)} is no position of a change stream")
    time = None
    if found["seconds"] is not None:
        time = int(found["seconds"]), int(found["increment"])
        if max(time) > _MOST:
            raise ValueError(f"{_shortened(position)} has an operation time that no server could have given")
    if found["document"] is not None:
        return Position(_document(position, found["document"]), time)
    return Position(None if found["data"] is None else {DATA: found["data"]}, time)


def _document(position: str, text: str) -> ResumeToken:
    from bson import json_util

    try:
        token = json_util.loads(text, json_options=json_util.CANONICAL_JSON_OPTIONS)
    except Exception as error:  # whatever a text makes of the constructors of BSON types: it is not from here
        raise ValueError(f"{_shortened(position)} is no position of a change stream: {error}") from error
    if not isinstance(token, dict) or not token:
        raise ValueError(f"{_shortened(position)} is no position of a change stream: a resume token has members")
    return token


def _shortened(position: str) -> str:
    return repr(position if len(position) <= 100 else position[:100] + "...")


def time_of(position: str) -> int | None:
    """When what is at a position happened, in seconds since the epoch, for messages alone; None: it does not say.

    Tokens are the server's own, and only two layouts are known.
    """
    try:
        place = parse(position)
    except ValueError:
        return None
    if place.time is not None:
        return place.time[0]
    found = _TIMED.match(str((place.token or {}).get(DATA)))
    return None if found is None else int(found[1], 16)


def _identifier(position: str) -> str:
    text = _TIME.sub("", position)
    data = _document(position, text).get(DATA) if text.startswith("{") else text
    return data if isinstance(data, str) else text


class TokenPositions:
    """How the positions of a change stream compare: not at all; implements ``Positions``."""

    ordered = False
    before_first = ""

    def valid(self, text: str) -> bool:
        """See ``Positions.valid``."""
        try:
            parse(text)
        except ValueError:
            return False
        return True

    def identifiers(self, positions: Sequence[str]) -> Sequence[str]:
        """See ``Positions.identifiers``: the events' ``_id._data``, than which some positions have more.

        A token whose ``_data`` is no text is named by its position.
        """
        if not _NOT_PLAIN.search("".join(positions)):
            return positions
        return [_identifier(position) for position in positions]

    def order(self, position: str) -> None:
        """See ``Positions.order``."""
