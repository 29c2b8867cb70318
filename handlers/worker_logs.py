"""What a worker writes to its standard output and error, and Lambda's own lines around it (lambda-behaviour 8.1).

Whatever a worker writes is read, so that it never blocks on a full pipe; how much of it is kept is bounded.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_LIMIT_BYTES = 64 * 1024
"""A longer line is cut, and says so."""

LINES_PER_SECOND = 1_000
LINES_AT_ONCE = 5_000
"""A stream may bring this many lines at once, and ``LINES_PER_SECOND`` from then on; further lines are counted only.

A line of more than a kibibyte counts as one for each kibibyte, so that this bounds memory too.
"""

TAIL_LINES = 1_000
TAIL_BYTES = 256 * 1024
"""How much of an invocation's log is kept with its result."""

RECORDS_A_TURN = 50
"""How many log records a worker may write in one turn of the event loop."""

_READ_BYTES = 16 * 1024  # so that the lines of one read are split in a few milliseconds
_DRAIN_READS = 64


class LogLines:
    """Makes lines of what one stream wrote; no I/O, and ``now`` is an argument."""

    def __init__(self) -> None:
        self._partial = b""
        self._cut_bytes = 0
        self._allowance = float(LINES_AT_ONCE)
        self._filled_at = 0.0
        self._dropped = 0

    def feed(self, data: bytes, now: float) -> list[str]:
        """The lines that ``data`` completes, as far as the allowance reaches."""
        self._refill(now)
        head, newline, rest = data.partition(b"\n")
        self._extend(head)
        if not newline:
            return []
        lines = self._flush()
        whole, found, last = rest.rpartition(b"\n")
        if found:
            room = max(0, int(self._allowance))
            pieces = whole.split(b"\n", room)
            lines.extend(line for piece in pieces[:room] for line in self._line(piece))
            if len(pieces) > room:
                self._dropped += pieces[room].count(b"\n") + 1
        self._extend(last)
        return lines

    def end(self, now: float) -> list[str]:
        """The last line, if the stream ended without a newline, and what was dropped."""
        self._refill(now)
        lines = self._flush() if self._partial or self._cut_bytes else []
        return lines + self._drops()

    def _refill(self, now: float) -> None:
        if self._filled_at:
            grown = self._allowance + (now - self._filled_at) * LINES_PER_SECOND
            self._allowance = min(float(LINES_AT_ONCE), grown)
        self._filled_at = now

    def _extend(self, data: bytes) -> None:
        room = LINE_LIMIT_BYTES - len(self._partial)
        self._partial += data[:room]
        self._cut_bytes += max(0, len(data) - room)

    def _flush(self) -> list[str]:
        line, cut = self._partial, self._cut_bytes
        self._partial, self._cut_bytes = b"", 0
        return self._line(line, cut)

    def _line(self, line: bytes, cut_bytes: int = 0) -> list[str]:
        if self._allowance < 1:
            self._dropped += 1
            return []
        self._allowance -= max(1, -(-min(len(line), LINE_LIMIT_BYTES) // 1024))
        if len(line) > LINE_LIMIT_BYTES:
            line, cut_bytes = line[:LINE_LIMIT_BYTES], len(line) - LINE_LIMIT_BYTES
        text = _text(line)
        if cut_bytes:
            text += f"... [{cut_bytes} more bytes]"
        return [*self._drops(), text]

    def _drops(self) -> list[str]:
        if not self._dropped:
            return []
        dropped, self._dropped = self._dropped, 0
        return [f"[{dropped} lines dropped: more than {LINES_PER_SECOND} a second]"]


def _text(line: bytes) -> str:
    """Readable text of any bytes: AWS's Python client joins the lines of a traceback with CR and indents with NBSP."""
    return readable(line.rstrip(b"\r").decode("utf-8", "backslashreplace"))


def readable(text: str) -> str:
    """The text, with what would move a terminal's cursor shown as what it is."""
    if text.isprintable():
        return text
    return text.replace("\r", "\n").replace("\u00a0", " ").translate(_SHOWN)


_SHOWN = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}
"""What would move a terminal's cursor, or turn its text around, shown as what it is."""


class LogReader:
    """Reads one stream of a worker, whenever there is something, and hands its lines on."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines = LogLines()
        self._on_line = on_line
        readable, self.write_end = os.pipe()
        os.set_blocking(readable, False)
        self._read_end: int | None = readable
        self._loop.add_reader(readable, self._readable)

    def started(self) -> None:
        """The worker holds its end now: ours is closed, or the stream would never end."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def drain(self) -> None:
        """Read what has been written up to now, within bounds: a line written before a response belongs before it."""
        for _ in range(_DRAIN_READS):
            if not self._readable():
                return

    def close(self) -> None:
        """Read the rest and let go."""
        self.started()
        if self._read_end is not None:
            self.drain()
        if self._read_end is not None:
            self._ended()

    def _readable(self) -> bool:
        if self._read_end is None:
            return False
        try:
            data = os.read(self._read_end, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._ended()
            return False
        for line in self._lines.feed(data, self._loop.time()):
            self._on_line(line)
        return True

    def _ended(self) -> None:
        assert self._read_end is not None  # noqa: S101 - both callers have just looked
        self._loop.remove_reader(self._read_end)
        os.close(self._read_end)
        self._read_end = None
        for line in self._lines.end(self._loop.time()):
            self._on_line(line)


class LogQueue:
    """Hands log records on in their order, a few in each turn of the event loop, so that a flood holds nobody up."""

    def __init__(self, write: Callable[[str, str, str | None, str | None], None]) -> None:
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[str, str, str | None, str | None]] = deque()
        self._left = RECORDS_A_TURN
        self._scheduled = False

    def put(self, severity: str, line: str, request_id: str | None, stream: str | None) -> None:
        """Write the record now, or as soon as this turn's share and those before it allow."""
        if self._left > 0 and not self._waiting:
            self._left -= 1
            self._write(severity, line, request_id, stream)
        else:
            self._waiting.append((severity, line, request_id, stream))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next_turn)

    async def flush(self) -> None:
        """Wait until everything is written."""
        while self._waiting:  # noqa: ASYNC110 - each turn of the loop writes some of it
            await asyncio.sleep(0)

    def _next_turn(self) -> None:
        self._scheduled = False
        self._left = RECORDS_A_TURN
        while self._waiting and self._left > 0:
            self._left -= 1
            self._write(*self._waiting.popleft())
        if self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._next_turn)


class LogTail:
    """The newest lines of one invocation's log, oldest first; bounded."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._size = 0

    def add(self, line: str) -> None:
        """Add the newest line; the oldest go when the bound is reached."""
        self._lines.append(line)
        self._size += len(line)
        while len(self._lines) > TAIL_LINES or (self._size > TAIL_BYTES and len(self._lines) > 1):
            self._size -= len(self._lines.popleft())

    def lines(self) -> tuple[str, ...]:
        """What is kept."""
        return tuple(self._lines)


_LEVELS = {"[DEBUG]": "debug", "[WARNING]": "warning", "[ERROR]": "error", "[CRITICAL]": "critical"}


def level(line: str) -> str:
    """The log level that a line names in the form of Lambda's Python runtime, else info."""
    return _LEVELS.get(line[: line.find("]") + 1], "info") if line.startswith("[") else "info"


@dataclass(frozen=True, slots=True)
class Report:
    """What Lambda's REPORT line says about one invocation."""

    request_id: str
    duration_seconds: float
    memory_size_mib: int
    max_memory_used_mib: int
    init_seconds: float | None = None
    status: str | None = None
    error_type: str | None = None

    def line(self) -> str:
        """The line, in Lambda's format. Billed are whole milliseconds, rounded up."""
        duration_ms = self.duration_seconds * 1000
        parts = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {math.ceil(round(duration_ms, 2))} ms",
            f"Memory Size: {self.memory_size_mib} MB",
            f"Max Memory Used: {self.max_memory_used_mib} MB",
        ]
        if self.init_seconds is not None:
            parts.append(f"Init Duration: {self.init_seconds * 1000:.2f} ms")
        if self.status is not None:
            parts.append(f"Status: {self.status}")
        if self.error_type is not None:
            parts.append(f"Error Type: {self.error_type}")
        return "\t".join(parts) + "\t"
