"""One mapping's part of the board: its tasks, batches, shards and last failures. Plain state, which :mod:`board` fills."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pollers.telemetry.pace import Pace
from pollers.telemetry.series import Sample, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.telemetry.facts import Depth, Doing, Outcome

FAILURES_KEPT = 20
ERROR_KEPT = 500
"""Characters of an error that are shown: a function may raise megabytes."""
BATCH_AGE_SECONDS = 30.0


@dataclass(slots=True)
class Task:
    """What a task does, and since when (monotonic seconds)."""

    doing: Doing
    since: float


@dataclass(slots=True)
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
    outcome: Outcome
    error: str
    count: int
    ids: Sequence[str]
    payload: bytes


@dataclass(slots=True)
class Shard:
    """One shard as far as it is known. ``idle``: its last poll brought nothing. Times are monotonic seconds.

    ``doubted``: since when replies have said that it has ended while nothing confirms it; ``revoked``: since when it is read
    again, because its checkpoint called it ended and the stream lists it as open (until it has been read to its tip).
    ``behind`` is as of ``read_at``; None, too, for a shard that is not read here. ``batch_age``: how old the last record of its
    newest batch was when it was invoked, at ``batch_at``. ``elsewhere``: another replica reads it, whose lag it is.
    """

    parents: Sequence[str] = ()
    ended: bool = False
    behind: float | None = None
    read_at: float = -math.inf
    batch_age: float = 0.0
    batch_at: float = -math.inf
    idle: bool = False
    doubted: float | None = None
    revoked: float | None = None
    elsewhere: bool = False


@dataclass(slots=True)
class MappingBoard:
    """One mapping's part of the board. Times are monotonic seconds.

    ``polls``: when each source was last polled, also without success. ``polled``: whether any poll has succeeded since the
    poller started. ``listed``: when the stream's shards were last listed, or that was last tried. ``reported``: when the poller
    last reported what it does. ``result``: how the last batch went that was not throttled.
    ``refused``: since when the checkpoint store does not write, and why. ``ready_since``: since when the queue's samples have had
    messages that are ready; None when the last one had none.
    """

    tasks: dict[str, Task] = field(default_factory=dict)
    polls: dict[str, float] = field(default_factory=dict)
    polled: bool = False
    listed: float | None = None
    reported: float | None = None
    refused: tuple[float, str] | None = None
    flights: dict[str, Flight] = field(default_factory=dict)
    shards: dict[str, Shard] = field(default_factory=dict)
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=FAILURES_KEPT))
    depth: Depth | None = None
    ready_since: float | None = None
    pace: Pace = field(default_factory=Pace)
    result: Outcome | None = None
    held: int = 0
    batch_age: float = 0.0
    batch_age_at: float = -math.inf
    series: Series = field(init=False)

    def __post_init__(self) -> None:
        self.series = Series(self._sample)

    def _sample(self, now: float) -> Sample:
        return Sample(self.held, self.depth.visible if self.depth is not None else None, self.iterator_age(now))

    def iterator_age(self, now: float) -> float | None:
        """How far behind its tip the shard furthest behind is that is read here, in seconds; None for queues, and while nothing is
        known.

        DynamoDB does not report that. The age of the last record of a recent batch is used in its place while there is anything to
        read.
        """
        unfinished = [shard for shard in self.shards.values() if not (shard.ended or shard.elsewhere)]
        known = max((shard.behind for shard in unfinished if shard.behind is not None), default=None)
        if known is not None or not self.polled or not unfinished:
            return known
        if all(shard.idle for shard in unfinished) and not self.flights:
            return 0.0
        return self.batch_age if now - self.batch_age_at < BATCH_AGE_SECONDS else 0.0

    def oldest_flight(self, now: float) -> float | None:
        """For how long the oldest batch has been with the function, in seconds."""
        return now - min(flight.since for flight in self.flights.values()) if self.flights else None

    def restart(self) -> None:
        """Forget what the last poller was doing: a new one starts, and the last one may have ended without reporting it."""
        self.tasks.clear()
        self.polls.clear()
        self.flights.clear()
        self.shards.clear()
        self.polled, self.listed, self.reported, self.refused = False, None, None, None


def shortened(text: str) -> str:
    """A text, cut to :data:`ERROR_KEPT` characters."""
    return text if len(text) <= ERROR_KEPT else f"{text[:ERROR_KEPT]}... ({len(text):,} characters)"
