"""What all workers of one function share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import anyio
    from structlog.typing import FilteringBoundLogger

    from handlers.workers.deliveries import Deliveries
    from handlers.workers.output import LogRules
    from handlers.workers.process import Launch


@dataclass(frozen=True, slots=True)
class Limits:
    """A function's settings that bound its workers, as far as a worker must know them."""

    timeout_seconds: float
    memory_limit_mib: int | None
    memory_size_mib: int
    """What the function is told of its memory."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Made once for each function; a worker reads it and changes nothing."""

    function_name: str
    limits: Limits
    deliveries: Deliveries
    launch: Callable[[str, Path], Launch]
    """Makes the command and environment for a worker whose endpoint (``host:port``) and scratch folder are given."""
    log: FilteringBoundLogger
    log_rules: LogRules
    turn: anyio.Lock
    """Starting a process holds the event loop for a millisecond or two: one worker in each turn of it."""
