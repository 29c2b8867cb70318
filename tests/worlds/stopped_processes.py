"""Parts of a virtual-time world that stand still for a while, as a process does between SIGSTOP and SIGCONT.

A task belongs to the process that :data:`PROCESS` names in its context, and so does all that it starts. While a process is stopped
nothing of it runs: what becomes ready, timers included, waits in its order until it goes on. Time, services and other processes go
on meanwhile; a request that was sent may take effect at the service, and its reply waits.

    processes = Processes(virtual_time.current_loop())
    processes.stop("one")
    ...
    processes.resume("one")
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.worlds.virtual_time import VirtualTimeLoop

PROCESS: ContextVar[str | None] = ContextVar("PROCESS", default=None)
"""The process that a task belongs to; None: the world around them."""


class _Gate(deque[asyncio.Handle]):
    """The loop's ready callbacks, without those of stopped processes."""

    def __init__(self, ready: Collection[asyncio.Handle]) -> None:
        super().__init__(ready)
        self.held: dict[str, list[asyncio.Handle]] = {}

    def append(self, handle: asyncio.Handle) -> None:
        """Let it run at the next turn, or hold it."""
        if self.held:
            held = self.held.get(_process_of(handle) or "")
            if held is not None:
                held.append(handle)
                return
        super().append(handle)


class Processes:
    """Stops and resumes processes of ``loop``."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._gate = _Gate(loop._ready)  # type: ignore[attr-defined]  # the loop of asyncio has no gate of its own
        loop._ready = self._gate  # type: ignore[attr-defined]

    def stop(self, process: str) -> None:
        """Nothing of it runs any more from the next turn of the loop on."""
        self._loop.at_step(self._loop.steps + 1, lambda: self._stop(process))

    def _stop(self, process: str) -> None:
        if process in self._gate.held:
            return
        ready = list(self._gate)
        self._gate.clear()
        self._gate.held[process] = []
        for handle in ready:
            self._gate.append(handle)

    def resume(self, process: str) -> None:
        """It goes on where it was; everything that it waited for and that has come meanwhile is there."""
        self._gate.extend(self._gate.held.pop(process, ()))

    def stopped(self, process: str) -> bool:
        """Whether it stands still."""
        return process in self._gate.held


def _process_of(handle: asyncio.Handle) -> str | None:
    # Nothing else says whose a callback is.
    process: str | None = handle._context.get(PROCESS)  # type: ignore[attr-defined]
    return process
