"""The line of calls that wait for a free connection because no more can be opened (the process is out of descriptors)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Line(Generic[T]):
    """First come, first served, urgent calls before others: a long poll can wait, a delete or an extension cannot."""

    def __init__(self) -> None:
        self._urgent: deque[asyncio.Future[T | None]] = deque()
        self._others: deque[asyncio.Future[T | None]] = deque()

    async def wait(self, seconds: float, *, urgent: bool) -> T | None:
        """A connection that is free and now the caller's; None when there is room for a new one. Raises TimeoutError."""
        turn: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        line = self._urgent if urgent else self._others
        line.append(turn)
        try:
            with anyio.fail_after(seconds):
                return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.offer(turn.result())  # given in the very moment in which the wait ended
            raise
        finally:
            if not turn.done():
                turn.cancel()

    def offer(self, free: T | None) -> bool:
        """Whether somebody took it."""
        for line in (self._urgent, self._others):
            while line:
                turn = line.popleft()
                if not turn.done():
                    turn.set_result(free)
                    return True
        return False
