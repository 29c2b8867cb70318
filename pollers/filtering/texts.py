"""Tests of strings: ignoring case, with wildcards, and as IP addresses.

Their time is linear in the length of the string, for wildcards at worst its product with the length of the pattern: none
backtracks.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pollers.filtering.predicates import Test
    from pollers.jsontext.numbers import Json

_MAPPED = bytes(10) + b"\xff\xff"


def equals_ignoring_case(wanted: str) -> Test:
    """Equal except for case.

    Each character of ``wanted`` matches itself and its lower and upper case by Unicode's full mappings (``ß`` also matches ``SS``),
    as in AWS's rule engine. There is no other folding.
    """
    length = len(wanted)
    if wanted.isascii():
        lowered = wanted.lower()
        # isascii() first: the Kelvin sign has k as its lower case, but is neither case of an ASCII k.
        return lambda value: (
            isinstance(value, str) and len(value) == length and value.isascii() and value.lower() == lowered
        )
    cases = _cases(wanted)
    return lambda value: isinstance(value, str) and _after_cases(value, cases) == len(value)


def prefix_ignoring_case(wanted: str) -> Test:
    """Begins with ``wanted`` except for case, in the sense of :func:`equals_ignoring_case`."""
    cases = _cases(wanted)
    return lambda value: isinstance(value, str) and _after_cases(value, cases) is not None


def suffix_ignoring_case(wanted: str) -> Test:
    """Ends with ``wanted`` except for case, in the sense of :func:`equals_ignoring_case`."""
    cases = tuple(reversed(_cases(wanted)))
    return lambda value: isinstance(value, str) and _ends_with_cases(value, cases)


def _cases(wanted: str) -> tuple[tuple[str, ...], ...]:
    """The alternatives for each character. None begins (or ends) with another, so the first that matches is the right one."""
    return tuple(tuple(dict.fromkeys((character, character.lower(), character.upper()))) for character in wanted)


def _after_cases(value: str, cases: tuple[tuple[str, ...], ...]) -> int | None:
    """Where in ``value`` the characters end that match ``cases``; None when they do not match."""
    position = 0
    for alternatives in cases:
        for alternative in alternatives:
            if value.startswith(alternative, position):
                position += len(alternative)
                break
        else:
            return None
    return position


def _ends_with_cases(value: str, reversed_cases: tuple[tuple[str, ...], ...]) -> bool:
    end = len(value)
    for alternatives in reversed_cases:
        for alternative in alternatives:
            if value.endswith(alternative, 0, end):
                end -= len(alternative)
                break
        else:
            return False
    return True


def wildcard(pattern: str) -> Test:
    r"""``*`` matches any number of characters; ``\*`` and ``\\`` match ``*`` and a backslash.

    Each part between wildcards is searched once, from the left. The leftmost place is always right, as it leaves the most text for
    the parts after it. Raises ValueError, which says what is wrong.
    """
    parts = wildcard_parts(pattern)
    if len(parts) == 1:
        only = parts[0]
        return lambda value: isinstance(value, str) and value == only
    first, *middle, last = parts
    shortest = len(first) + len(last)

    def test(value: Json) -> bool:
        if not isinstance(value, str) or len(value) < shortest:
            return False
        if not value.startswith(first) or not value.endswith(last):
            return False
        position, end = len(first), len(value) - len(last)
        for part in middle:
            position = value.find(part, position, end)
            if position < 0:
                return False
            position += len(part)
        return True

    return test


def wildcard_parts(pattern: str) -> list[str]:
    """The parts before, between and after the wildcards, without escapes. Raises ValueError, which says what is wrong."""
    parts: list[str] = []
    part: list[str] = []
    characters = iter(pattern)
    after_wildcard = False
    for character in characters:
        if character == "*":
            if after_wildcard:
                raise ValueError("two wildcards (*) in a row are not allowed: write one")
            parts.append("".join(part))
            part = []
        elif character == "\\":
            escaped = next(characters, "")
            if escaped not in ("*", "\\"):
                raise ValueError(r"a backslash may only stand before * or another backslash (\* or \\)")
            part.append(escaped)
        else:
            part.append(character)
        after_wildcard = character == "*"
    return [*parts, "".join(part)]


def cidr(block: str) -> Test:
    """Strings that are an IP address within ``block`` (address/bits, IPv4 or IPv6). Raises ValueError, which says what is wrong.

    The bits of the address beyond the block's length are ignored. An IPv4 address written as IPv6 (``::ffff:a00:1``)
    counts as the IPv4 address.
    """
    address, slash, bits_text = block.partition("/")
    if not slash:
        raise ValueError(f"{block!r} is no address block: write address/bits, such as 10.0.0.0/24 or 2001:db8::/32")
    packed = _packed(address)
    if packed is None:
        raise ValueError(f"{address!r} is not an IPv4 or IPv6 address")
    width = len(packed) * 8
    if not (bits_text.isascii() and bits_text.isdigit() and len(bits_text) <= 3 and int(bits_text) <= width):
        raise ValueError(f"{bits_text!r} is not a number of bits from 0 to {width}")
    size, ignored = len(packed), width - int(bits_text)
    network = int.from_bytes(packed) >> ignored

    def test(value: Json) -> bool:
        found = _packed(value) if isinstance(value, str) else None
        return found is not None and len(found) == size and int.from_bytes(found) >> ignored == network

    return test


def _packed(address: str) -> bytes | None:
    """The 4 or 16 bytes of an IP address; None for any other text."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        packed = socket.inet_pton(family, address)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) and len(packed) > len(_MAPPED) else packed
