"""The asynchronous queue as the status document, health and people see it (decider)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pollers.status.health import Problem
from pollers.telemetry.durations import age
from pollers.telemetry.mapping_board import shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pollers.invocations import FunctionBooks, QueueSnapshot

EVENT_LIMIT_BYTES = 1024 * 1024
"""The largest event: a queue with less room than this refuses some."""


def document(queue: QueueSnapshot, functions: Collection[str], now: float) -> dict[str, Any]:
    """The queue as a whole; ``now`` is in seconds since the epoch. ``functions`` are those that are configured."""
    return {
        "depth": queue.depth,
        "running": queue.running,
        "oldest_seconds": _since(queue.oldest_at, now),
        "bytes": queue.bytes,
        "limit_bytes": queue.limit_bytes,
        "balanced": all(books.balanced for books in queue.functions.values()),
        "problem": queue.problem,
        "notices": [asdict(notice) for notice in notices(queue, functions, now)],
    }


def of_function(books: FunctionBooks, now: float) -> dict[str, Any]:
    """One function's events: how many wait and for how long, and what has become of the others."""
    told = asdict(books)
    del told["age_seconds"], told["oldest_at"]
    return {
        **told,
        "balanced": books.balanced,
        "oldest_seconds": _since(books.oldest_at, now) if books.queued else None,
    }


def problems(queue: QueueSnapshot) -> Iterator[Problem]:
    """Why the queue takes no events. The process runs on: a restart would change nothing, so it is live, but not ready."""
    if queue.problem is not None:
        yield Problem(None, f"the asynchronous queue cannot write to the disk: {queue.problem}")
    if queue.cramped is not None:
        yield Problem(None, f"the asynchronous queue {queue.cramped}")
    if queue.limit_bytes - queue.bytes < EVENT_LIMIT_BYTES:
        yield Problem(
            None, f"the asynchronous queue is full: it holds {queue.bytes:,} bytes and takes {queue.limit_bytes:,}"
        )


def notices(queue: QueueSnapshot, functions: Collection[str], now: float) -> Iterator[Problem]:
    """What keeps events or reports waiting and passes by itself, once somebody has repaired it; ``mapping`` is whom it is about."""
    for name, books in queue.functions.items():
        if books.queued and name not in functions:
            yield Problem(name, f"{_events(books.queued)} for this function, which is not configured")
    for target, standing in queue.targets.items():
        waited = _since(standing.since, now)
        if standing.waiting and standing.problem is not None and waited is not None:
            why = shortened(standing.problem)
            yield Problem(target, f"{_reports(standing.waiting)} for it, for {age(waited)}: {why}")


def _since(moment: float | None, now: float) -> float | None:
    """Seconds since a moment; a clock that was set back makes it no less than 0."""
    return None if moment is None else max(0.0, now - moment)


def _events(count: int) -> str:
    return f"{count:,} event{' waits' if count == 1 else 's wait'}"


def _reports(count: int) -> str:
    return f"{count:,} report{' waits' if count == 1 else 's wait'}"
