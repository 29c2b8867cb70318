"""What time it is: by this machine's clocks, and by a service's. May import :mod:`handlers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.clocks.clock import Clock, SystemClock, loop_time
    from pollers.clocks.service import ServiceClock
    from pollers.clocks.skew import DOUBTFUL_SECONDS, REFUSED_SECONDS, clock_skews

__all__ = ["DOUBTFUL_SECONDS", "REFUSED_SECONDS", "Clock", "ServiceClock", "SystemClock", "clock_skews", "loop_time"]
__getattr__ = lazily(
    __name__,
    {
        "clock": "Clock SystemClock loop_time",
        "service": "ServiceClock",
        "skew": "DOUBTFUL_SECONDS REFUSED_SECONDS clock_skews",
    },
)
