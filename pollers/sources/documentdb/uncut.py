"""Calls of the driver, each of which goes on to its end although its caller is cut.

The driver does not bear being cancelled: sockets that it was opening stay open, and a getMore takes its connection with it. So a
call is a task of its own. When its caller is cut, by a stop, the task goes on: a wait for events takes a second at most.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

T = TypeVar("T")

END_SECONDS = 1.1
"""How long calls may still take at the end: a wait for events, and with the closing of the connection no more than a stop waits
for what does not answer (``QUIET_SECONDS`` of the shutdown)."""


class Uncut:
    """Owns the tasks of one client's calls."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, call: Coroutine[Any, Any, T], left: Callable[[T], Awaitable[None]] | None = None) -> T:
        """What ``call`` returns or raises. When the caller is cut, ``left`` is given what comes nevertheless."""
        task = asyncio.get_running_loop().create_task(call)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            follower = asyncio.get_running_loop().create_task(_follow(task, left))
            self._running.add(follower)
            follower.add_done_callback(self._running.discard)
            raise
        return task.result()

    async def aclose(self) -> None:
        """Wait for what still runs, and cancel what takes longer than :data:`END_SECONDS`."""
        with anyio.CancelScope(shield=True):
            deadline = anyio.current_time() + END_SECONDS
            while self._running and (left := deadline - anyio.current_time()) > 0:
                await asyncio.wait(self._running, timeout=left)
            late = list(self._running)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _follow(task: asyncio.Task[T], left: Callable[[T], Awaitable[None]] | None) -> None:
    """See a call to its end that nobody waits for any more. Its error is nobody's either."""
    await asyncio.wait({task})
    if not task.cancelled() and task.exception() is None and left is not None:
        await left(task.result())
