"""Views of a running Headrace: health, sentences, the snapshot behind the console, gauges, queue depths.

May import :mod:`pollers.supervisor` and what is below it; neither the supervisor nor telemetry may import this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.status.depths import Depths
    from pollers.status.gauges import Gauges
    from pollers.status.health import Problem
    from pollers.status.loop_monitor import LoopMonitor
    from pollers.status.snapshot import Status
    from pollers.status.table import Row, explained, rows_of

__all__ = [
    "Depths",
    "Gauges",
    "LoopMonitor",
    "Problem",
    "Row",
    "Status",
    "explained",
    "rows_of",
]
__getattr__ = lazily(
    __name__,
    {
        "depths": "Depths",
        "gauges": "Gauges",
        "health": "Problem",
        "loop_monitor": "LoopMonitor",
        "snapshot": "Status",
        "table": "Row explained rows_of",
    },
)
