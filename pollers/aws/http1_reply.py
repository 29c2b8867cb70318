"""Puts an HTTP/1.1 reply together from the pieces in which it arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

HEAD_LIMIT_BYTES = 65_536
PIECE_BYTES = 65_536
PROMISED_BYTES = 64 * 1024 * 1024
"""Room for a longer body is not made on the word of its head."""
_BREAK = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_BODILESS = frozenset({204, 304})


class MalformedReply(Exception):  # noqa: N818 - named for what came
    """What came is not an HTTP/1.1 reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply. ``head`` is its status line and headers as they came, without the empty line."""

    status: int
    head: bytes
    body: bytes
    keep_alive: bool = True

    def headers(self) -> dict[str, str]:
        """The headers by lower-case name; the last of several wins."""
        pairs = (line.partition(b":") for line in self.head.split(_BREAK)[1:])
        return {name.decode("latin-1").lower(): value.strip().decode("latin-1") for name, _, value in pairs}


@dataclass(slots=True)
class ReplyReader:
    """Fed with bytes until a reply is whole; then ready for the next one.

    Or filled: what arrives is written to :meth:`space` and told by :meth:`filled`. A body of known length is so received where it
    stays, in place of being copied twice.
    """

    _held: bytes = b""
    _parts: list[bytes] = field(default_factory=list)
    _missing: int = 0
    _reading: _Head | None = None
    _chunks: _Chunks | None = None
    _whole: bytearray | None = None
    _piece: bytearray = field(default_factory=lambda: bytearray(PIECE_BYTES))

    def space(self) -> memoryview:
        """Where the next bytes go. Good for one :meth:`filled`."""
        if self._whole is not None:
            return memoryview(self._whole)[-self._missing :]
        return memoryview(self._piece)

    def filled(self, count: int) -> Reply | None:
        """So many bytes have been written to :meth:`space`; as :meth:`feed`."""
        head, whole = self._reading, self._whole
        if head is None or whole is None:
            return self.feed(bytes(memoryview(self._piece)[:count]))
        self._missing -= count
        return None if self._missing else self._finish(head, whole)

    def feed(self, data: bytes) -> Reply | None:
        """Take what has arrived; the reply when it is whole. Raises :class:`MalformedReply`."""
        if self._reading is not None:
            return self._body(self._reading, data)
        if self._held:
            data = self._held + data
            self._held = b""
        end = data.find(_HEAD_END)
        if end < 0:
            if len(data) > HEAD_LIMIT_BYTES:
                raise MalformedReply(f"no end of the headers in {HEAD_LIMIT_BYTES} bytes")
            self._held = data
            return None
        head = _Head.parse(data[:end])
        rest = data[end + 4 :]
        if 100 <= head.status < 200:
            return self.feed(rest) if rest else None
        if head.length == len(rest):  # the usual case: one piece
            return Reply(head.status, head.raw, rest, head.keep_alive)
        self._reading = head
        self._missing = -1 if head.length is None else head.length
        self._chunks = _Chunks() if head.chunked else None
        return self._body(head, rest)

    def end(self) -> Reply | None:
        """The connection has ended: the reply, where its end is the connection's."""
        head = self._reading
        if head is None or head.chunked or head.length is not None:
            return None
        return self._finish(head, b"".join(self._parts))

    def _body(self, head: _Head, data: bytes) -> Reply | None:
        if self._chunks is not None:
            whole = self._chunks.feed(data)
            return None if whole is None else self._finish(head, whole)
        if head.length is None:
            self._parts.append(data)
            return None
        if len(data) > self._missing:
            raise MalformedReply(f"{len(data) - self._missing} bytes more than announced")
        return self._part(head, head.length, data)

    def _part(self, head: _Head, length: int, data: bytes) -> Reply | None:
        if length > PROMISED_BYTES:
            self._parts.append(data)
        else:
            if self._whole is None:
                self._whole = bytearray(length)
            at = length - self._missing
            self._whole[at : at + len(data)] = data
        self._missing -= len(data)
        if self._missing:
            return None
        return self._finish(head, b"".join(self._parts) if self._whole is None else self._whole)

    def _finish(self, head: _Head, body: bytes | bytearray) -> Reply:
        self._reading = self._chunks = self._whole = None
        self._parts = []
        # Nobody writes to it any more, and whoever reads JSON reads it like bytes.
        return Reply(head.status, head.raw, cast("bytes", body), head.keep_alive)


@dataclass(frozen=True, slots=True)
class _Head:
    """``length`` None with ``chunked`` False: the body ends with the connection."""

    status: int
    raw: bytes
    length: int | None
    chunked: bool
    keep_alive: bool

    @classmethod
    def parse(cls, raw: bytes) -> _Head:
        if not raw.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")) or not raw[9:12].isdigit():
            raise MalformedReply(f"no HTTP status line: {raw[:40]!r}")
        status = int(raw[9:12])
        lowered = raw.lower()
        connection = _value(lowered, b"connection:")
        keep_alive = b"close" not in connection and (raw[7:8] == b"1" or b"keep-alive" in connection)
        if b"chunked" in _value(lowered, b"transfer-encoding:"):
            return cls(status, raw, None, True, keep_alive)
        length = _value(lowered, b"content-length:")
        if status in _BODILESS:
            return cls(status, raw, 0, False, keep_alive)
        if not length:
            return cls(status, raw, None, False, False)
        if not length.isdigit():
            raise MalformedReply(f"Content-Length: {length!r}")
        return cls(status, raw, int(length), False, keep_alive)


def _value(lowered_head: bytes, name: bytes) -> bytes:
    at = lowered_head.find(_BREAK + name)
    if at < 0:
        return b""
    start = at + 2 + len(name)
    end = lowered_head.find(_BREAK, start)
    return (lowered_head[start:] if end < 0 else lowered_head[start:end]).strip()


@dataclass(slots=True)
class _Chunks:
    """A body in chunks (RFC 9112, 7.1); trailers are read and dropped."""

    _held: bytearray = field(default_factory=bytearray)
    _body: bytearray = field(default_factory=bytearray)
    _in_trailers: bool = False

    def feed(self, data: bytes) -> bytes | None:
        """The whole body, when its last chunk is there."""
        held = self._held
        held += data
        while True:
            line_end = held.find(_BREAK)
            if line_end < 0:
                if len(held) > HEAD_LIMIT_BYTES:
                    raise MalformedReply("a chunk without a size")
                return None
            if self._in_trailers:
                del held[: line_end + 2]
                if line_end == 0:
                    return self._whole()
                continue
            size = self._size(bytes(held[:line_end]))
            if size == 0:
                self._in_trailers = True
                del held[: line_end + 2]
                continue
            start = line_end + 2
            if len(held) < start + size + 2:
                return None
            if held[start + size : start + size + 2] != _BREAK:
                raise MalformedReply("a chunk longer than announced")
            self._body += held[start : start + size]
            del held[: start + size + 2]

    def _whole(self) -> bytes:
        if self._held:
            raise MalformedReply(f"{len(self._held)} bytes after the last chunk")
        return bytes(self._body)

    @staticmethod
    def _size(line: bytes) -> int:
        digits = line.partition(b";")[0].strip()
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise MalformedReply(f"chunk size {line[:40]!r}")
        return int(digits, 16)
