"""The frames in which AWS's runtime clients write log records to the descriptor of ``_LAMBDA_TELEMETRY_LOG_FD``.

A frame is a header (type, length, time in microseconds) and a text; the type says the text's form and its level. Such frames
come between a worker's ordinary output, in one pipe: so prints and log records keep the order in which they were made.

A print can imitate a frame, as a line can imitate another line. Nothing is hidden by that: whatever the false header claims as its
record is still shown, in pieces, at the latest when the invocation ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

LOG_DESCRIPTOR = "_LAMBDA_TELEMETRY_LOG_FD"
"""The variable that tells a runtime client where to write frames."""

FRAME_MARK = b"\xa5\x5a\x00"
"""What each header begins with."""

PIECE_BYTES = 64 * 1024
"""A longer record is passed on in pieces of this size: a header may claim any length, so no whole record is waited for or kept."""

_RANKS = (None, 0, 10, 20, 30, 40, 50)  # unset, TRACE, DEBUG, INFO, WARN, ERROR, FATAL: as in handlers.logs.levels
_KINDS = bytes(rank << 2 | form for rank in range(len(_RANKS)) for form in (2, 3))  # JSON and text
_OLD_KIND = 1  # clients of 2023 and before: no time, no level
_HEADER = re.compile(
    # The time's first two bytes, for the years 1996 to 2291: four bytes of output may look like a header by chance, ten do not.
    rb"\xa5\x5a\x00(?:(?P<kind>["
    + re.escape(_KINDS)
    + rb"])(?P<length>.{4})(?P<time>\x00[\x03-\x23].{6})|\x01(?P<old>.{4}))",
    re.DOTALL,
)
_HEADER_BYTES = 16


@dataclass(frozen=True, slots=True)
class Header:
    """What a frame says of its record: its level, if any (:data:`handlers.logs.levels.RANKS`), and its time (since 1970)."""

    rank: int | None
    written_at: float | None


class Piece(NamedTuple):
    """A whole record, or a part of at most ``PIECE_BYTES`` of a longer one; ordinary output if there is no header."""

    header: Header | None
    data: bytes


class Frames:
    """Splits a stream into records and ordinary output, wherever reads cut it. It never raises: any bytes may come.

    Bytes that begin no frame are ordinary output. A frame that ends early takes what follows for its own, until
    :meth:`flush` at the latest; nothing is lost by that.
    """

    def __init__(self) -> None:
        self._held = b""
        self._header: Header | None = None
        self._left = 0

    def feed(self, data: bytes) -> list[Piece]:
        """What ``data`` completes. Holds back less than a piece or a header."""
        data, at, pieces = self._held + data, 0, list[Piece]()
        while at < len(data):
            if self._header is not None:
                size = min(self._left, PIECE_BYTES)
                if len(data) - at < size:
                    break
                pieces.append(Piece(self._header, data[at : at + size]))
                at += size
                self._announce(self._header, self._left - size)
                continue
            found = _HEADER.search(data, at)
            end = found.start() if found is not None else len(data) - _unfinished(data[at:][-_HEADER_BYTES + 1 :])
            if end > at:
                pieces.append(Piece(None, data[at:end]))
            if found is None:
                at = end
                break
            at = found.end()
            self._begin(found)
        self._held = data[at:]
        return pieces

    @property
    def begun(self) -> bool:
        """Whether :meth:`flush` would have an effect."""
        return bool(self._held) or self._header is not None

    def flush(self) -> list[Piece]:
        """What is held back, as it is: nobody writes at the moment."""
        header, held = self._header, self._held
        self._header, self._left, self._held = None, 0, b""
        return [Piece(header, held)] if held else []

    def _begin(self, found: re.Match[bytes]) -> None:
        if found["old"] is not None:
            self._announce(Header(None, None), int.from_bytes(found["old"], "big"))
            return
        header = Header(_RANKS[found["kind"][0] >> 2], int.from_bytes(found["time"], "big") / 1_000_000)
        self._announce(header, int.from_bytes(found["length"], "big"))

    def _announce(self, header: Header, left: int) -> None:
        """So much of the header's record is to come."""
        self._header, self._left = header if left else None, left


def _unfinished(end: bytes) -> int:
    """How many bytes at the end of the output may be the beginning of a header, whose rest is to come."""
    at = end.find(b"\xa5")
    while at >= 0:
        if _may_begin(end[at:]):
            return len(end) - at
        at = end.find(b"\xa5", at + 1)
    return 0


def _may_begin(part: bytes) -> bool:
    kind = part[3:4]
    if not FRAME_MARK.startswith(part[:3]):
        return False
    if kind == bytes((_OLD_KIND,)):
        return len(part) < _HEADER_BYTES // 2
    return kind in _KINDS and part[8:9] in b"\x00" and (len(part) < 10 or 3 <= part[9] <= 0x23)
