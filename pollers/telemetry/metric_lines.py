"""Functions' metrics in the embedded metric format, on standard output as they were written, for an agent to read."""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINES_WAITING = 10_000
BYTES_WAITING = 16 * 1024 * 1024
"""How much may wait for a reader that is slow; further lines are dropped and counted."""

LAST_LINES_SECONDS = 0.5
"""How long the last lines may take to be read when the process stops."""

_log = structlog.stdlib.get_logger(__name__)


class MetricLines:
    """Writes lines in a thread of its own, so that a reader that reads nothing holds nobody up."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """``write`` may block, and raises OSError when there is nobody to read any more."""
        self._write = write
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes = 0
        self._ended = False
        self.dropped = 0
        # A daemon: a write that never ends does not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="metric lines", daemon=True)
        self._thread.start()

    def put(self, text: str) -> None:
        """Have a line written, or count it as dropped. Never blocks."""
        line = text.replace("\n", " ").encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            waiting = self._bytes + len(line)
            if self._ended or waiting > BYTES_WAITING or self._waiting.qsize() >= LINES_WAITING:
                self.dropped += 1
                return
            self._bytes = waiting
        self._waiting.put(line)

    def close(self) -> None:
        """Wait a moment for what is left."""
        self._waiting.put(None)
        self._thread.join(LAST_LINES_SECONDS)
        if self._thread.is_alive():
            self.dropped += self._waiting.qsize()

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            try:
                self._write(line)
            except OSError:
                self._ended = True  # nobody reads any more, and nobody ever will
                self.dropped += 1
                self._drop_the_rest()
                return
            with self._lock:
                self._bytes -= len(line)

    def _drop_the_rest(self) -> None:
        while not self._waiting.empty() and self._waiting.get() is not None:
            self.dropped += 1


@contextmanager
def on_stdout() -> Iterator[Callable[[str], None]]:
    """Takes lines for standard output while it is entered; what was dropped is said at its end."""
    descriptor = sys.stdout.fileno()

    def write(line: bytes) -> None:
        while line:
            line = line[os.write(descriptor, line) :]

    lines = MetricLines(write)
    try:
        yield lines.put
    finally:
        lines.close()
        if lines.dropped:
            _log.warning("metric lines were dropped: standard output was not read fast enough", dropped=lines.dropped)
