"""The body of an HTTP/1.1 message, as far as it does not come in one piece."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from handlers.http1.head import HeadTooLong, Malformed

LINES_LIMIT_BYTES = 65_536
"""Of one line between chunks, and of all trailers together."""
_SIZE_DIGITS = 12
_BREAK = b"\r\n"
_HEX = b"0123456789abcdefABCDEF"


class BodyTooLong(Malformed):
    """A body is longer than anything that is meant."""


class KeptBody:
    """What has come of a body. Beyond ``keep_bytes`` it is only counted; beyond ``limit_bytes`` it is given up."""

    __slots__ = ("_keep_bytes", "_kept", "_limit_bytes", "size")

    def __init__(self, keep_bytes: int, limit_bytes: int) -> None:
        self._keep_bytes = keep_bytes
        self._limit_bytes = limit_bytes
        # One array and not a list of parts: parts of a byte or two would take twenty times their size.
        self._kept = bytearray()
        self.size = 0

    def announce(self, count: int) -> None:
        """This number of bytes will follow. Raises :class:`BodyTooLong` before any of them is read."""
        if self.size + count > self._limit_bytes:
            raise BodyTooLong(f"a body of more than {self._limit_bytes} bytes")

    def add(self, part: bytes) -> None:
        """Raises :class:`BodyTooLong`."""
        self.size += len(part)
        if self.size <= self._keep_bytes:
            self._kept += part
        else:
            self._kept.clear()
            self.announce(0)

    @property
    def kept(self) -> bytearray:
        """The whole body, or nothing of one that was not kept."""
        return self._kept


class Body(Protocol):
    """What takes what the chunks of a body hold."""

    def announce(self, count: int) -> None:
        """This number of bytes will follow."""

    def add(self, part: bytes) -> None:
        """These came."""


class _Next(Enum):
    """What comes next in a body of chunks."""

    SIZE = "the line with a chunk's size"
    DATA = "the rest of a chunk"
    BREAK = "the line break after a chunk"
    TRAILER = "a trailer, or the empty line at the end"


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1). Their extensions are read and dropped; ``trailers`` are the lines after the last chunk."""

    __slots__ = ("_body", "_held", "_left", "_lines_limit_bytes", "_next", "_trailers_size", "trailers")

    def __init__(self, body: Body, lines_limit_bytes: int = LINES_LIMIT_BYTES) -> None:
        """``body`` gets what the chunks hold."""
        self._body = body
        self._lines_limit_bytes = lines_limit_bytes
        self._held = b""
        self._left = 0
        self._next = _Next.SIZE
        self._trailers_size = 0
        self.trailers: list[bytes] = []

    def feed(self, data: bytes) -> bytes | None:
        """Take what has arrived; what came after the body, once that is whole, and None before.

        Raises:
            Malformed: for what is no chunk.
            HeadTooLong: for a line, or trailers, without an end.
            BodyTooLong: see :class:`KeptBody`.
        """
        if self._held:
            data, self._held = self._held + data, b""
        at = 0
        while True:
            if self._next is _Next.DATA:
                part = data[at : at + self._left]
                self._body.add(part)
                at += len(part)
                self._left -= len(part)
                if self._left:
                    return None
                self._next = _Next.BREAK
            end = data.find(_BREAK, at)
            if end < 0:
                self._hold(data[at:])
                return None
            if self._line(data[at:end]):
                return data[end + 2 :]
            at = end + 2

    def _hold(self, rest: bytes) -> None:
        """Keep the beginning of a line."""
        if len(rest) > self._lines_limit_bytes:
            raise HeadTooLong(f"no end of a line between chunks in {self._lines_limit_bytes} bytes")
        if self._next is _Next.BREAK and rest not in (b"", b"\r"):
            raise Malformed("a chunk longer than announced")
        self._held = rest

    def _line(self, line: bytes) -> bool:
        """Read a line; whether it was the last."""
        if self._next is _Next.BREAK:
            if line:
                raise Malformed("a chunk longer than announced")
            self._next = _Next.SIZE
        elif self._next is _Next.SIZE:
            self._left = _size(line)
            self._body.announce(self._left)
            self._next = _Next.DATA if self._left else _Next.TRAILER
        else:
            self._trailers_size += len(line)
            if self._trailers_size > self._lines_limit_bytes:
                raise HeadTooLong(f"trailers of more than {self._lines_limit_bytes} bytes")
            if not line:
                return True
            self.trailers.append(line)
        return False


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(_HEX):
        raise Malformed(f"chunk size {line[:40]!r}")
    if len(digits) > _SIZE_DIGITS:
        raise BodyTooLong(f"a chunk of 0x{digits[:40].decode()} bytes")
    return int(digits, 16)
