"""What benchmarks of streams measure: CPU time for each record, and for how long the event loop was held."""

from __future__ import annotations

import time
from dataclasses import dataclass

import anyio

TICK_SECONDS = 0.001


class Meter:
    """Counts records; the first tenth is a warm-up, after which the CPU clocks start.

    ``result``: records, CPU seconds of the whole process, CPU seconds of the thread that counts (the event loop's).
    """

    def __init__(self, total: int) -> None:
        self._warm = total // 10
        self._total = total
        self._counted = 0
        self._started: tuple[int, float, float] | None = None
        self.result: tuple[int, float, float] | None = None

    @property
    def started(self) -> bool:
        """Whether the clocks run."""
        return self._started is not None

    def seen(self, records: int) -> bool:
        """So many more are done; whether it is enough."""
        self._counted += records
        if self._started is None:
            if self._counted >= self._warm:
                self._started = self._counted, time.process_time(), time.thread_time()
        elif self.result is None and self._counted >= self._total:
            counted, process, thread = self._started
            self.result = self._counted - counted, time.process_time() - process, time.thread_time() - thread
        return self.result is not None


@dataclass
class Hold:
    """For how long the event loop was held at most, by a task that wants to run every millisecond.

    ``wall_seconds`` has every pause in it, also those that other processes of the machine made; of ``own_seconds`` the
    event loop's thread was computing all the time.
    """

    wall_seconds: float = 0.0
    own_seconds: float = 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            due, used = time.perf_counter() + TICK_SECONDS, time.thread_time()
            await anyio.sleep(TICK_SECONDS)
            late = time.perf_counter() - due
            self.wall_seconds = max(self.wall_seconds, late)
            self.own_seconds = max(self.own_seconds, min(late, time.thread_time() - used))
