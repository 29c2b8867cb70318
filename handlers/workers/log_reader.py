"""Reads what a worker writes to its standard output, its standard error and its log descriptor.

Everything is read, so that a worker never blocks on a full pipe for long; how much of it is kept is bounded.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import sys
import termios
from collections import deque
from typing import TYPE_CHECKING, Protocol

from handlers.logs import StreamText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handlers.logs import Allowance, LogEvent, Share

RECORDS_A_TURN = 50
"""How many events the workers of one function may log in one turn of the event loop together; each, one at least."""

_READ_BYTES = 8 * 1024
_SELF_DESCRIPTORS = "/proc/self/fd/{}"
_SIZE_BYTES = 4


class LogReader:
    """Reads one stream of a worker, unless what was read before still waits to be parsed."""

    def __init__(self, stream: str, allowance: Allowance, intake: Sink) -> None:
        self._loop = asyncio.get_running_loop()
        self._text = StreamText(stream, allowance)
        self._intake = intake
        readable, self.write_end = os.pipe()
        os.set_blocking(readable, False)
        self._ours = [self.write_end]
        self._read_end: int | None = readable
        self._poll = select.poll()  # asks without the exception that a read of nothing raises
        self._poll.register(readable, select.POLLIN)
        self._loop.add_reader(readable, self._readable)

    def frame_end(self) -> int:
        """A further write end of the same pipe, for frames, so that these stay in order with what is printed.

        Where possible (Linux) it is an open file of its own, not a duplicate: a program that makes its standard output
        non-blocking, as Node.js does, would make a duplicate non-blocking too, and AWS's client would lose frames.
        """
        try:
            end = os.open(_SELF_DESCRIPTORS.format(self.write_end), os.O_WRONLY)
        except OSError:  # not Linux, or no /proc
            end = os.dup(self.write_end)
        self._ours.append(end)
        self._text.expect_frames()
        return end

    def started(self) -> None:
        """The worker has its ends now. Ours must be closed, or the stream would never end."""
        while self._ours:
            os.close(self._ours.pop())

    def settle(self) -> None:
        """Read all that has been written so far, and end a partial line: both belong to the invocation that ends now."""
        if self._read_end is None:
            return
        if self._poll.poll(0):
            left = _written(self._read_end)  # a bound: the worker may go on writing while this reads
            while left > 0:
                data = self._read(left)
                if not data:
                    break
                left -= len(data)
        if self._text.begun or self._intake.behind:
            self._intake.put(self._text, b"")

    def close(self) -> None:
        """Read the rest and let go."""
        self.started()
        if self._read_end is not None:
            self.settle()
        if self._read_end is not None:
            self._ended()

    def _readable(self) -> None:
        if self._read_end is not None and not self._intake.behind and self._read(_READ_BYTES) == b"":
            self._ended()

    def _read(self, size: int) -> bytes | None:
        """What there is, up to ``size``; empty at the end of the stream, None if somebody was faster."""
        assert self._read_end is not None  # noqa: S101 - all callers have just looked
        try:
            data = os.read(self._read_end, size)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        if data:
            self._intake.put(self._text, data)
        return data

    def _ended(self) -> None:
        assert self._read_end is not None  # noqa: S101 - both callers have just looked
        self._loop.remove_reader(self._read_end)
        self._poll.unregister(self._read_end)
        os.close(self._read_end)
        self._read_end = None
        self._intake.put(self._text, b"")


class Sink(Protocol):
    """Takes what is read."""

    @property
    def behind(self) -> bool:
        """Whether something waits to be parsed: no more is read meanwhile."""

    def put(self, text: StreamText, data: bytes) -> None:
        """It has been read. No data: a partial line ends."""


def _written(read_end: int) -> int:
    """How many bytes are in a pipe."""
    size = bytearray(_SIZE_BYTES)
    fcntl.ioctl(read_end, termios.FIONREAD, size)
    return int.from_bytes(size, sys.byteorder)


class LogQueue:
    """Hands log events on in order, a few in each turn of the event loop, so that a flood delays nobody."""

    def __init__(self, write: Callable[[LogEvent, str | None], None], share: Share) -> None:
        """``write`` gets an event and the id of the request that it belongs to."""
        self._write = write
        self._share = share
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[LogEvent, str | None]] = deque()
        self._scheduled = False

    def put(self, events: Iterable[LogEvent], request_id: str | None) -> None:
        """Write the events now, or as soon as this turn's share and those before them allow."""
        for event in events:
            if self._share.left > 0 and not self._waiting:
                self._share.take(1)
                self._write(event, request_id)
            else:
                self._waiting.append((event, request_id))
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next_turn)

    async def flush(self) -> None:
        """Wait until everything is written."""
        while self._waiting:  # noqa: ASYNC110 - each turn of the loop writes some of it
            await asyncio.sleep(0)

    def _next_turn(self) -> None:
        self._scheduled = False
        while self._waiting:
            self._share.take(1)
            self._write(*self._waiting.popleft())
            if self._share.left <= 0:
                break
        if self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._next_turn)
