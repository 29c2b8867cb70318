"""Why a mapping is idle, or what it is busy with, in one sentence (decider)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.mapping import MappingState
from pollers.telemetry.facts import State
from pollers.telemetry.view import age

if TYPE_CHECKING:
    from handlers.function import FunctionStatus
    from pollers.telemetry.board import MappingBoard, Task


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a mapping's sentence needs to know besides its board."""

    state: MappingState
    problem: str | None = None
    function: FunctionStatus | None = None
    concurrency: int = 0
    stream: bool = False
    all_busy_since: float | None = None


_TELLING = (State.DELIVERING, State.RETRYING, State.BACKING_OFF, State.WAITING_FOR_PERMIT)
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
            return f"stopping: finishing {_batches(board)}"
        case MappingState.BACKING_OFF:
            task = board.tasks.get("mapping")
            return f"backing off after {around.problem}{_next_try(task, now)}"
        case MappingState.RUNNING:
            return _running(board, around, now)


def _running(board: MappingBoard, around: Surrounding, now: float) -> str:
    for state in _TELLING:
        tasks = [task for task in board.tasks.values() if task.doing.state is state]
        if tasks:
            return _telling(state, min(tasks, key=lambda task: task.since), len(tasks), around, now)
    if board.flights:
        return f"invoking: {_batches(board)}, the oldest for {age(board.oldest_flight(now) or 0.0)}"
    parents = [task for task in board.tasks.values() if task.doing.state is State.WAITING_FOR_PARENT]
    if parents and len(parents) == len(board.tasks):
        return f"{parents[0].doing.task} waits for its {parents[0].doing.detail}{_others(len(parents))}"
    if around.stream:
        behind = board.iterator_age
        return f"reading, {age(behind)} behind" if behind else "waiting for records: caught up"
    return "waiting for messages"


def _telling(state: State, task: Task, count: int, around: Surrounding, now: float) -> str:
    detail = task.doing.detail
    if state is State.WAITING_FOR_PERMIT:
        busy = around.function.busy if around.function is not None else 0
        return f"waiting for a permit: {busy} of {around.concurrency} workers busy for {age(now - task.since)}"
    if state is State.BACKING_OFF:
        return f"backing off after {detail or 'a failure'}{_next_try(task, now)}{_others(count)}"
    where = f" on {task.doing.task}" if around.stream else ""
    return f"{state.value} {detail}{where}{_others(count)}".rstrip()


def _next_try(task: Task | None, now: float) -> str:
    if task is None or task.doing.until_seconds is None:
        return ""
    return f", next try in {age(max(0.0, task.since + task.doing.until_seconds - now))}"


def _batches(board: MappingBoard) -> str:
    events = sum(flight.count for flight in board.flights.values())
    return f"{len(board.flights)} batch{'' if len(board.flights) == 1 else 'es'} of {events} event{'' if events == 1 else 's'}"


def _others(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
