"""Health means progress: whether each source is polled and each batch moves, and if not, which one and why (decider).

A wait that has a reason is healthy: a source that is paused, empty, throttled, denied or retried, a parent shard that is being
read, a batching window of five minutes. Unhealthy is a poll, a batch, a listing of shards, a start, a stop or a back-off that
should have ended by now and has not. Each has its bound here, well above the longest time that it may rightly take: an
orchestrator restarts an unhealthy process, so a false alarm costs more than a late one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.supervisor.mapping import MappingState
from pollers.telemetry.durations import age
from pollers.telemetry.facts import MAPPING_TASK, RECEIVE_TASK, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.telemetry.mapping_board import MappingBoard, Task

POLL_BOUND_SECONDS = 90.0
"""A poll takes at most 60 s: 10 to connect, 20 of long poll, 30 more for its reply. After 90 s something hangs."""
LISTING_BOUND_SECONDS = 120.0
"""A stream's shards are listed every 30 s: three listings in a row may fail."""
INVOCATION_SLACK_SECONDS = 60.0
"""How long a batch may be with the function, beyond twice the function's timeout. A batch may first wait for
a worker to start (as long as the timeout, at least 10 s, after a pause of up to 30 s if the last start
failed). Then it runs, and its worker is killed.
"""
STARTING_BOUND_SECONDS = 180.0
"""Importing a function in process may take two minutes."""
STOPPING_SLACK_SECONDS = 60.0
"""How long a stop may take beyond its longest batch: a receive in flight, deletes, checkpoints, returning messages."""
WRITE_BOUND_SECONDS = 10.0
"""A checkpoint is on the disk in milliseconds; a slow disk may take a second."""
SILENCE_BOUND_SECONDS = 120.0
"""How long a poller may run without reporting what it does and without a poll."""

DOUBT_BOUND_SECONDS = 120.0
"""How long replies may call a shard ended while nothing confirms it: a restart of a service or a proxy takes less."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why health is red. ``mapping`` is None for the runtime itself."""

    mapping: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Vitals:
    """What health needs to know of one mapping. Times are monotonic seconds."""

    name: str
    state: MappingState
    problem: str | None
    since: float
    timeout_seconds: float
    grace_seconds: float

    @property
    def flight_bound(self) -> float:
        """How long a batch may be with the function, in seconds."""
        return 2 * self.timeout_seconds + INVOCATION_SLACK_SECONDS

    @property
    def stop_bound(self) -> float:
        """How long a stop may take, in seconds."""
        return max(self.grace_seconds, self.flight_bound) + STOPPING_SLACK_SECONDS


def stalls(board: MappingBoard, vitals: Vitals, now: float) -> Iterator[Problem]:
    """What makes the process not live: something that should have happened by now has not."""
    match vitals.state:
        case MappingState.STARTING if now - vitals.since > STARTING_BOUND_SECONDS:
            yield Problem(vitals.name, f"has been starting for {age(now - vitals.since)}")
        case MappingState.STOPPING if now - vitals.since > vitals.stop_bound:
            yield Problem(vitals.name, f"has been stopping for {age(now - vitals.since)}")
        case MappingState.RUNNING:
            yield from (Problem(vitals.name, reason) for reason in _running(board, vitals, now))
        case _:
            return


def _running(board: MappingBoard, vitals: Vitals, now: float) -> Iterator[str]:
    oldest = board.oldest_flight(now)
    if oldest is not None and oldest > vitals.flight_bound:
        yield f"a batch has been with the function for {age(oldest)}, whose timeout is {age(vitals.timeout_seconds)}"
    # A poller reports its tasks when they change. Without any, all that shows that it runs is the time of its last sign of life.
    if not board.tasks:
        last = max(vitals.since, board.reported or vitals.since, board.listed or vitals.since, *board.polls.values())
        if now - last > SILENCE_BOUND_SECONDS:
            yield f"has neither polled nor said what it does for {age(now - last)}"
    if board.listed is not None and now - board.listed > LISTING_BOUND_SECONDS:
        yield f"its shards have not been listed for {age(now - board.listed)}"
    yield from _wrong_ends(board, now)
    yield from _unwritten(board, now)
    for task in board.tasks.values():
        overdue = _overdue(board, task, vitals, now)
        if overdue is not None:
            yield overdue


def _wrong_ends(board: MappingBoard, now: float) -> Iterator[str]:
    """Shards that the stream lists as open while a reply or a checkpoint calls them ended: some records may be unread."""
    for name, shard in board.shards.items():
        if shard.doubted is not None and now - shard.doubted > DOUBT_BOUND_SECONDS:
            yield f"replies have called {name} ended for {age(now - shard.doubted)}, and nothing bears that out"
        if shard.revoked is not None:
            yield f"the checkpoint of {name} says that it has ended, but the stream lists it as open: it is read again"


def _unwritten(board: MappingBoard, now: float) -> Iterator[str]:
    """A store that writes no checkpoints. Shards then wait: the amount of work that a crash would repeat is bounded."""
    if board.refused is not None and now - board.refused[0] > WRITE_BOUND_SECONDS:
        since, why = board.refused
        yield f"no checkpoint could be written for {age(now - since)}, and shards wait for that: {why}"
        return
    states = (State.WAITING_FOR_WRITE, State.WAITING_FOR_LEASE)
    waiting = [task for task in board.tasks.values() if task.doing.state in states]
    first = min(waiting, key=lambda task: task.since, default=None)
    if first is not None and now - first.since > WRITE_BOUND_SECONDS:
        yield f"{_place(first)} has been {first.doing.state.value} for {age(now - first.since)}"


def _overdue(board: MappingBoard, task: Task, vitals: Vitals, now: float) -> str | None:
    """Why a task hangs that has done one thing for so long; None when it may go on."""
    place, waited = _place(task), now - task.since
    match task.doing.state:
        case State.POLLING:
            # A task stays in this state over many polls, so the last poll counts. A queue's polls name no source ("").
            silent = now - max(task.since, board.polls.get(task.doing.task, board.polls.get("", task.since)))
            return f"no poll of {place} has come back for {age(silent)}" if silent > POLL_BOUND_SECONDS else None
        case State.STARTING if waited > STARTING_BOUND_SECONDS:
            return f"{place} has been starting for {age(waited)}"
        case State.STOPPING if waited > vitals.stop_bound:
            return f"{place} has been stopping for {age(waited)}"
        case State.BACKING_OFF if task.doing.until_seconds is not None:
            late = waited - task.doing.until_seconds
            return f"{place} should have gone on {age(late)} ago" if late > POLL_BOUND_SECONDS else None
        case _:
            return None


def _place(task: Task) -> str:
    if task.doing.task == MAPPING_TASK:
        return "the mapping"
    return "the queue" if task.doing.task == RECEIVE_TASK else task.doing.task


def unready(board: MappingBoard, vitals: Vitals) -> Iterator[Problem]:
    """Why a process that is live is not ready: a mapping that does not poll yet, or cannot."""
    match vitals.state:
        case MappingState.BACKING_OFF:
            yield Problem(vitals.name, f"cannot run: {vitals.problem}")
        case MappingState.STARTING:
            yield Problem(vitals.name, "is starting")
        case MappingState.STOPPING:
            yield Problem(vitals.name, "is stopping")
        case MappingState.RUNNING if not board.polled:
            failing = [t.doing.detail for t in board.tasks.values() if t.doing.state is State.BACKING_OFF]
            if failing:
                yield Problem(vitals.name, f"has not polled yet: backing off after {failing[0]}")
            elif not board.tasks:
                yield Problem(vitals.name, "has not polled yet")
        case _:
            return
