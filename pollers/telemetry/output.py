"""Standard output and error of a running Headrace: a slow or missing reader delays nobody (docs/design, decision 15).

Writing to a full pipe, to a stopped terminal or to a disk that hangs may take for ever. So lines wait in a bounded queue for a
thread that writes them. What does not fit is dropped and counted, and the count is logged once lines can be written again.
"""

from __future__ import annotations

import atexit
import errno
import io
import os
import select
import stat
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

LINES_WAITING = 10_000
BYTES_WAITING = 16 * 1024 * 1024
"""How much may wait for a reader that is slow."""
FUNCTIONS_SHARE = 0.75
"""Functions' output may fill this share of both limits; the rest is reserved for Headrace's own lines."""
CHUNK_BYTES = 64 * 1024
"""How much is written at once: what a pipe holds."""
LINGER_SECONDS = 0.01
"""How long the first line waits for others to go with it, so that waking the thread is paid a hundred times a second at most."""
STALLED_SECONDS = 1.0
"""A write that takes longer than this has stalled."""
AGAIN_SECONDS = 1.0
"""How long to wait after a failure that may pass, such as a full disk, before the next write."""
EXIT_SECONDS = 1.0
"""How long the last lines may take when a process ends by itself."""

_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN})

_log = structlog.stdlib.get_logger(__name__)


class Outlet:
    """One stream. Everything but :meth:`flush` returns at once, from whatever thread it is called.

    ``write`` writes all it is given, or raises OSError; it may block. ``report_dropped`` is called with the number of dropped
    lines once a write has succeeded again.
    """

    def __init__(
        self, write: Callable[[bytes], None], report_dropped: Callable[[int], None] = lambda count: None
    ) -> None:
        self._write = write
        self._report_dropped = report_dropped
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._ours = 0
        self._lines = 0
        self._bytes = 0
        self._unreported = 0
        self._changed = threading.Condition()
        self._asleep = False
        self._hurried = False
        self._gone = False
        self._torn = False
        self._writing_since: float | None = None
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def stalled(self) -> bool:
        """Whether nobody takes what is written."""
        since = self._writing_since
        return since is not None and time.monotonic() - since > STALLED_SECONDS

    def put(self, data: bytes, *, ours: bool = True) -> None:
        """Queue whole lines, or count them as dropped. ``ours`` False: they are a function's, which may only fill its share."""
        lines = data.count(b"\n") or 1
        share = 1.0 if ours else FUNCTIONS_SHARE
        with self._changed:
            full = self._lines + lines > share * LINES_WAITING or self._bytes + len(data) > share * BYTES_WAITING
            if self._gone or full:
                self._drop(lines)
                return
            self._lines += lines
            self._bytes += len(data)
            self._ours += ours
            self._waiting.append((data, ours))
            if self._asleep:
                self._asleep = False
                self._changed.notify_all()
            if self._thread is None:
                # A daemon: a write that never ends does not hold up the end of the process.
                self._thread = threading.Thread(target=self._run, name="output", daemon=True)
                self._thread.start()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written or dropped; whether that was so in time.

        After half of that time functions' lines are dropped, so that Headrace's own last lines are written.
        """
        until = time.monotonic() + seconds
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            self._wait(until - seconds / 2)
            if self._bytes and self._ours:
                self._drop_functions()
            self._wait(until)
            self._hurried = False
            return not self._bytes

    def _wait(self, until: float) -> None:
        while self._bytes and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)

    def _drop_functions(self) -> None:
        for data, ours in self._waiting:
            if not ours:
                lines = data.count(b"\n") or 1
                self._lines -= lines
                self._bytes -= len(data)
                self._drop(lines)
        self._waiting = deque(entry for entry in self._waiting if entry[1])

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        self._unreported += lines

    def _run(self) -> None:
        while True:
            chunk = self._next()
            lines = chunk.count(b"\n") or 1
            failed = self._deliver(chunk)
            with self._changed:
                self._lines -= lines
                self._bytes -= len(chunk)
                if failed is not None:
                    self._drop(lines)
                    self._gone = self._gone or failed.errno in _GONE
                unreported, self._unreported = (self._unreported, 0) if failed is None else (0, self._unreported)
                self._changed.notify_all()
            if unreported:
                self._report_dropped(unreported)
            if failed is not None and not self._hurried:
                time.sleep(AGAIN_SECONDS)

    def _next(self) -> bytes:
        with self._changed:
            while not self._waiting:
                self._asleep = True
                self._changed.wait()
            if not self._hurried:
                self._changed.wait(LINGER_SECONDS)  # only flush wakes it
            # Never empty: only what waits beside a line of ours is dropped meanwhile.
            taken = [self._taken()]
            size = len(taken[0])
            while self._waiting and size + len(self._waiting[0][0]) <= CHUNK_BYTES:
                size += len(self._waiting[0][0])
                taken.append(self._taken())
        return b"".join(taken)

    def _taken(self) -> bytes:
        data, ours = self._waiting.popleft()
        self._ours -= ours
        return data

    def _deliver(self, chunk: bytes) -> OSError | None:
        if self._gone:
            return BrokenPipeError(errno.EPIPE, "nobody reads")
        self._writing_since = time.monotonic()
        try:
            self._write(b"\n" + chunk if self._torn else chunk)
        except OSError as error:
            self._torn = True  # some of it may have been written: the next chunk begins with a line break
            return error
        finally:
            self._writing_since = None
        self._torn = False
        return None


class _Raw(io.RawIOBase):
    """A stream's end for ``print`` and the like."""

    def __init__(self, outlet: Outlet, descriptor: int) -> None:
        self._outlet = outlet
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        whole = bytes(data)  # type: ignore[call-overload] # any buffer, as the interface has it
        self._outlet.put(whole, ours=False)
        return len(whole)

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def writer_to(descriptor: int) -> Callable[[bytes], None]:
    """A function that writes everything, however long that takes."""

    def write(data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:  # another process that shares the stream has made it non-blocking
                select.select([], [descriptor], [], 1.0)

    return write


class Output:
    """Both streams of the process, once :meth:`take_over` has been called."""

    def __init__(self, stdout: Outlet | None, stderr: Outlet | None) -> None:
        """None is a stream that was closed when the process began."""
        self.stdout = stdout
        self.stderr = stderr

    def dropped(self) -> dict[str, int]:
        """Lines dropped so far, by stream."""
        named = {"stdout": self.stdout, "stderr": self.stderr}
        return {name: outlet.dropped for name, outlet in named.items() if outlet is not None}

    def flush(self, seconds: float) -> None:
        """Wait for the last lines, ``seconds`` at most."""
        until = time.monotonic() + seconds
        for outlet in (self.stderr, self.stdout):
            if outlet is not None:
                outlet.flush(max(0.0, until - time.monotonic()))


current: Output | None = None
"""Of this process, which has one standard output and error."""


def take_over() -> Output:
    """Put outlets in place of ``sys.stdout`` and ``sys.stderr``, also for what the interpreter and user code print there."""
    global current
    sys.stdout, stdout = _replaced(sys.stdout, 1, "stdout")
    sys.stderr, stderr = _replaced(sys.stderr, 2, "stderr")
    current = Output(stdout, stderr)
    atexit.register(current.flush, EXIT_SECONDS)
    return current


def _replaced(stream: TextIO | None, descriptor: int, name: str) -> tuple[TextIO, Outlet | None]:
    if stream is None:  # closed when the process began
        return open(os.devnull, "w", encoding="utf-8"), None
    stream.flush()

    def report_dropped(dropped: int) -> None:
        _log.warning("lines were dropped: nobody read them fast enough", stream=name, dropped=dropped)

    outlet = Outlet(writer_to(descriptor), report_dropped)
    buffered = io.BufferedWriter(_Raw(outlet, descriptor))
    return io.TextIOWrapper(buffered, encoding="utf-8", errors="backslashreplace", line_buffering=True), outlet


def unblocking(descriptor: int) -> int:
    """A descriptor for what ``descriptor`` writes to that drops what would block; ``descriptor`` itself where none can be had.

    Its flags cannot be changed: they belong to everybody who shares the stream.
    """
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        pass
    return descriptor
