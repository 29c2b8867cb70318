"""Puts an HTTP/1.1 reply together from the pieces in which it arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

HEAD_LIMIT_BYTES = 65_536
"""Of a head, of a chunk's first line, and of all trailers together."""
PIECE_BYTES = 65_536
BODY_LIMIT_BYTES = 64 * 1024 * 1024
"""Longer bodies are refused. The longest that a service may send is GetRecords of Kinesis: 10 MiB of data in base64 (14 MB) beside
10,000 partition keys of 256 characters that JSON may escape with 12 bytes each (31 MB), and the rest of the records (2 MB)."""
INTERIMS_AT_MOST = 16
"""Replies with a status of 1xx before the reply itself."""
_BREAK = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_BODILESS = frozenset({204, 304})
_SWITCHING = 101
_LENGTH_DIGITS = 12
"""Longer numbers are not even looked at: Python refuses to read those of thousands of digits."""


class MalformedReply(Exception):  # noqa: N818 - named for what came
    """What came is not an HTTP/1.1 reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. ``head`` is its status line and headers as they came, without the empty line.

    ``whole`` False: the length of its body was not announced, so nobody can tell whether the connection ended behind it or within.
    """

    status: int
    head: bytes
    body: bytes
    keep_alive: bool = True
    whole: bool = True

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
    _taken: int = 0
    _interims: int = 0
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
        while (end := data.find(_HEAD_END)) >= 0:
            head = _Head.parse(data[:end])
            data = data[end + 4 :]
            if head.status >= 200:
                self._interims = 0
                return self._begin(head, data)
            self._interims += 1
            if self._interims > INTERIMS_AT_MOST:
                raise MalformedReply(f"more than {INTERIMS_AT_MOST} interim replies")
        if len(data) > HEAD_LIMIT_BYTES or b"\n\n" in data:
            raise MalformedReply(f"no end of the headers in {len(data)} bytes")
        self._held = data
        return None

    def _begin(self, head: _Head, rest: bytes) -> Reply | None:
        if head.length == len(rest):  # the usual case: one piece
            return Reply(head.status, head.raw, rest, head.keep_alive)
        self._reading = head
        self._missing = head.length or 0
        self._chunks = _Chunks() if head.chunked else None
        return self._body(head, rest)

    def end(self) -> Reply | None:
        """The connection has ended: the reply, where its end is the connection's. It may be cut short, so it is not ``whole``."""
        head = self._reading
        if head is None or head.chunked or head.length is not None:
            return None
        return self._finish(head, b"".join(self._parts), whole=False)

    def _body(self, head: _Head, data: bytes) -> Reply | None:
        if self._chunks is not None:
            whole = self._chunks.feed(data)
            return None if whole is None else self._finish(head, whole)
        if head.length is None:
            self._taken += len(data)
            if self._taken > BODY_LIMIT_BYTES:
                raise MalformedReply(f"a body of more than {BODY_LIMIT_BYTES} bytes")
            self._parts.append(data)
            return None
        if len(data) > self._missing:
            raise MalformedReply(f"{len(data) - self._missing} bytes more than announced")
        if self._whole is None:
            self._whole = bytearray(head.length)
        at = head.length - self._missing
        self._whole[at : at + len(data)] = data
        self._missing -= len(data)
        return None if self._missing else self._finish(head, self._whole)

    def _finish(self, head: _Head, body: bytes | bytearray, *, whole: bool = True) -> Reply:
        self._reading = self._chunks = self._whole = None
        self._parts = []
        self._taken = 0
        # Nobody writes to it any more, and whoever reads JSON reads it like bytes.
        return Reply(head.status, head.raw, cast("bytes", body), head.keep_alive, whole)


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
        """Nothing that can be read in two ways is guessed at (RFC 9112, 6.3): what is out of step may answer another request."""
        status = _status(raw)
        lowered = raw.lower()
        keep_alive = raw[7:8] == b"1"
        if connection := b",".join(_values(lowered, b"connection:")):
            keep_alive = b"close" not in connection and (keep_alive or b"keep-alive" in connection)
        codings, lengths = _values(lowered, b"transfer-encoding:"), _values(lowered, b"content-length:")
        if codings:
            if codings != [b"chunked"] or lengths:
                raise MalformedReply(f"Transfer-Encoding {codings!r} with Content-Length {lengths!r}")
            return cls(status, raw, None, True, keep_alive)
        if len(lengths) > 1 and len(set(lengths)) > 1:
            raise MalformedReply(f"Content-Length: {lengths!r}")
        if status < 200 or status in _BODILESS:
            return cls(status, raw, 0, False, keep_alive)
        if not lengths:
            return cls(status, raw, None, False, False)
        return cls(status, raw, _length(lengths[0]), False, keep_alive)


def _status(raw: bytes) -> int:
    digits = raw[9:12]
    if not raw.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")) or not digits.isdigit() or raw[12:13] not in (b" ", b"\r", b""):
        raise MalformedReply(f"no HTTP status line: {raw[:40]!r}")
    if raw.count(b"\n") != raw.count(_BREAK) or b"\r\n " in raw or b"\r\n\t" in raw:
        raise MalformedReply("headers with line breaks of their own")
    status = int(digits)
    if status < 100 or status == _SWITCHING:
        raise MalformedReply(f"status {status}")
    return status


def _length(digits: bytes) -> int:
    if not digits.isdigit():
        raise MalformedReply(f"Content-Length: {digits[:40]!r}")
    if len(digits) > _LENGTH_DIGITS or int(digits) > BODY_LIMIT_BYTES:
        raise MalformedReply(f"a body of {digits[:40].decode()} bytes, more than {BODY_LIMIT_BYTES}")
    return int(digits)


def _values(lowered_head: bytes, name: bytes) -> list[bytes]:
    """Of each header of that name."""
    at = lowered_head.find(_BREAK + name)
    if at < 0:
        return []
    values = []
    while at >= 0:
        start = at + 2 + len(name)
        at = lowered_head.find(_BREAK, start)
        values.append((lowered_head[start:] if at < 0 else lowered_head[start:at]).strip())
        at = -1 if at < 0 else lowered_head.find(_BREAK + name, at)
    return values


@dataclass(slots=True)
class _Chunks:
    """A body in chunks (RFC 9112, 7.1); trailers are read and dropped."""

    _held: bytearray = field(default_factory=bytearray)
    _body: bytearray = field(default_factory=bytearray)
    _in_trailers: bool = False
    _trailers: int = 0

    def feed(self, data: bytes) -> bytes | None:
        """The whole body, when its last chunk is there."""
        held = self._held
        held += data
        while True:
            line_end = held.find(_BREAK)
            if line_end < 0 or line_end > HEAD_LIMIT_BYTES:
                if len(held) > HEAD_LIMIT_BYTES:
                    raise MalformedReply("a chunk without a size")
                return None
            if self._in_trailers:
                if self._trailer(line_end):
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

    def _trailer(self, line_end: int) -> bool:
        """Drop a line; whether it was the empty one at the end."""
        del self._held[: line_end + 2]
        self._trailers += line_end
        if self._trailers > HEAD_LIMIT_BYTES:
            raise MalformedReply(f"trailers of more than {HEAD_LIMIT_BYTES} bytes")
        return line_end == 0

    def _whole(self) -> bytes:
        if self._held:
            raise MalformedReply(f"{len(self._held)} bytes after the last chunk")
        return bytes(self._body)

    def _size(self, line: bytes) -> int:
        digits = line.partition(b";")[0].strip()
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise MalformedReply(f"chunk size {line[:40]!r}")
        if len(digits) > _LENGTH_DIGITS or len(self._body) + int(digits, 16) > BODY_LIMIT_BYTES:
            raise MalformedReply(f"a body of more than {BODY_LIMIT_BYTES} bytes")
        return int(digits, 16)
