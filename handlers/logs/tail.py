"""The newest lines of one invocation's log, and how Lambda hands them to a caller (docs/lambda 8.1)."""

from __future__ import annotations

import functools
import os
from collections import deque
from typing import TYPE_CHECKING

from handlers.logs.report import Report

if TYPE_CHECKING:
    from handlers.function import Invocation

TAIL_LINES = 1_000
TAIL_BYTES = 256 * 1024
"""How much of an invocation's log is kept with its result."""

RESULT_BYTES = 4096
"""How much of it Lambda gives to who asked for the log's tail."""

_TRACEBACK = "\nTraceback (most recent call last):\n"
_NBSP = "\u00a0"


class LogTail:
    """The newest lines of one invocation's log, oldest first; bounded. Several threads may add to it."""

    __slots__ = ("_lines", "_size")

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._size = 0

    def add(self, line: str) -> None:
        """Add the newest line; the oldest go when the bound is reached."""
        self._lines.append(line)
        self._size += len(line)
        while len(self._lines) > TAIL_LINES or (self._size > TAIL_BYTES and len(self._lines) > 1):
            try:
                self._size -= len(self._lines.popleft())
            except IndexError:  # other threads were faster
                break

    def lines(self) -> tuple[str, ...]:
        """What is kept."""
        return tuple(self._lines)


def log_tail(invocation: Invocation) -> bytes:
    """The last 4 KB of its log, as ``X-Amz-Log-Result`` has them in base64: START, what the function wrote, END and REPORT.

    Where nothing says what Lambda itself would (in process, over HTTP), these lines are made here; memory is not measured there.
    """
    lines = invocation.log if invocation.reported else _framed(invocation)
    text = "".join(_as_written(line) for line in lines)
    tail = text.encode("utf-8", "replace")[-RESULT_BYTES:]
    # Cut between two characters: the rest of one would be no UTF-8.
    return tail if len(tail) < RESULT_BYTES else tail.lstrip(bytes(range(0x80, 0xC0)))


def _framed(invocation: Invocation) -> tuple[str, ...]:
    request_id = invocation.request_id
    report = Report(request_id, invocation.duration_seconds, machine_memory_mib(), 0)
    start, end = f"START RequestId: {request_id} Version: $LATEST", f"END RequestId: {request_id}"
    return (start, *invocation.log, end, report.line())


def _as_written(event: str) -> str:
    """An event with its end. AWS's client for Python indents the trace of an error by NBSP, and ends it with no line break."""
    head, traceback, frames = event.partition(_TRACEBACK)
    if not traceback or not head.startswith("[ERROR] "):
        return f"{event}\n"
    return head + traceback + "\n".join(_indented(line) for line in frames.split("\n"))


def _indented(line: str) -> str:
    rest = line.lstrip(" ")
    return _NBSP * (len(line) - len(rest)) + rest


@functools.cache
def machine_memory_mib() -> int:
    """The machine's memory in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
