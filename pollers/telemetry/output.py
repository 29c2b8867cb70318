"""Standard output and error of a running Headrace: a slow or missing reader delays nothing (docs/design, decision 15).

Writing to a full pipe, to a stopped terminal or to a disk that hangs may block without end. So lines wait in a bounded queue for a
thread that writes them. Lines that do not fit are dropped and counted, and the count is logged when lines can be written again.
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
"""How many lines and bytes may wait for a slow reader."""
FUNCTIONS_SHARE = 0.75
"""Functions' output may fill this share of both limits. The rest is for Headrace's own lines: a function that prints without end
must not suppress the warning about it."""
CHUNK_BYTES = 64 * 1024
"""How much is written at once: the size of a pipe's buffer."""
LINGER_SECONDS = 0.01
"""How long the first line waits for others to be written with it: the thread so wakes up a hundred times a second at most."""
STALLED_SECONDS = 1.0
"""After this long a write counts as stalled."""
AGAIN_SECONDS = 1.0
"""How long to wait after a failure that may be temporary, such as a full disk, before the next write."""
EXIT_SECONDS = 1.0
"""How long the last lines may take when a process ends by itself."""

_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN})

_log = structlog.stdlib.get_logger(__name__)


class Outlet:
    """One stream. Every method but :meth:`flush` returns at once, and may be called from any thread.

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
        """Whether a write has been blocked for long."""
        since = self._writing_since
        return since is not None and time.monotonic() - since > STALLED_SECONDS

    def put(self, data: bytes, *, ours: bool = True) -> None:
        """Queue whole lines, or count them as dropped. ``ours`` False: the lines are a function's, and may fill only its share."""
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
                # Only the first line after a sleep wakes the thread: a system call for each line would cost more than the line.
                self._asleep = False
                self._changed.notify_all()
            if self._thread is None:
                # A daemon thread: a write that never ends must not keep the process from ending.
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
            # Written without the lock, and counted as waiting until it is written: put() never waits for a write, and flush() does.
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
            # Not empty: what was dropped during this wait (_drop_functions) was dropped only beside lines of ours.
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
            self._torn = True  # a part of it may have been written, so the next chunk begins with a line break
            return error
        finally:
            self._writing_since = None
        self._torn = False
        return None


class _Raw(io.RawIOBase):
    """The raw file below ``sys.stdout`` or ``sys.stderr``, for ``print`` and the like."""

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
    """A function that writes all that it is given, however long that takes."""

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
"""The streams of this process, set by :func:`take_over`."""


def take_over() -> Output:
    """Replace ``sys.stdout`` and ``sys.stderr`` by outlets, also for what the interpreter and user code print there."""
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
    """A second descriptor for the same file that fails instead of blocking; ``descriptor`` itself where none can be opened.

    The flags of ``descriptor`` itself are not changed: all processes that share the stream share them.
    """
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        pass
    return descriptor
