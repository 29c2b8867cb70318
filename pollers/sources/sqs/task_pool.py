"""Tasks that are used again: to start one costs three times what it costs to wake one, and a batch takes three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from anyio.abc import TaskGroup


class _Task:
    """One task of the group, and the job that it does now."""

    __slots__ = ("arguments", "job", "wake")

    def __init__(self, job: Callable[..., Awaitable[None]], arguments: Sequence[Any]) -> None:
        self.job = job
        self.arguments = arguments
        self.wake = anyio.Event()


class TaskPool:
    """Runs jobs in tasks of ``group``, as many at a time as there are jobs. ``guard`` runs each and lets no error out.

    There is no limit: what bounds the jobs is that each has a permit, or belongs to a message that has one.
    """

    def __init__(self, group: TaskGroup, guard: Callable[..., Awaitable[None]]) -> None:
        self._group = group
        self._guard = guard
        self._free: list[_Task] = []
        self._busy = 0
        self._idle = anyio.Event()

    def __call__(self, job: Callable[..., Awaitable[None]], *arguments: Any) -> None:  # noqa: ANN401 - of any job
        """Start ``job(*arguments)``."""
        self._busy += 1
        if not self._free:
            self._group.start_soon(self._run, _Task(job, arguments))
            return
        task = self._free.pop()
        task.job, task.arguments = job, arguments
        task.wake.set()

    async def done(self) -> None:
        """Wait until no job runs."""
        while self._busy:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def _run(self, task: _Task) -> None:
        while True:
            await self._guard(task.job, task.arguments)
            self._busy -= 1
            if not self._busy:
                self._idle.set()
            # A task that waits for its next job keeps nothing of the last one alive: a batch may weigh megabytes.
            task.arguments = ()
            task.wake = anyio.Event()
            self._free.append(task)
            await task.wake.wait()
