"""JSON text to values for matching, with the text of its numbers where a pattern asks for it.

Literal numbers match by value: 300, 300.0 and 3.0e2 are equal (docs/lambda 6.3). The fast parser gives integers of at most 64
bits exactly and all other numbers as doubles. That is exact enough for every literal that is such an integer or lies within
±2^53. Beyond that, different numbers may have the same double: literals such as 18446744073709551616 and 1e400 need
:func:`decode` with ``keep_number_texts``, and are compared digit by digit (:func:`digits`).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn, TypeAlias

import orjson

Json: TypeAlias = Any
"""A decoded JSON value: exact dict, list, str, int, float (or :class:`NumberText`), bool or None."""

_LEAST_INTEGER = -(2**63)
_GREATEST_INTEGER = 2**64 - 1
_INTEGER_DIGITS = 20

EXACT_DOUBLES: Final = 2.0**53
"""Up to here different integers have different doubles."""

_NUMBER = re.compile(r"(-?)0*([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)0*([0-9]+))?")
_EXPONENT_DIGITS = 18

Digits: TypeAlias = tuple[str, str, int] | str
"""A number's exact value: sign, digits and exponent; its text where the exponent has more than 18 digits."""


class NumberText(float):
    """A number that remembers how it was written."""

    __slots__ = ("text",)

    text: str

    @classmethod
    def of(cls, text: str) -> NumberText:
        """The number that ``text``, a JSON number, stands for (infinite if it is beyond the range of doubles)."""
        number = cls(text)
        number.text = text
        return number


class NotJson:
    """The type of :data:`NOT_JSON`."""

    def __repr__(self) -> str:
        return "NOT_JSON"


NOT_JSON: Final = NotJson()
"""What :func:`decode` returns for text that is not JSON."""


def plain_integer(text: str) -> int | None:
    """The integer that a JSON number is, if it is written as one and has at most 64 bits."""
    if len(text) > _INTEGER_DIGITS or not text.lstrip("-").isdigit():
        return None
    value = int(text)
    return value if _LEAST_INTEGER <= value <= _GREATEST_INTEGER else None


def literal_value(text: str) -> int | float | None:
    """The value by which a literal number of a pattern is compared; None if it needs :func:`digits`."""
    integer = plain_integer(text)
    if integer is not None:
        return integer
    value = float(text)
    return value if abs(value) < EXACT_DOUBLES else None


def digits(text: str) -> Digits:
    """The exact value of a JSON number: the same for all ways to write it, whatever its size."""
    found = _NUMBER.fullmatch(text)
    if found is None or len(found[5] or "") > _EXPONENT_DIGITS:
        return text.lower()
    sign, whole, fraction = found[1], found[2], found[3] or ""
    exponent = int((found[4] or "") + (found[5] or "0")) - len(fraction)
    significant = (whole + fraction).lstrip("0")
    short = significant.rstrip("0")
    return (sign, short, exponent + len(significant) - len(short)) if short else ("", "", 0)


def number_text(number: float) -> str:
    """How a number was written; where that is not known, how Headrace writes it into an event."""
    if isinstance(number, NumberText):
        return number.text
    if isinstance(number, int):
        return str(number)
    return orjson.dumps(number).decode()


def decode(text: str | bytes, *, keep_number_texts: bool) -> Json | NotJson:
    """The JSON value of ``text``, or NOT_JSON. If a key occurs twice, its last value counts. Never raises.

    Text that is nested deeper than the parsers can read (about 1,000 levels) counts as not JSON, as do bytes that are not UTF-8.
    """
    if keep_number_texts:
        value = _decode_exactly(text)
        if not isinstance(value, NotJson):
            return value
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return NOT_JSON if keep_number_texts else _decode_exactly(text)


def _decode_exactly(text: str | bytes) -> Json | NotJson:
    """Decode the JSON that the fast parser refuses: escaped lone surrogates, and numbers beyond the range of doubles."""
    try:
        return _EXACT.decode(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, RecursionError):
        return NOT_JSON


def _integer(text: str) -> int | NumberText:
    value = plain_integer(text)
    return NumberText.of(text) if value is None else value


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are not JSON, in parsers that would accept them."""
    raise ValueError(f"{name} is not JSON")


_EXACT = json.JSONDecoder(parse_int=_integer, parse_float=NumberText.of, parse_constant=refuse_constant)
