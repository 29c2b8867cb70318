"""The board: what each mapping is doing now and has just done, folded from its facts for health, the console and the gauges.

Everything is bounded: shards by the stream's own listing, tasks and batches by concurrency, the rest by rings.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pollers.clocks.clock import Clock, SystemClock, loop_time
from pollers.telemetry.facts import (
    MAPPING_TASK,
    Checkpointed,
    Deleted,
    Depth,
    Discarded,
    Doing,
    EndDoubted,
    EndRevoked,
    Expired,
    Filtered,
    Invoked,
    Invoking,
    Listed,
    Outcome,
    Polled,
    PollFailed,
    Received,
    Removed,
    Returned,
    ShardEnded,
    ShardSeen,
    State,
    WriteRefused,
)
from pollers.telemetry.mapping_board import Failure, Flight, MappingBoard, Shard, Task, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.telemetry.facts import Fact
    from pollers.telemetry.sinks import Routes

IDS_KEPT = 10
ENDED_SHARDS_KEPT = 64


class Board:
    """The sink. ``now`` gives monotonic seconds."""

    def __init__(self, clock: Clock | None = None, now: Callable[[], float] = loop_time) -> None:
        self.mappings: dict[str, MappingBoard] = {}
        self._clock = clock or SystemClock()
        self._now = now

    def of(self, mapping: str) -> MappingBoard:
        """The mapping's part of the board, made at the first call."""
        board = self.mappings.get(mapping)
        if board is None:
            board = self.mappings[mapping] = MappingBoard()
        return board

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.sinks.RoutedSink`."""
        board = self.of(mapping)
        routes: dict[type, Callable[[Fact], None]] = {
            kind: partial(enter, self, board) for kind, enter in _ENTRIES.items()
        }
        routes[Removed] = lambda _: self.forget(mapping)
        return routes

    def forget(self, mapping: str) -> None:
        """Drop a mapping that was removed."""
        self.mappings.pop(mapping, None)

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Enter one fact."""
        if isinstance(fact, Removed):
            self.forget(mapping)
            return
        enter = _ENTRIES.get(type(fact))
        if enter is not None:
            enter(self, self.of(mapping), fact)

    def _polled(self, board: MappingBoard, fact: Polled) -> None:
        now = self._now()
        board.polls[fact.source] = now
        board.polled = True
        shard = board.shards.get(fact.source)
        if shard is None and fact.behind_seconds is not None:
            shard = board.shards[fact.source] = Shard()
        if shard is not None:
            shard.behind, shard.read_at, shard.idle = fact.behind_seconds, now, not fact.count
            if shard.idle and not shard.behind:
                shard.revoked = None

    def _poll_failed(self, board: MappingBoard, fact: PollFailed) -> None:
        board.polls[fact.source] = board.reported = self._now()

    def _listed(self, board: MappingBoard, fact: Listed) -> None:
        board.listed = board.reported = self._now()
        board.polled = board.polled or all(shard.ended or shard.elsewhere for shard in board.shards.values())

    def _received(self, board: MappingBoard, fact: Received) -> None:
        count = len(fact.ids)
        bucket = board.series.current(self._now())
        bucket.received += count
        board.held += count

    def _invoking(self, board: MappingBoard, fact: Invoking) -> None:
        now = self._now()
        board.flights[fact.request_id] = Flight(fact.source, len(fact.ids), fact.attempt, now)
        if fact.iterator_age_seconds is not None:
            board.batch_age, board.batch_age_at = fact.iterator_age_seconds, now
            shard = board.shards.get(fact.source)
            if shard is not None:
                shard.batch_age, shard.batch_at = fact.iterator_age_seconds, now

    def _invoked(self, board: MappingBoard, fact: Invoked) -> None:
        board.flights.pop(fact.request_id, None)
        now = self._now()
        board.series.current(now).add_duration(fact.duration_seconds)
        board.pace.add(now, _accepted(fact), fact.duration_seconds)
        if fact.outcome is not Outcome.THROTTLE:
            board.result = fact.outcome
        if fact.outcome not in (Outcome.SUCCESS, Outcome.THROTTLE):
            self._failed(board, fact)

    def _failed(self, board: MappingBoard, fact: Invoked) -> None:
        failed = fact.failed_ids or fact.ids
        board.series.current(self._now()).failed += len(failed)
        board.failures.append(
            Failure(
                self._clock.time(),
                fact.request_id,
                fact.outcome,
                shortened(fact.error or ""),
                len(failed),
                tuple(failed[:IDS_KEPT]),
                fact.first_payload,
            )
        )

    def _filtered(self, board: MappingBoard, fact: Filtered) -> None:
        board.pace.add(self._now(), len(fact.ids), 0.0)

    def _done(self, board: MappingBoard, fact: Deleted | Discarded) -> None:
        count = len(fact.ids)
        board.series.current(self._now()).done += count
        board.held -= count

    def _checkpointed(self, board: MappingBoard, fact: Checkpointed) -> None:
        board.series.current(self._now()).done += fact.count
        board.held -= fact.count

    def _write_refused(self, board: MappingBoard, fact: WriteRefused) -> None:
        since = self._now() if board.refused is None else board.refused[0]
        board.refused = (since, shortened(fact.error)) if fact.error else None

    def _given_up(self, board: MappingBoard, fact: Returned | Expired) -> None:
        board.held -= len(fact.ids)

    def _depth(self, board: MappingBoard, fact: Depth) -> None:
        board.depth = fact
        if fact.visible <= 0:
            board.ready_since = None
        elif board.ready_since is None:
            board.ready_since = self._now()

    def _shard_seen(self, board: MappingBoard, fact: ShardSeen) -> None:
        shard = board.shards.setdefault(fact.source, Shard())
        shard.parents = tuple(fact.parents)
        if fact.ended:
            self._end(board, shard)

    def _shard_ended(self, board: MappingBoard, fact: ShardEnded) -> None:
        self._end(board, board.shards.setdefault(fact.source, Shard()))
        board.polls.pop(fact.source, None)

    def _end_doubted(self, board: MappingBoard, fact: EndDoubted) -> None:
        shard = board.shards.setdefault(fact.source, Shard())
        if not fact.why:
            shard.doubted = None
        elif shard.doubted is None:
            shard.doubted = self._now()

    def _end_revoked(self, board: MappingBoard, fact: EndRevoked) -> None:
        shard = board.shards.setdefault(fact.source, Shard())
        shard.ended, shard.revoked = False, self._now()

    def _end(self, board: MappingBoard, shard: Shard) -> None:
        shard.ended, shard.behind, shard.doubted, shard.revoked = True, None, None, None
        ended = [name for name, shard in board.shards.items() if shard.ended]
        for name in ended[:-ENDED_SHARDS_KEPT]:
            del board.shards[name]

    def _doing(self, board: MappingBoard, fact: Doing) -> None:
        now = self._now()
        if fact.task == MAPPING_TASK:
            if fact.state is State.STARTING:
                board.restart()
        else:
            board.reported = now
        shard = board.shards.get(fact.task)
        if shard is not None:
            shard.elsewhere = fact.state is State.READ_ELSEWHERE
            if shard.elsewhere or fact.state is State.ENDED:
                # Its reader is done, or somebody else reads it now: how far behind it is, this process does not know any more.
                shard.behind = None
        if fact.state is State.ENDED:
            board.tasks.pop(fact.task, None)
            return
        before = board.tasks.get(fact.task)
        since = before.since if before is not None and before.doing.state is fact.state else now
        if fact.until_seconds is not None:
            since = now
        board.tasks[fact.task] = Task(fact, since)


def _accepted(fact: Invoked) -> int:
    """How many of the batch's events are done by this invocation."""
    match fact.outcome:
        case Outcome.SUCCESS:
            return len(fact.ids)
        case Outcome.PARTIAL:
            return len(fact.ids) - len(fact.failed_ids)
        case _:
            return 0


_ENTRIES: dict[type, Callable[..., None]] = {
    Polled: Board._polled,
    PollFailed: Board._poll_failed,
    Listed: Board._listed,
    Received: Board._received,
    Filtered: Board._filtered,
    Invoking: Board._invoking,
    Invoked: Board._invoked,
    Deleted: Board._done,
    Discarded: Board._done,
    Checkpointed: Board._checkpointed,
    WriteRefused: Board._write_refused,
    Returned: Board._given_up,
    Expired: Board._given_up,
    Depth: Board._depth,
    ShardSeen: Board._shard_seen,
    ShardEnded: Board._shard_ended,
    EndDoubted: Board._end_doubted,
    EndRevoked: Board._end_revoked,
    Doing: Board._doing,
}
