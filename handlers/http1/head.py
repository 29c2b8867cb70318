"""The head of an HTTP/1.1 message: where it ends, whether it is sound, and how its body is framed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD_END = b"\r\n\r\n"
_LENGTH_DIGITS = 18
"""Longer numbers are not even looked at: Python refuses to read those of thousands of digits."""


class Malformed(Exception):  # noqa: N818 - named for what came
    """What came is not an HTTP/1.1 message."""


class HeadTooLong(Malformed):
    """A head, or a line between the pieces of a body, is longer than anything that is meant."""


class HeadReader:
    """Collects what arrives until a head is whole."""

    __slots__ = ("_held", "_limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held = b""

    @property
    def begun(self) -> bool:
        """Whether a part of a head is held."""
        return bool(self._held)

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """The head without the empty line at its end, and what came after it; None while it is not whole.

        Raises:
            HeadTooLong: beyond the limit.
            Malformed: for an empty line made of bare line feeds, after which some would read on and some would not.
        """
        held = self._held
        if held:
            data = held + data
        end = data.find(_HEAD_END, max(0, len(held) - 3))
        if end > self._limit_bytes or (end < 0 and len(data) > self._limit_bytes):
            raise HeadTooLong(f"no end of the headers in {self._limit_bytes} bytes")
        if end < 0:
            if b"\n\n" in data:
                raise Malformed("headers that end with bare line feeds")
            self._held = data
            return None
        self._held = b""
        return data[:end], data[end + 4 :]


def check_breaks(head: bytes, breaks: int) -> None:
    """Refuse a bare CR or LF, which some readers take for a line break; ``breaks`` is how many CR LF there are."""
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise Malformed("headers with line breaks of their own")


def joined(values: Iterable[bytes]) -> bytes:
    """Several values of one header as one, so that nobody takes them for a single one: no value holds a line break."""
    return b"\r\n".join(values)


def framing(coding: bytes | None, length: bytes | None) -> tuple[int | None, bool]:
    """The announced length of the body, and whether it comes in chunks; (None, False) if the head says neither.

    From the values of Transfer-Encoding (in lower case) and Content-Length, :func:`joined`. The same length twice is one length;
    anything else that says two things is refused.
    """
    if coding is not None:
        if coding != b"chunked" or length is not None:
            raise Malformed(f"Transfer-Encoding {coding[:80]!r} with Content-Length {length!r}")
        return None, True
    if length is None:
        return None, False
    if b"\r\n" in length:
        first, *others = length.split(b"\r\n")
        if any(other != first for other in others):
            raise Malformed(f"Content-Length: {length[:80]!r}")
        length = first
    if not length.isdigit():
        raise Malformed(f"Content-Length: {length[:40]!r}")
    if len(length) > _LENGTH_DIGITS:
        raise Malformed(f"a Content-Length of more than {_LENGTH_DIGITS} digits")
    return int(length), False


def stays_open(options: bytes | None, *, version_1_1: bool) -> bool:
    """Whether the connection is kept after this message: as HTTP/1.1 by default, as HTTP/1.0 only if it is said.

    ``options`` are the values of Connection, in lower case and :func:`joined`.
    """
    if not options:
        return version_1_1
    return b"close" not in options and (version_1_1 or b"keep-alive" in options)
