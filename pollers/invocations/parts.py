"""What the queue's tasks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.telemetry.async_facts import untold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pollers.clocks.clock import Clock
    from pollers.engine.stop import Stop
    from pollers.functions import FunctionHost
    from pollers.invocations.books import Books
    from pollers.invocations.disk import Disk
    from pollers.invocations.event import InvokeSettings, Owed
    from pollers.telemetry.async_facts import AsyncSink


@dataclass(slots=True)
class Parts:
    """For one life of the queue. ``settings`` of a function are asked for each time; ``owe`` says that reports have become due;
    ``tell`` takes what happens to events.
    """

    disk: Disk
    books: Books
    functions: Mapping[str, FunctionHost]
    settings: Callable[[str], InvokeSettings]
    clock: Clock
    stop: Stop
    owe: Callable[[Sequence[Owed], int], None]
    tell: AsyncSink = untold
