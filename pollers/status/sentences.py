"""Why a mapping is idle, or what it is busy with, in one sentence (decider)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.engine.kind import Backlog
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.durations import age
from pollers.telemetry.facts import MAPPING_TASK, State
from pollers.telemetry.mapping_board import shortened

if TYPE_CHECKING:
    from pollers.telemetry.mapping_board import MappingBoard, Shard, Task


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a mapping's sentence depends on besides its board.

    ``busy`` of the ``concurrency`` ``places`` of its function are taken.
    """

    state: MappingState
    backlog: Backlog
    problem: str | None = None
    busy: int = 0
    concurrency: int = 0
    places: str = "workers"


_HINDRANCES = (
    State.WAITING_FOR_LEASE,
    State.WAITING_FOR_WRITE,
    State.DELIVERING,
    State.RETRYING,
    State.BACKING_OFF,
    State.WAITING_FOR_PERMIT,
)
"""What keeps a running mapping from going on, the most pressing first."""


def sentence(board: MappingBoard, around: Surrounding, now: float) -> str:
    """One sentence. ``now`` is monotonic seconds, as the board's times are."""
    match around.state:
        case MappingState.PAUSED:
            return "paused; resume to poll again"
        case MappingState.DISABLED:
            return "disabled in the configuration"
        case MappingState.STOPPED:
            return "stopped"
        case MappingState.STARTING:
            return "starting"
        case MappingState.STOPPING:
            return f"stopping: finishing {_batches(board)}" if board.flights else "stopping: handing back what is held"
        case MappingState.BACKING_OFF:
            task = board.tasks.get(MAPPING_TASK)
            return f"backing off after {shortened(around.problem or 'a failure')}{_next_try(task, now)}"
        case MappingState.RUNNING:
            return _running(board, around, now)


def _running(board: MappingBoard, around: Surrounding, now: float) -> str:
    wrong = [_wrong_end(name, shard, now) for name, shard in board.shards.items() if _has_wrong_end(shard)]
    if wrong:
        return f"{wrong[0]}{_others(len(wrong))}"
    for state in _HINDRANCES:
        tasks = [task for task in board.tasks.values() if task.doing.state is state]
        if tasks:
            return _of_task(state, min(tasks, key=lambda task: task.since), len(tasks), around, now)
    if board.flights:
        return f"invoking: {_batches(board)}, the oldest for {age(board.oldest_flight(now) or 0.0)}"
    return _reading(board, now) if around.backlog is Backlog.ITERATOR_AGE else _receiving(board)


def _has_wrong_end(shard: Shard) -> bool:
    return shard.doubted is not None or shard.revoked is not None


def _wrong_end(name: str, shard: Shard, now: float) -> str:
    """A shard that a reply or a checkpoint calls ended while the stream lists it as open."""
    if shard.doubted is None:
        return f"{name} is read again: its checkpoint said that it had ended, but the stream lists it as open"
    return f"replies have called {name} ended for {age(now - shard.doubted)}, and nothing bears that out: it is read on"


def _of_task(state: State, task: Task, count: int, around: Surrounding, now: float) -> str:
    detail = shortened(task.doing.detail)
    if state is State.WAITING_FOR_PERMIT:
        return f"waiting for a permit: {around.busy} of {around.concurrency} {around.places} busy for {age(now - task.since)}"
    if state in (State.WAITING_FOR_LEASE, State.WAITING_FOR_WRITE):
        return f"{state.value} for {age(now - task.since)}: {detail}{_others(count)}"
    if state is State.BACKING_OFF:
        return f"backing off after {detail or 'a failure'}{_next_try(task, now)}{_others(count)}"
    where = f" (on {task.doing.task})" if around.backlog is Backlog.ITERATOR_AGE else ""
    return f"{state.value} {detail}{where}{_others(count)}".rstrip()


def _receiving(board: MappingBoard) -> str:
    if board.held > 0:
        return f"gathering: holds {_events(board.held, 'message')}"
    if any(task.doing.state is State.POLLING for task in board.tasks.values()) or board.polled:
        return "waiting for messages"
    return "about to poll"


def _reading(board: MappingBoard, now: float) -> str:
    """What the reader of a stream does, which shards other replicas read, and which wait for their parents."""
    waiting = [task for task in board.tasks.values() if task.doing.state is State.WAITING_FOR_PARENT]
    elsewhere = [task for task in board.tasks.values() if task.doing.state is State.READ_ELSEWHERE]
    parts = []
    behind = board.iterator_age(now)
    if behind:
        parts.append(f"reading, {age(behind)} behind")
    elif behind is not None:
        parts.append("waiting for records: caught up")
    elif board.shards and all(shard.ended for shard in board.shards.values()):
        parts.append("waiting for new shards: every shard has ended")
    elif not waiting and not elsewhere:
        parts.append("about to read")
    if elsewhere:
        parts.append(f"another replica reads {elsewhere[0].doing.task}{_others(len(elsewhere))}")
    if waiting:
        parts.append(f"{waiting[0].doing.task} waits for its {waiting[0].doing.detail}{_others(len(waiting))}")
    return "; ".join(parts)


def _next_try(task: Task | None, now: float) -> str:
    if task is None or task.doing.until_seconds is None:
        return ""
    left = task.since + task.doing.until_seconds - now
    return f", next try in {age(left)}" if left > 0 else ", trying again"


def _batches(board: MappingBoard) -> str:
    events = sum(flight.count for flight in board.flights.values())
    return f"{len(board.flights)} batch{'' if len(board.flights) == 1 else 'es'} of {_events(events, 'event')}"


def _events(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _others(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
