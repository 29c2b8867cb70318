"""The members of a JSON object as text, for values that must be passed on exactly as they were written."""

from __future__ import annotations

import json
import re

import msgspec

from pollers.jsontext.numbers import refuse_constant

_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])  # finds the ends of values without making objects
_SPACE = re.compile(r"[ \t\n\r]*")
# Numbers stay text: they are not used here, and Python refuses to convert integers of more than 4,300 digits, which are valid JSON.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=refuse_constant)


def member_texts(document: bytes) -> dict[str, str]:
    """Each member's value as it is written; if a key occurs twice, its last value.

    Raises ValueError if ``document`` is not a JSON object in UTF-8, or is nested deeper than the parser can read (about 900
    levels).
    """
    text = document.decode()  # checks the UTF-8, which the decoder below does not check inside strings
    try:
        return {name: bytes(value).decode() for name, value in _RAW.decode(document).items()}
    except (msgspec.MsgspecError, RecursionError):
        pass  # it refuses lone surrogates, which are valid JSON, and has a limit of depth of its own
    try:
        return _members(text, _after(text, 0, "{"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _members(text: str, position: int) -> dict[str, str]:
    members: dict[str, str] = {}
    if text[position : position + 1] == "}":
        position += 1
    else:
        while True:
            key, position = _DECODER.raw_decode(text, position)
            if not isinstance(key, str) or text[position - 1] != '"':
                raise ValueError("a member's name must be a string")
            start = _after(text, position, ":")
            _, end = _DECODER.raw_decode(text, start)
            members[key] = text[start:end]
            position = _space(text, end)
            if text[position : position + 1] == "}":
                position += 1
                break
            position = _after(text, position, ",")
    if _space(text, position) != len(text):
        raise ValueError("there is more after the object")
    return members


def _after(text: str, position: int, sign: str) -> int:
    """Skip ``sign``, which must come next, and white space; the position after them."""
    position = _space(text, position)
    if text[position : position + 1] != sign:
        raise ValueError(f"expected {sign!r} at character {position}")
    return _space(text, position + 1)


def _space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return position if found is None else found.end()
