"""What each mapping is doing now and has just done, folded from its facts; read by health, the console and ``headrace status``.

Everything is bounded, whatever happens: shards by the stream's own listing, tasks and batches by concurrency, the rest by rings.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from pollers.clock import Clock, SystemClock
from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    Depth,
    DestinationFailed,
    Discarded,
    Doing,
    Expired,
    Invoked,
    Invoking,
    Polled,
    PollFailed,
    Received,
    Returned,
    ShardEnded,
    ShardSeen,
    State,
)
from pollers.telemetry.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pollers.telemetry.facts import Fact

FAILURES_KEPT = 20
IDS_KEPT = 10
ENDED_SHARDS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Task:
    """What a task does, since when (monotonic)."""

    doing: Doing
    since: float


@dataclass(frozen=True, slots=True)
class Flight:
    """A batch that is with the function."""

    source: str
    count: int
    attempt: int
    since: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed invocation. ``at`` is seconds since the epoch; ``payload`` the start of the batch's first record."""

    at: float
    request_id: str
    outcome: str
    error: str
    count: int
    ids: Sequence[str]
    payload: bytes


@dataclass(slots=True)
class Shard:
    """One shard as far as it is known."""

    parents: Sequence[str] = ()
    ended: bool = False
    behind: float | None = None


@dataclass(slots=True)
class MappingBoard:
    """One mapping's part of the board. Times are monotonic seconds."""

    tasks: dict[str, Task] = field(default_factory=dict)
    polls: dict[str, float] = field(default_factory=dict)
    poll_failures: dict[str, PollFailed] = field(default_factory=dict)
    flights: dict[str, Flight] = field(default_factory=dict)
    shards: dict[str, Shard] = field(default_factory=dict)
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=FAILURES_KEPT))
    series: Series = field(default_factory=Series)
    depth: Depth | None = None
    destination: DestinationFailed | None = None
    held: int = 0

    @property
    def iterator_age(self) -> float | None:
        """How far behind its tip the shard furthest behind is, in seconds."""
        known = [shard.behind for shard in self.shards.values() if shard.behind is not None and not shard.ended]
        return max(known) if known else None

    def oldest_flight(self, now: float) -> float | None:
        """For how long the oldest batch has been with the function, in seconds."""
        return now - min(flight.since for flight in self.flights.values()) if self.flights else None


class Board:
    """The sink. ``now`` gives monotonic seconds."""

    def __init__(self, clock: Clock | None = None, now: Callable[[], float] = anyio.current_time) -> None:
        self.mappings: dict[str, MappingBoard] = {}
        self._clock = clock or SystemClock()
        self._now = now

    def of(self, mapping: str) -> MappingBoard:
        """The mapping's part, made at the first asking."""
        board = self.mappings.get(mapping)
        if board is None:
            board = self.mappings[mapping] = MappingBoard()
        return board

    def forget(self, mapping: str) -> None:
        """Drop a mapping that was removed."""
        self.mappings.pop(mapping, None)

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Fold one fact in."""
        enter = _ENTRIES.get(type(fact))
        if enter is not None:
            enter(self, self.of(mapping), fact, self._now())

    def _polled(self, board: MappingBoard, fact: Polled, now: float) -> None:
        board.polls[fact.source] = now
        board.poll_failures.pop(fact.source, None)
        if fact.behind_seconds is not None:
            board.shards.setdefault(fact.source, Shard()).behind = fact.behind_seconds
            board.series.current(now).age = board.iterator_age

    def _poll_failed(self, board: MappingBoard, fact: PollFailed, now: float) -> None:
        board.polls[fact.source] = now
        board.poll_failures[fact.source] = fact

    def _received(self, board: MappingBoard, fact: Received, now: float) -> None:
        bucket = board.series.current(now)
        bucket.received += len(fact.ids)
        self._hold(board, len(fact.ids), now)

    def _hold(self, board: MappingBoard, change: int, now: float) -> None:
        board.held += change
        board.series.current(now).in_flight = board.held

    def _invoking(self, board: MappingBoard, fact: Invoking, now: float) -> None:
        board.flights[fact.request_id] = Flight(fact.source, len(fact.ids), fact.attempt, now)

    def _invoked(self, board: MappingBoard, fact: Invoked, now: float) -> None:
        board.flights.pop(fact.request_id, None)
        bucket = board.series.current(now)
        bucket.add_duration(fact.duration_seconds)
        if fact.outcome == "success":
            return
        failed = fact.failed_ids or fact.ids
        bucket.failed += len(failed)
        board.failures.append(
            Failure(
                self._clock.time(),
                fact.request_id,
                fact.outcome,
                fact.error or "",
                len(failed),
                tuple(failed[:IDS_KEPT]),
                fact.first_payload,
            )
        )

    def _done(self, board: MappingBoard, fact: Deleted | Discarded, now: float) -> None:
        board.series.current(now).done += len(fact.ids)
        self._hold(board, -len(fact.ids), now)

    def _checkpointed(self, board: MappingBoard, fact: Checkpointed, now: float) -> None:
        board.series.current(now).done += fact.count
        self._hold(board, -fact.count, now)

    def _given_up(self, board: MappingBoard, fact: Returned | Expired, now: float) -> None:
        self._hold(board, -len(fact.ids), now)

    def _depth(self, board: MappingBoard, fact: Depth, now: float) -> None:
        board.depth = fact
        board.series.current(now).depth = fact.visible

    def _shard_seen(self, board: MappingBoard, fact: ShardSeen, now: float) -> None:
        board.shards.setdefault(fact.source, Shard()).parents = tuple(fact.parents)

    def _shard_ended(self, board: MappingBoard, fact: ShardEnded, now: float) -> None:
        shard = board.shards.setdefault(fact.source, Shard())
        shard.ended, shard.behind = True, None
        board.polls.pop(fact.source, None)
        board.poll_failures.pop(fact.source, None)
        ended = [name for name, shard in board.shards.items() if shard.ended]
        for name in ended[:-ENDED_SHARDS_KEPT]:
            del board.shards[name]

    def _destination_failed(self, board: MappingBoard, fact: DestinationFailed, now: float) -> None:
        board.destination = fact

    def _doing(self, board: MappingBoard, fact: Doing, now: float) -> None:
        if fact.state is State.ENDED:
            board.tasks.pop(fact.task, None)
            return
        before = board.tasks.get(fact.task)
        since = before.since if before is not None and before.doing.state is fact.state else now
        if fact.until_seconds is not None:
            since = now
        board.tasks[fact.task] = Task(fact, since)


_ENTRIES: dict[type, Callable[..., None]] = {
    Polled: Board._polled,
    PollFailed: Board._poll_failed,
    Received: Board._received,
    Invoking: Board._invoking,
    Invoked: Board._invoked,
    Deleted: Board._done,
    Discarded: Board._done,
    Checkpointed: Board._checkpointed,
    Returned: Board._given_up,
    Expired: Board._given_up,
    Depth: Board._depth,
    ShardSeen: Board._shard_seen,
    ShardEnded: Board._shard_ended,
    DestinationFailed: Board._destination_failed,
    Doing: Board._doing,
}
