"""What the queue's tasks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pollers.clocks.clock import Clock
    from pollers.engine.stop import Stop
    from pollers.functions import FunctionHost
    from pollers.invocations.books import Books
    from pollers.invocations.disk import Disk
    from pollers.invocations.event import InvokeSettings, Owed


@dataclass(slots=True)
class Parts:
    """For one life of the queue. ``settings`` of a function are asked for each time; ``owe`` tells that reports have become due."""

    disk: Disk
    books: Books
    functions: Mapping[str, FunctionHost]
    settings: Callable[[str], InvokeSettings]
    clock: Clock
    stop: Stop
    owe: Callable[[Sequence[Owed], int], None]
