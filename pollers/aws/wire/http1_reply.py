"""Puts an HTTP/1.1 reply together from the pieces in which it arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from handlers.http1 import ChunkedBody, HeadReader, KeptBody, Malformed, check_breaks, framing, joined, stays_open

HEAD_LIMIT_BYTES = 65_536
PIECE_BYTES = 65_536
BODY_LIMIT_BYTES = 64 * 1024 * 1024
"""Longer bodies are refused. The longest that a service may send is GetRecords of Kinesis: 10 MiB of data in base64 (14 MB) beside
10,000 partition keys of 256 characters that JSON may escape with 12 bytes each (31 MB), and the rest of the records (2 MB)."""
INTERIMS_AT_MOST = 16
"""Replies with a status of 1xx before the reply itself."""
_BREAK = b"\r\n"
_BODILESS = frozenset({204, 304})
_SWITCHING = 101


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

    Or filled: the transport writes what arrives into :meth:`space` and then calls :meth:`filled`. So a body of known length is
    received where it stays, instead of being copied twice.
    """

    _head: HeadReader = field(default_factory=lambda: HeadReader(HEAD_LIMIT_BYTES))
    _interims: int = 0
    _missing: int = 0
    _reading: _Head | None = None
    _kept: KeptBody = field(default_factory=lambda: KeptBody(BODY_LIMIT_BYTES, BODY_LIMIT_BYTES))
    _chunks: ChunkedBody | None = None
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
        """Take what has arrived; the reply when it is whole. Raises :class:`handlers.http1.Malformed`."""
        if self._reading is not None:
            return self._body(self._reading, data)
        while (found := self._head.feed(data)) is not None:
            head, data = _Head.parse(found[0]), found[1]
            if head.status >= 200:
                self._interims = 0
                return self._begin(head, data)
            self._interims += 1
            if self._interims > INTERIMS_AT_MOST:
                raise Malformed(f"more than {INTERIMS_AT_MOST} interim replies")
        return None

    def _begin(self, head: _Head, rest: bytes) -> Reply | None:
        if head.length == len(rest):  # the usual case: one piece
            return Reply(head.status, head.raw, rest, head.keep_alive)
        self._reading = head
        self._missing = head.length or 0
        self._kept = KeptBody(BODY_LIMIT_BYTES, BODY_LIMIT_BYTES)
        self._chunks = ChunkedBody(self._kept) if head.chunked else None
        return self._body(head, rest)

    def end(self) -> Reply | None:
        """The connection has ended: the reply, where its end is the connection's. It may be cut short, so it is not ``whole``."""
        head = self._reading
        if head is None or head.chunked or head.length is not None:
            return None
        return self._finish(head, self._kept.kept, whole=False)

    def _body(self, head: _Head, data: bytes) -> Reply | None:
        if self._chunks is not None:
            rest = self._chunks.feed(data)
            if rest:
                raise Malformed(f"{len(rest)} bytes after the last chunk")
            return None if rest is None else self._finish(head, self._kept.kept)
        if head.length is None:
            self._kept.add(data)
            return None
        if len(data) > self._missing:
            raise Malformed(f"{len(data) - self._missing} bytes more than announced")
        if self._whole is None:
            self._whole = bytearray(head.length)
        at = head.length - self._missing
        self._whole[at : at + len(data)] = data
        self._missing -= len(data)
        return None if self._missing else self._finish(head, self._whole)

    def _finish(self, head: _Head, body: bytearray, *, whole: bool = True) -> Reply:
        self._reading = self._chunks = self._whole = None
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
        """What is out of step may answer another request, so nothing is guessed at (:mod:`handlers.http1`)."""
        status = _status(raw)
        lowered = raw.lower()
        keep_alive = stays_open(_value(lowered, b"connection:"), version_1_1=raw[7:8] == b"1")
        length, chunked = framing(_value(lowered, b"transfer-encoding:"), _value(lowered, b"content-length:"))
        if chunked:
            return cls(status, raw, None, True, keep_alive)
        if status < 200 or status in _BODILESS:
            return cls(status, raw, 0, False, keep_alive)
        if length is None:
            return cls(status, raw, None, False, False)
        if length > BODY_LIMIT_BYTES:
            raise Malformed(f"a body of {length} bytes, more than {BODY_LIMIT_BYTES}")
        return cls(status, raw, length, False, keep_alive)


def _status(raw: bytes) -> int:
    digits = raw[9:12]
    if not raw.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")) or not digits.isdigit() or raw[12:13] not in (b" ", b"\r", b""):
        raise Malformed(f"no HTTP status line: {raw[:40]!r}")
    check_breaks(raw, raw.count(_BREAK))
    if b"\r\n " in raw or (b"\t" in raw and b"\r\n\t" in raw):  # one byte is found in a fifth of the time of three
        raise Malformed("a header line that continues the one before")
    status = int(digits)
    if status < 100 or status == _SWITCHING:
        raise Malformed(f"status {status}")
    return status


def _value(lowered_head: bytes, name: bytes) -> bytes | None:
    """Of the header of that name, which is given with its colon. Looking for three costs less than taking the head apart."""
    at = lowered_head.find(_BREAK + name)
    if at < 0:
        return None
    values = []
    while at >= 0:
        start = at + 2 + len(name)
        at = lowered_head.find(_BREAK, start)
        values.append((lowered_head[start:] if at < 0 else lowered_head[start:at]).strip())
        at = -1 if at < 0 else lowered_head.find(_BREAK + name, at)
    return values[0] if len(values) == 1 else joined(values)
