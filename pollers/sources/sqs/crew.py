"""Tasks that are used again: starting one costs three times what waking one does, and a batch takes three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from anyio.abc import TaskGroup


class _Worker:
    __slots__ = ("arguments", "task", "wake")

    def __init__(self, task: Callable[..., Awaitable[None]], arguments: Sequence[Any]) -> None:
        self.task = task
        self.arguments = arguments
        self.wake = anyio.Event()


class Crew:
    """Runs jobs in tasks of ``group``, as many at a time as there are jobs. ``guard`` runs each and lets nothing escape."""

    def __init__(self, group: TaskGroup, guard: Callable[..., Awaitable[None]]) -> None:
        self._group = group
        self._guard = guard
        self._parked: list[_Worker] = []
        self._busy = 0
        self._idle = anyio.Event()

    def __call__(self, task: Callable[..., Awaitable[None]], *arguments: Any) -> None:  # noqa: ANN401 - of any task
        """Start ``task(*arguments)``."""
        self._busy += 1
        if not self._parked:
            self._group.start_soon(self._work, _Worker(task, arguments))
            return
        worker = self._parked.pop()
        worker.task, worker.arguments = task, arguments
        worker.wake.set()

    async def done(self) -> None:
        """Wait until no job runs."""
        while self._busy:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def _work(self, worker: _Worker) -> None:
        while True:
            await self._guard(worker.task, worker.arguments)
            self._busy -= 1
            if not self._busy:
                self._idle.set()
            worker.arguments = ()
            worker.wake = anyio.Event()
            self._parked.append(worker)
            await worker.wake.wait()
