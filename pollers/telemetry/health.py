"""Health means progress: whether each source was polled and each batch moves, and if not, which and why (decider)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.mapping import MappingState
from pollers.telemetry.facts import State
from pollers.telemetry.view import age

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.telemetry.board import MappingBoard, Task

POLL_BOUND_SECONDS = 60.0
"""A poll takes at most 20 s (a long poll) and its reply a little more: after this long something hangs."""
INVOCATION_SLACK_SECONDS = 15.0
"""How much longer than the function's timeout a batch may be with it: the worker must be killed and its end seen."""
STARTING_BOUND_SECONDS = 120.0
LOOP_LAG_BOUND_SECONDS = 5.0


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


def stalls(board: MappingBoard, vitals: Vitals, now: float) -> Iterator[Problem]:
    """What makes the process not live: something that should have happened by now has not.

    A source that is paused, disabled, empty, throttled or denied is no stall: waiting is what it should do.
    """
    if vitals.state in (MappingState.PAUSED, MappingState.DISABLED, MappingState.STOPPED, MappingState.BACKING_OFF):
        return
    name = vitals.name
    oldest = board.oldest_flight(now)
    if oldest is not None and oldest > vitals.timeout_seconds + INVOCATION_SLACK_SECONDS:
        yield Problem(
            name, f"a batch has been with the function for {age(oldest)}, its timeout is {age(vitals.timeout_seconds)}"
        )
    if vitals.state is MappingState.STARTING and now - vitals.since > STARTING_BOUND_SECONDS:
        yield Problem(name, f"has been starting for {age(now - vitals.since)}")
    if vitals.state is MappingState.STOPPING and now - vitals.since > vitals.grace_seconds + STARTING_BOUND_SECONDS:
        yield Problem(name, f"has been stopping for {age(now - vitals.since)}")
    if vitals.state is MappingState.RUNNING:
        yield from _poll_stalls(board, vitals, now)


def _poll_stalls(board: MappingBoard, vitals: Vitals, now: float) -> Iterator[Problem]:
    if not board.tasks and not board.polls and now - vitals.since > POLL_BOUND_SECONDS:
        yield Problem(vitals.name, f"no poll has come back since it started {age(now - vitals.since)} ago")
    for task in board.tasks.values():
        overdue = _overdue(board, task, now)
        if overdue is not None:
            yield Problem(vitals.name, overdue)


def _overdue(board: MappingBoard, task: Task, now: float) -> str | None:
    state, since = task.doing.state, task.since
    if state is State.POLLING:
        last = max(since, board.polls.get(task.doing.task, board.polls.get("", since)))
        if now - last > POLL_BOUND_SECONDS:
            return f"no poll of {_place(task)} has come back for {age(now - last)}"
    if state is State.STARTING and now - since > STARTING_BOUND_SECONDS:
        return f"{_place(task)} has been starting for {age(now - since)}"
    if state is State.BACKING_OFF and now - since > (task.doing.until_seconds or 0.0) + POLL_BOUND_SECONDS:
        return (
            f"{_place(task)} should have ended its back-off {age(now - since - (task.doing.until_seconds or 0.0))} ago"
        )
    return None


def _place(task: Task) -> str:
    return "the queue" if task.doing.task in ("receive", "") else task.doing.task


def unready(board: MappingBoard, vitals: Vitals) -> Iterator[Problem]:
    """What makes the process not ready although it is live: a mapping that is not polling yet, or cannot."""
    if vitals.state is MappingState.BACKING_OFF:
        yield Problem(vitals.name, f"cannot run: {vitals.problem}")
    elif vitals.state is MappingState.STARTING:
        yield Problem(vitals.name, "is starting")
    elif vitals.state is MappingState.STOPPING:
        yield Problem(vitals.name, "is stopping")
    elif vitals.state is MappingState.RUNNING and not board.polls and not board.tasks:
        yield Problem(vitals.name, "has not polled yet")
