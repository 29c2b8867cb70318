"""Asynchronous invocation (docs/lambda 12): a durable queue of events, their attempts, and the reports that their ends owe.

::

    queue                     accepts events, and runs what follows; a service of the supervisor
      lane  seat                one function's events, begun as they fall due and permits allow
        attempt                   one run of the function, and the event's next step
      reporting                 one target's reports
    deciding  gate            deciders: retries, ages, who is told; what is down is probed
    books                     accepted = succeeded + failed + dropped + queued
    rows  tables  disk        the rows in the state
    reserve                   room on the disk that no event is accepted into

May import :mod:`pollers.state`, :mod:`pollers.destinations.ended`, :mod:`pollers.functions`, :mod:`pollers.engine`, the facts of
:mod:`pollers.telemetry` and the service seam of :mod:`pollers.supervisor`. It knows nothing of Lambda's API, which accepts
events, nor of what stands behind a target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.invocations.books import FunctionBooks, QueueSnapshot, TargetStanding
    from pollers.invocations.errors import QueueFull
    from pollers.invocations.event import InvokeSettings
    from pollers.invocations.queue import LIMIT_BYTES, AsyncQueue
    from pollers.invocations.tables import TABLES

__all__ = [
    "LIMIT_BYTES",
    "TABLES",
    "AsyncQueue",
    "FunctionBooks",
    "InvokeSettings",
    "QueueFull",
    "QueueSnapshot",
    "TargetStanding",
]
__getattr__ = lazily(
    __name__,
    {
        "books": "FunctionBooks QueueSnapshot TargetStanding",
        "errors": "QueueFull",
        "event": "InvokeSettings",
        "queue": "AsyncQueue LIMIT_BYTES",
        "tables": "TABLES",
    },
)
