"""Log events of the bytes that one stream of a worker brings: lines, and whole records between them. Deciders, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handlers.logs.levels import RANKS

if TYPE_CHECKING:
    from handlers.logs.frames import Header

LINE_LIMIT_BYTES = 64 * 1024
"""A longer line is cut, and says so."""

LINES_PER_SECOND = 1_000
LINES_AT_ONCE = 5_000
"""A worker may bring this many lines at once, and ``LINES_PER_SECOND`` from then on; further lines are counted only.

A line of more than a kibibyte counts as one for each kibibyte, so that this bounds memory too.
"""

_KIB = 1024
_WARN = RANKS["WARN"]


class LogEvent(NamedTuple):
    """One thing that a worker said: a line, or a record of several lines."""

    text: str
    rank: int | None = None
    """Its level (:data:`handlers.logs.levels.RANKS`) where its writer says so; else the text may name one."""
    stream: str | None = None
    """``stdout`` or ``stderr``; ``log`` for a record of AWS's client; None for what Headrace itself says."""
    written_at: float | None = None
    """When it was written (seconds since 1970), where the record says so."""


class Counts:
    """What is counted of a function's log, from its start on."""

    __slots__ = ("dropped", "metrics")

    def __init__(self) -> None:
        self.dropped = 0
        self.metrics = 0


class Allowance:
    """How many more lines a worker may bring now. ``now`` is an argument."""

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = counts or Counts()
        self._left = float(LINES_AT_ONCE)
        self._filled_at = 0.0

    @property
    def lines(self) -> int:
        """How many lines there is room for."""
        return max(0, int(self._left))

    def refill(self, now: float) -> None:
        """Time has passed."""
        if self._filled_at:
            self._left = min(float(LINES_AT_ONCE), self._left + (now - self._filled_at) * LINES_PER_SECOND)
        self._filled_at = now

    def take(self, size_bytes: int) -> bool:
        """Whether there was room for a line of this size, which is gone then."""
        if self._left < 1:
            return False
        self._left -= 1 if size_bytes <= _KIB else -(-min(size_bytes, LINE_LIMIT_BYTES) // _KIB)
        return True


class LogLines:
    """Makes events of what one stream wrote: of its lines, and of whole records between them; no I/O."""

    def __init__(self, stream: str = "stdout", allowance: Allowance | None = None) -> None:
        self._stream = stream
        self._allowance = allowance or Allowance()
        self._partial = b""
        self._cut_bytes = 0
        self._dropped = 0

    def feed(self, data: bytes, now: float) -> list[LogEvent]:
        """The lines that ``data`` completes, as far as the allowance reaches."""
        self._allowance.refill(now)
        head, newline, rest = data.partition(b"\n")
        self._extend(head)
        if not newline:
            return []
        events = self._flush()
        whole, found, last = rest.rpartition(b"\n")
        if found:
            room = self._allowance.lines
            pieces = whole.split(b"\n", room)
            self._lines(pieces[:room], events)
            if len(pieces) > room:
                self.drop(pieces[room].count(b"\n") + 1)
        self._extend(last)
        return events

    def record(self, header: Header, data: bytes, now: float) -> list[LogEvent]:
        """A record of AWS's client: one event, however many lines it has. A line that was begun before it ends there."""
        self._allowance.refill(now)
        events = self._flush() if self._partial or self._cut_bytes else []
        if not self._allowance.take(len(data)):
            self.drop(1)
            return events
        text = _text(data.rstrip(b"\r\n"))
        return [*events, *self._drops(), LogEvent(text, header.rank, "log", header.written_at)]

    def end(self, now: float) -> list[LogEvent]:
        """The last line, if the stream ended or paused without a newline, and what was dropped."""
        self._allowance.refill(now)
        events = self._flush() if self._partial or self._cut_bytes else []
        return events + self._drops()

    def drop(self, lines: int) -> None:
        """There was no room for so many lines."""
        self._dropped += lines
        self._allowance.counts.dropped += lines

    @property
    def begun(self) -> bool:
        """Whether :meth:`end` would have something to say."""
        return bool(self._partial or self._cut_bytes or self._dropped)

    def _extend(self, data: bytes) -> None:
        room = LINE_LIMIT_BYTES - len(self._partial)
        self._partial += data[:room]
        self._cut_bytes += max(0, len(data) - room)

    def _flush(self) -> list[LogEvent]:
        line, cut = self._partial, self._cut_bytes
        self._partial, self._cut_bytes = b"", 0
        return self._line(line, cut)

    def _lines(self, lines: list[bytes], events: list[LogEvent]) -> None:
        """Many lines at once. The usual ones take a short path, since there may be thousands in a turn."""
        take, stream = self._allowance.take, self._stream
        for line in lines:
            if len(line) <= LINE_LIMIT_BYTES and not self._dropped and take(len(line)):
                events.append(LogEvent(_text(line), None, stream))
            else:
                events.extend(self._line(line))

    def _line(self, line: bytes, cut_bytes: int = 0) -> list[LogEvent]:
        if not self._allowance.take(len(line)):
            self.drop(1)
            return []
        if len(line) > LINE_LIMIT_BYTES:
            line, cut_bytes = line[:LINE_LIMIT_BYTES], len(line) - LINE_LIMIT_BYTES
        text = _text(line)
        if cut_bytes:
            text += f"... [{cut_bytes} more bytes]"
        event = LogEvent(text, None, self._stream)
        return [*self._drops(), event] if self._dropped else [event]

    def _drops(self) -> list[LogEvent]:
        if not self._dropped:
            return []
        dropped, self._dropped = self._dropped, 0
        said = f"[{dropped} lines dropped: more than {LINES_PER_SECOND} a second]"
        return [LogEvent(said, _WARN)]


def _text(line: bytes) -> str:
    """Readable text of any bytes: AWS's Python client joins the lines of a traceback with CR and indents with NBSP."""
    text = line.decode("utf-8", "surrogateescape")  # a third of what "backslashreplace" takes for 64 KiB of garbage
    return text if text.isprintable() else readable(text.rstrip("\r"))


def readable(text: str) -> str:
    """The text, with what would move a terminal's cursor shown as what it is."""
    if text.isprintable():
        return text
    return text.replace("\r", "\n").replace("\u00a0", " ").translate(_SHOWN)


_SHOWN = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
} | {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(128, 256)}
"""What would move a terminal's cursor, turn its text around, or is no text (surrogates of its bytes), shown as what it is."""
