"""How far a shard's work may run ahead of its checkpoint on the disk: at most one batch (docs/design, decision 14).

A crash repeats the batches that have begun and that no written checkpoint covers. A batch may begin while at most
``BATCHES_AHEAD`` finished ones are not written yet, so that those are never more than one a lane and one: what was in flight,
and one batch a shard more. Writing goes on at the same time as the next batch; a store that writes no more stops the shard.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

from pollers.telemetry.facts import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.engine.stop import Stop
    from pollers.sources.streams.task_reports import TaskReports

BATCHES_AHEAD = 1
"""Finished and unwritten batches of a shard beside which another one may begin."""
REPORT_AFTER_SECONDS = 1.0
"""How long a lane has waited for a write when that is reported."""


class Unwritten:
    """Counts what has been finished and what of it is written; says whether more may begin. A decider; times are monotonic.

    ``grace_seconds``: for how long more may begin whatever is unwritten, where the store writes only now and then.
    """

    def __init__(self, grace_seconds: float = 0.0) -> None:
        self._grace_seconds = grace_seconds
        self._since = float("-inf")
        self.finished = 0
        self.written = 0

    def finish(self, now: float) -> None:
        """A batch, or a part of one, is done: accepted or given up on."""
        if self.finished == self.written:
            self._since = now
        self.finished += 1

    def write(self, finished: int, now: float) -> None:
        """What had been finished at that count is on the disk."""
        self.written = finished
        self._since = now

    @property
    def any(self) -> bool:
        """Whether something is finished and not written."""
        return self.finished > self.written

    def may_begin(self, now: float) -> bool:
        """Whether another batch may."""
        # Finished and not written, plus what runs, is what a crash repeats. Holding back the beginning bounds both: a batch that
        # has begun cannot be kept from finishing.
        return self.finished - self.written <= BATCHES_AHEAD or now < self._since + self._grace_seconds


class WriteGate:
    """Where a shard's lanes wait until another batch may begin. ``now`` is its loop's time; ``why`` says why writes fail.

    A gate and not a lock: lanes that have waited all go on at once, since the bound is for the shard's batches that are finished,
    and not for those that run.
    """

    def __init__(self, unwritten: Unwritten, stop: Stop, reports: TaskReports, why: Callable[[], str | None]) -> None:
        self._unwritten = unwritten
        self._stop = stop
        self._reports = reports
        self._why = why
        self._waiting: dict[str, float] = {}
        self._reported: set[str] = set()
        self._changed = anyio.Event()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.now = self._loop.time

    def look_again(self) -> None:
        """A write has been made, or the shard is stopped."""
        if self._waiting:
            self._changed.set()

    async def passed(self, task: str) -> bool:
        """Wait until another batch may begin; False when stopped before."""
        if self._unwritten.may_begin(self.now()):
            return True
        self._waiting[task] = self.now()
        # One timer for all lanes and many waits: most are over in less than a millisecond and must cost next to nothing.
        if self._timer is None:
            self._timer = self._loop.call_later(REPORT_AFTER_SECONDS, self._report_long_waits)
        try:
            return await self._wait()
        finally:
            del self._waiting[task]
            if task in self._reported:
                self._reported.discard(task)
                self._reports.doing(task, State.ENDED)

    async def _wait(self) -> bool:
        while not self._stop.requested:
            if self._unwritten.may_begin(self.now()):
                return True
            if self._changed.is_set():
                self._changed = anyio.Event()
            await self._changed.wait()
        return False

    def _report_long_waits(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        latest = self.now() - REPORT_AFTER_SECONDS
        for task, since in self._waiting.items():
            if since <= latest and task not in self._reported:
                self._reported.add(task)
                self._reports.doing(task, State.WAITING_FOR_WRITE, self._why() or "the store is slow")
        self._timer = self._loop.call_later(REPORT_AFTER_SECONDS, self._report_long_waits)
