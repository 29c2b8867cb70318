"""Where the tasks of a shard wait while its lease is not renewed: another replica may have the shard by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.telemetry.facts import State

if TYPE_CHECKING:
    from pollers.checkpoints.store import Lease
    from pollers.engine.stop import Stop
    from pollers.sources.streams.task_reports import TaskReports


class LeaseTime:
    """Says whether something may be started under a shard's lease.

    Whoever starts something asks directly before it, with nothing awaited in between: any wait may last longer than a lease.
    """

    def __init__(self, lease: Lease, stop: Stop, reports: TaskReports) -> None:
        self._lease = lease
        self._stop = stop
        self._reports = reports

    @property
    def left(self) -> bool:
        """Whether something may be started now."""
        return self._lease.in_time

    async def wait(self, task: str) -> bool:
        """Wait until something may be started; False when a stop came before, or the lease is lost. Ask again after it."""
        self._reports.doing(task, State.WAITING_FOR_LEASE, "the checkpoint store does not answer in time")
        with self._stop.waiting():
            await self._lease.until_in_time()
        self._reports.doing(task, State.ENDED)
        return not (self._stop.requested or self._lease.lost.is_set())
