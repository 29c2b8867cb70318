"""Turns what workers write into log events, a bounded amount in each turn of the event loop, so that a flood delays nobody.

Bytes are kept as they were read, together with their invocation, until their turn comes. So everything can be read when an
invocation ends, and still belongs to that invocation. Work is bounded by counting it, not by the clock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from handlers.logs.frames import FRAME_MARK, Frames, Piece
from handlers.logs.lines import LogEvent, LogLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlers.logs.lines import Allowance

WORK_A_TURN = 256
"""How many records, lines and slices all workers of one function together may bring in one turn."""

SLICE_BYTES = 2 * 1024
"""What is parsed at once: a turn goes over its share by the lines and records of one slice at most."""

LEAST_BYTES = 256
"""What each worker may have parsed in each turn even if others have used up the share: no worker starves."""

_BEGUN_BEFORE = 3
"""So many events of a slice may be longer than it: a line and a record that began before it, and a count of what was dropped."""

WAITING_LIMIT_BYTES = 2 * 1024 * 1024
"""What one worker may have waiting. More is dropped and counted."""

Owner = TypeVar("Owner")


class Share:
    """How much work the workers of one function may still make in this turn of the event loop."""

    def __init__(self, each_turn: int) -> None:
        self.left = self._each_turn = each_turn
        self._running = False

    def take(self, work: int) -> None:
        """Count work that has been done; the share is full again in the next turn."""
        self.left -= work
        if not self._running:
            self._running = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._running, self.left = False, self._each_turn


class StreamText:
    """One stream of a worker as log events: its lines, and the frames among them. A decider, without I/O."""

    def __init__(self, stream: str, allowance: Allowance) -> None:
        self._frames: Frames | None = None
        self._lines = LogLines(stream, allowance)

    def expect_frames(self) -> None:
        """AWS's client writes to this stream too."""
        self._frames = Frames()

    @property
    def begun(self) -> bool:
        """Whether :meth:`end` would return anything."""
        return self._lines.begun or (self._frames is not None and self._frames.begun)

    def feed(self, data: bytes, now: float) -> tuple[list[LogEvent], int]:
        """What ``data`` completes, and how much work that was."""
        if self._frames is None:
            return self._events([Piece(None, data)], now)
        events, work = self._events(self._frames.feed(data), now)
        return events, work + data.count(FRAME_MARK)  # frames of nothing are work too

    def end(self, now: float) -> tuple[list[LogEvent], int]:
        """What has begun and not ended, as it is."""
        events, work = self._events(self._frames.flush() if self._frames is not None else [], now)
        return events + self._lines.end(now), work + 1

    def drop(self, data: bytes) -> None:
        """Count it as dropped: it could not be parsed in time."""
        self._lines.drop(data.count(b"\n") + 1)

    def _events(self, pieces: list[Piece], now: float) -> tuple[list[LogEvent], int]:
        events, lines = list[LogEvent](), self._lines
        for header, data in pieces:
            events += lines.feed(data, now) if header is None else lines.record(header, data, now)
        large = sum(len(event.text) // SLICE_BYTES for event in events[:_BEGUN_BEFORE])
        return events, 1 + len(pieces) + len(events) + large


class _Waiting(NamedTuple, Generic[Owner]):
    text: StreamText | None
    data: bytes
    """Empty: the stream's partial line or record ends here."""
    owner: Owner
    event: LogEvent | None = None


class Intake(Generic[Owner]):
    """What one worker wrote and what Headrace says in between, in order, each with its owner."""

    def __init__(self, share: Share, take: Callable[[list[LogEvent], Owner], None]) -> None:
        self._share = share
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting[Owner]] = deque()
        self._begun_bytes = 0
        """How much of the first entry has been parsed."""
        self._waiting_bytes = 0
        self._put = 0
        self._taken = 0
        self._scheduled = False

    @property
    def behind(self) -> bool:
        """Whether something waits for the next turn."""
        return bool(self._waiting)

    def put(self, text: StreamText, data: bytes, owner: Owner) -> None:
        """Queue what has been read. No data: the stream's partial line or record ends here."""
        if self._waiting_bytes + len(data) > WAITING_LIMIT_BYTES:
            text.drop(data)
            return
        self._append(_Waiting(text, data, owner))
        self._work()

    def put_event(self, event: LogEvent, owner: Owner) -> None:
        """Queue an event of Headrace's own behind what was put before and still waits."""
        self._append(_Waiting(None, b"", owner, event))

    async def caught_up(self) -> None:
        """Wait until all that waits now is parsed; more may come meanwhile."""
        now = self._put
        while self._taken < now:  # noqa: ASYNC110 - each turn of the loop takes some of it apart
            await asyncio.sleep(0)

    def _append(self, waiting: _Waiting[Owner]) -> None:
        self._waiting.append(waiting)
        self._waiting_bytes += len(waiting.data)
        self._put += 1

    def _work(self) -> None:
        # The first slice is always done, however little is left of the share: a worker beside a flooding one still gets on.
        if self._scheduled or not self._waiting:
            return
        self._share.take(self._next_slice(SLICE_BYTES if self._share.left > 0 else LEAST_BYTES))
        while self._waiting and self._share.left > 0:
            self._share.take(self._next_slice(SLICE_BYTES))
        if self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._scheduled = False
        self._work()

    def _next_slice(self, size: int) -> int:
        text, data, owner, event = self._waiting[0]
        if text is None:
            self._done()
            if event is not None:
                self._take([event], owner)
            return 1
        begun, end = self._begun_bytes, self._begun_bytes + size
        now = self._loop.time()
        events, work = text.feed(data[begun:end], now) if data else text.end(now)
        self._begun_bytes = end
        if end >= len(data):
            self._done()
        if events:
            self._take(events, owner)
        return work

    def _done(self) -> None:
        """The first entry is parsed to its end."""
        self._waiting_bytes -= len(self._waiting.popleft().data)
        self._begun_bytes = 0
        self._taken += 1
