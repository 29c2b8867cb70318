"""The stream engine: reads a mapping's stream, shard by shard, until told to stop (docs/design, decisions 4, 8 and 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import AwsError
from pollers.engine.failures import Failures
from pollers.engine.stop import Stop
from pollers.sources.streams.checkpointing import CheckpointWriter
from pollers.sources.streams.context import RecordMatcher, StreamContext
from pollers.sources.streams.discovery import Discovery
from pollers.sources.streams.opening import OpenStream, Patience, open_stream
from pollers.sources.streams.pacing import ReadAhead
from pollers.sources.streams.shard_supervisor import Shards
from pollers.telemetry.facts import Doing, ShardSeen, State, WriteRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from config.models import StreamMapping
    from pollers.checkpoints.store import CheckpointStore
    from pollers.destinations import Destination
    from pollers.engine.poller import Surroundings
    from pollers.sources.streams.ending import Sight
    from pollers.sources.streams.source import StreamSource

READ_AHEAD_RECORDS = 20_000
READ_AHEAD_BYTES = 32 * 1024 * 1024
"""What all shards of a mapping hold together (see ReadAhead); more records where full batches need them."""
WRITER_TASK = "checkpoints"


class StreamPoller:
    """Brings a stream's records to a function, in order and at least once; implements ``pollers.engine.poller.Poller``."""

    def __init__(
        self,
        mapping: StreamMapping,
        source: StreamSource,
        store: CheckpointStore,
        destination: Destination | None,
        surroundings: Surroundings,
        record_filter: RecordMatcher | None = None,
    ) -> None:
        self._mapping = mapping
        self._source = source
        self._store = store
        self._destination = destination
        self._surroundings = surroundings
        self._record_filter = record_filter
        self._stopping = Stop()
        self._discovery: Discovery | None = None
        self._shards: Shards | None = None
        self._failures = Failures()

    def held(self) -> int:
        """See ``Poller.held``."""
        return 0 if self._shards is None else self._shards.held

    def running(self) -> int:
        """See ``Poller.running``."""
        return 0 if self._shards is None else self._shards.invoking

    async def caught_up(self) -> bool:
        """See ``Poller.caught_up``: a fresh listing shows no new shard, and every shard has ended or is read to its tip."""
        if self._shards is None or self._discovery is None or self._stopping.requested:
            return False
        try:
            new = await self._discovery.look()
        except AwsError:
            return False
        await self._shards.start_readable()
        return not new and self._shards.at_tips

    async def run(self) -> None:
        """See ``Poller.run``."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_stop)
            tasks.start_soon(self._watch_hurry)
            await self._guarded(lambda: self._poll(tasks))
            tasks.cancel_scope.cancel()
        self._failures.raise_found()

    async def _poll(self, tasks: TaskGroup) -> None:
        patience = Patience(self._source, self._surroundings, self._stopping)
        stream = await open_stream(self._mapping, self._store, self._destination, patience)
        if stream is not None:
            await self._read(stream, tasks)

    async def _read(self, stream: OpenStream, tasks: TaskGroup) -> None:
        """Read until stopped, then acknowledge what is done and hand back the rest."""
        context = self._context(stream)
        self._discovery = discovery = Discovery(context, stream.checkpoints, self._stopping, self._start_readable)
        for shard_id, kept in (await stream.checkpoints.load()).items():
            discovery.lineage.restore(shard_id, kept.parents, ended=kept.ended)
            self._surroundings.facts.emit(ShardSeen(shard_id, kept.parents, kept.ended))
        self._shards = shards = Shards(context, stream.checkpoints, discovery, tasks, stream.tips, self._fail)
        if self._stopping.requested:
            shards.stop()
        tasks.start_soon(self._guarded, context.writer.run)
        tasks.start_soon(self._guarded, discovery.run)
        await shards.stopped.wait()
        await shards.hand_back()

    def _context(self, stream: OpenStream) -> StreamContext:
        wanted = 2 * self._mapping.batch_size * self._mapping.parallelization_factor
        writer = CheckpointWriter(
            stream.checkpoints,
            self._stopping,
            self._surroundings.random,
            self._report_store,
            self._store.least_interval_seconds,
        )
        return StreamContext(
            mapping=self._mapping,
            source=self._source,
            destination=self._destination,
            record_filter=self._record_filter,
            surroundings=self._surroundings,
            stream=stream.description,
            writer=writer,
            read_ahead=ReadAhead(max(READ_AHEAD_RECORDS, wanted), READ_AHEAD_BYTES),
            fail=self._fail,
            sight=self._sight,
        )

    async def _sight(self, shard_id: str) -> Sight:
        if self._discovery is None:
            raise RuntimeError("shards are read before they are listed")
        return await self._discovery.sight(shard_id)

    async def _start_readable(self) -> None:
        if self._shards is not None:
            await self._shards.start_readable()

    def _report_store(self, problem: str | None, retry_seconds: float | None) -> None:
        state = State.ENDED if problem is None else State.BACKING_OFF
        self._surroundings.facts.emit(Doing(WRITER_TASK, state, problem or "", retry_seconds))
        self._surroundings.facts.emit(WriteRefused(problem or ""))

    # -- stopping and failing --------------------------------------------------------------------------------------------

    async def _watch_stop(self) -> None:
        await self._surroundings.stop.until_requested()
        self._stop()

    async def _watch_hurry(self) -> None:
        await self._surroundings.stop.until_hurried()
        self._stopping.hurry()
        if self._shards is not None:
            self._shards.hurry()

    def _stop(self) -> None:
        self._stopping.request()
        if self._shards is not None:
            self._shards.stop()

    async def _guarded(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part whose failure ends the poller in order, with everything acknowledged that is done."""
        try:
            await run()
        except Exception as failure:
            self._fail(failure)

    def _fail(self, failure: Exception) -> None:
        self._failures.add(failure)
        self._stop()
