"""Keeps the list of a stream's shards: at the start, now and then, and soon after a shard ended without naming children."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AccessDenied, AwsError, NotFound
from pollers.engine.backoff import Backoff
from pollers.sources.streams.ending import Sight
from pollers.sources.streams.lineage import Lineage
from pollers.sources.streams.opening import refuse
from pollers.storage.errors import StoreUnwritable
from pollers.telemetry.facts import OPENING_TASK, EndRevoked, Listed, PollFailed, ShardSeen, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pollers.aws.api import ShardListing
    from pollers.checkpoints.store import MappingCheckpoints, ShardCheckpoint
    from pollers.engine.poller import Surroundings
    from pollers.engine.stop import Stop
    from pollers.sources.streams.current_stream import CurrentStream
    from pollers.sources.streams.task_reports import TaskReports

log = structlog.stdlib.get_logger(__name__)

INTERVAL_SECONDS = 30.0
"""How often shards are listed when nothing is expected."""
DESCRIBED_SECONDS = 300.0
"""How often the stream itself is asked about: whether it is still the same one, and for how long it keeps records."""
SOON_SECONDS = 1.0
"""The first wait after something is expected; it doubles up to the interval."""


class Discovery:
    """The stream's shards and their lineage."""

    def __init__(
        self,
        stream: CurrentStream,
        checkpoints: MappingCheckpoints,
        surroundings: Surroundings,
        stop: Stop,
        reports: TaskReports,
    ) -> None:
        self.lineage = Lineage()
        self._stream = stream
        self._checkpoints = checkpoints
        self._surroundings = surroundings
        self._stop = stop
        self._reports = reports
        self._looking = anyio.Lock()
        self._looked_at = -math.inf
        self._described = anyio.current_time()
        self._expected = anyio.Event()
        self._soon = SOON_SECONDS
        self._backoff = Backoff(surroundings.random, initial=0.5, maximum=20.0)

    async def run(self, found: Callable[[], Awaitable[None]]) -> None:
        """List, and go on listing until stopped; ``found`` is awaited after each listing, to start what may be read now.

        Raises SourceUnusable.
        """
        while not self._stop.requested:
            wait = INTERVAL_SECONDS
            try:
                with self._stop.waiting():
                    await self._confirm()
                    await self.look()
            except AwsError as error:
                wait = await self._failed(error)
            await found()
            await self._rest(wait * self._surroundings.random.uniform(0.8, 1.0))

    async def _confirm(self) -> None:
        now = anyio.current_time()
        if now >= self._described + DESCRIBED_SECONDS:
            await self._stream.confirm()
            self._described = now

    async def _rest(self, seconds: float) -> None:
        if self._expected.is_set() and self._soon < INTERVAL_SECONDS:
            seconds = min(seconds, self._soon)
            self._soon *= 2
        elif self._expected.is_set():
            self._expected, self._soon = anyio.Event(), SOON_SECONDS
        with self._stop.waiting(), anyio.move_on_after(seconds):
            if self._expected.is_set():
                await anyio.sleep(seconds)
            await self._expected.wait()

    def expect(self) -> None:
        """Shards are about to appear: list more often for a while."""
        self._soon = SOON_SECONDS
        self._expected.set()

    def expect_once(self) -> None:
        """The same, unless that has begun already."""
        if not self._expected.is_set():
            self.expect()

    async def sight(self, shard_id: str) -> Sight:
        """What the stream's listing says of a shard: an earlier one, where that shows it closed. Raises AwsError."""
        if self.lineage.sight(shard_id) is not Sight.CLOSED and await self.look(since=anyio.current_time()):
            self.expect()
        return self.lineage.sight(shard_id)

    async def look(self, *, since: float = math.inf) -> list[str]:
        """List once; returns the shards that are new. Raises AwsError.

        A listing that was begun at the monotonic time ``since`` or later by somebody else serves as well: shards end in crowds.
        """
        async with self._looking:  # two listings at a time could be taken in the wrong order
            if self._looked_at >= since:
                return []
            begun = anyio.current_time()
            listing = await self._stream.source.shards()
            self._looked_at = begun
            self._backoff.reset()
            self._reports.doing(OPENING_TASK, State.ENDED)
            new = self.lineage.listing(listing, anyio.current_time())
            self._report_seen(new)
            if self.lineage.suspects():
                self.expect_once()
            self._surroundings.facts.emit(Listed(len(listing)))
            gone = self.lineage.gone()
            if gone:
                await self._forget(gone)
            return new

    def learn(self, kept: Mapping[str, ShardCheckpoint]) -> None:
        """What other owners have written: shards that they found first, and ends. What is worked on here is left alone."""
        for shard_id, checkpoint in kept.items():
            if shard_id not in self.lineage:
                self.lineage.restore(shard_id, checkpoint.parents, ended=checkpoint.ended)
            elif not (checkpoint.ended and self.lineage.ended_elsewhere(shard_id)):
                continue
            self._surroundings.facts.emit(ShardSeen(shard_id, checkpoint.parents, checkpoint.ended))
            self._reports.doing(shard_id, State.ENDED)

    def unlearn(self, kept: Mapping[str, ShardCheckpoint]) -> None:
        """Ends that other owners have taken back: what they share says of these shards that they have not ended."""
        for shard_id, checkpoint in kept.items():
            if not checkpoint.ended and shard_id in self.lineage and self.lineage.life(shard_id).ended:
                self.lineage.reopened(shard_id)
                self._surroundings.facts.emit(EndRevoked(shard_id))

    def announce(self, children: Iterable[ShardListing]) -> None:
        """A parent named its children at its end."""
        children = list(children)
        self._report_seen(self.lineage.announce(children))
        if not all(parent in self.lineage for child in children for parent in child.parent_ids):
            self.expect()

    def _report_seen(self, shard_ids: Iterable[str]) -> None:
        for shard_id in shard_ids:
            self._surroundings.facts.emit(ShardSeen(shard_id, self.lineage.parents(shard_id)))

    async def _forget(self, gone: list[str]) -> None:
        try:
            await self._checkpoints.forget(gone)
        except StoreUnwritable as error:
            log.warning("checkpoints of shards that have gone could not be dropped", error=str(error))
        else:
            self.lineage.forget(gone)

    async def _failed(self, error: AwsError) -> float:
        """Report it; returns the seconds to wait. Raises SourceUnusable for what does not pass by waiting."""
        if isinstance(error, NotFound | AccessDenied):
            refuse(self._stream.source, error)
        wait = self._backoff.next()
        self._surroundings.facts.emit(PollFailed(OPENING_TASK, str(error), wait))
        self._reports.doing(OPENING_TASK, State.BACKING_OFF, str(error), wait)
        return wait
