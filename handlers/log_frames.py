"""The frames in which AWS's runtime clients write log records to the descriptor of ``_LAMBDA_TELEMETRY_LOG_FD``.

A frame is a header (type, length, time in microseconds) and a text; the type says the text's form and its level. Such frames
come between a worker's ordinary output, in one pipe: so prints and log records keep the order in which they were made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LOG_DESCRIPTOR = "_LAMBDA_TELEMETRY_LOG_FD"
"""The variable that tells a runtime client where to write frames."""

PIECE_BYTES = 64 * 1024
"""A longer record comes in pieces of this size: what a header says of a length is never waited for whole, nor kept."""

_MAGIC = b"\xa5\x5a\x00"
_HEADER_BYTES = 16
_OLD_HEADER_BYTES = 8
_OLD_KIND = 1  # clients of 2023 and before: no time, no level
_RANKS = (None, 0, 10, 20, 30, 40, 50)  # unset, TRACE, DEBUG, INFO, WARN, ERROR, FATAL: as in handlers.log_levels
_TIMES = range(10**15, 10**16)  # microseconds: from 2001 to 2286, as a check of what may be a header by chance


@dataclass(frozen=True, slots=True)
class Header:
    """What a frame says of its record: its level, if any (:data:`handlers.log_levels.RANKS`), and its time (since 1970)."""

    rank: int | None
    written_at: float | None


class Piece(NamedTuple):
    """A whole record, or a part of at most ``PIECE_BYTES`` of a longer one; ordinary output if there is no header."""

    header: Header | None
    data: bytes


class Frames:
    """Takes a stream apart into records and ordinary output, however it is cut; never raises, whatever comes.

    Bytes that begin no frame are ordinary output. A frame that ends early takes what follows for its own, until
    :meth:`flush` at the latest; nothing is lost by that.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: Header | None = None
        self._left = 0

    def feed(self, data: bytes) -> list[Piece]:
        """What ``data`` completes. Holds back at most one piece and a header."""
        if not self._buffer and self._header is None and 0xA5 not in data:
            return [Piece(None, data)]  # by far the most of what has no frames
        self._buffer += data
        pieces: list[Piece] = []
        while self._record(pieces) if self._header is not None else self._output(pieces):
            pass
        return pieces

    def flush(self) -> list[Piece]:
        """What is held back, as it is: nobody writes at the moment."""
        header, rest = self._header, bytes(self._buffer)
        self._header, self._left = None, 0
        self._buffer.clear()
        return [Piece(header, rest)] if rest else []

    def _record(self, pieces: list[Piece]) -> bool:
        """Take the frame's text, or a piece of it; False: more must come."""
        wanted = min(self._left, PIECE_BYTES)
        if len(self._buffer) < wanted:
            return False
        if wanted:
            pieces.append(Piece(self._header, self._take(wanted)))
        self._left -= wanted
        if not self._left:
            self._header = None
        return bool(self._buffer)

    def _output(self, pieces: list[Piece]) -> bool:
        """Take what is before the next header, and that; False: more must come."""
        at = -1
        while True:
            at = self._buffer.find(_MAGIC, at + 1)
            if at < 0:
                end = len(self._buffer) - _held(self._buffer)
                break
            size = self._header_at(at)
            if size is None:
                continue
            end = at
            break
        if end:
            pieces.append(Piece(None, self._take(end)))
        if at < 0 or not size:
            return False
        self._take(size)
        return True

    def _header_at(self, at: int) -> int | None:
        """The size of the header there, which is now the current one; 0: more must come; None: it is none."""
        header = self._buffer[at : at + _HEADER_BYTES]
        if len(header) < len(_MAGIC) + 1:
            return 0
        kind = header[3]
        if kind != _OLD_KIND and not (kind & 2 and kind >> 2 < len(_RANKS)):
            return None
        size = _OLD_HEADER_BYTES if kind == _OLD_KIND else _HEADER_BYTES
        if len(header) < size:
            return 0
        if kind == _OLD_KIND:
            self._header = Header(None, None)
        else:
            written = int.from_bytes(header[8:16], "big")
            if written not in _TIMES:
                return None
            self._header = Header(_RANKS[kind >> 2], written / 1_000_000)
        self._left = int.from_bytes(header[4:8], "big")
        return size

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _held(buffer: bytearray) -> int:
    """How many bytes at the end may be the beginning of a header."""
    return next((length for length in (2, 1) if buffer.endswith(_MAGIC[:length])), 0)
