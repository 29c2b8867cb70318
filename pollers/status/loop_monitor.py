"""How late the event loop's timers are, and whether the supervisor's side tasks still run."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio
import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.stdlib.get_logger(__name__)

MEASURE_SECONDS = 0.25
KEPT_SECONDS = 30.0


class LoopMonitor:
    """Measures the loop's lag and remembers which watched tasks have ended."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque()
        self._last: float | None = None
        self._watched: dict[str, bool] = {}

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            self._last = began = anyio.current_time()
            await anyio.sleep(MEASURE_SECONDS)
            now = anyio.current_time()
            self._lags.append((now, now - began - MEASURE_SECONDS))
            while self._lags and self._lags[0][0] < now - KEPT_SECONDS:
                self._lags.popleft()

    def lag(self, now: float) -> float:
        """The worst lag of the last half minute in seconds, counting the measurement that is due now."""
        due = max(0.0, now - self._last - MEASURE_SECONDS) if self._last is not None else 0.0
        return max(due, max((lag for _, lag in self._lags), default=0.0))

    async def watch(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a side task of the supervisor that should never end.

        If it ends, with an error or without, it counts as dead: that is logged and makes the process unhealthy. Polling and
        invoking go on: a fault in a side task must not stop them.
        """
        self._watched[name] = True
        try:
            await run()
        except Exception:
            log.exception("a task of the supervisor died", task=name)
        finally:
            self._watched[name] = False

    def dead(self) -> list[str]:
        """Watched tasks that have ended."""
        return [name for name, alive in self._watched.items() if not alive]
