"""The stream engine: reads a mapping's stream, shard by shard, until told to stop (docs/design, decisions 4, 8 and 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from handlers.errors import FunctionUnusable
from handlers.function import Provable
from pollers.aws.errors import AwsError
from pollers.engine.failures import CollectedFailures
from pollers.sources.streams.checkpointing import CheckpointWriter
from pollers.sources.streams.closing import close_source
from pollers.sources.streams.context import StreamContext
from pollers.sources.streams.current_stream import CurrentStream
from pollers.sources.streams.discarding import Discarder
from pollers.sources.streams.discovery import Discovery
from pollers.sources.streams.opening import OpenStream, Patience, open_stream
from pollers.sources.streams.pacing import ReadAhead
from pollers.sources.streams.shard_supervisor import ShardSupervisor
from pollers.sources.streams.task_reports import TaskReports
from pollers.telemetry.facts import Doing, ShardSeen, State, WriteRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from config.models import StreamMapping
    from pollers.checkpoints.store import CheckpointStore, MappingCheckpoints
    from pollers.destinations import BatchDestination
    from pollers.engine.poller import Surroundings
    from pollers.sources.streams.intake import RecordMatcher
    from pollers.sources.streams.source import StreamSource

log = structlog.stdlib.get_logger(__name__)

READ_AHEAD_RECORDS = 20_000
READ_AHEAD_BYTES = 32 * 1024 * 1024
"""What all shards of a mapping hold together (see ReadAhead); more records where full batches need them."""
WARM_SECONDS = 10.0
"""How long a first worker is waited for: what Lambda gives a function to initialise."""
WRITER_TASK = "checkpoints"
KEEPER_TASK = "leases"


class StreamPoller:
    """Brings a stream's records to a function, in order and at least once; implements ``pollers.engine.poller.Poller``."""

    def __init__(
        self,
        mapping: StreamMapping,
        source: StreamSource,
        store: CheckpointStore,
        destination: BatchDestination | None,
        surroundings: Surroundings,
        record_filter: RecordMatcher | None = None,
    ) -> None:
        self._mapping = mapping
        self._source = source
        self._store = store
        self._destination = destination
        self._surroundings = surroundings
        self._record_filter = record_filter
        self._stop = surroundings.stop.child()
        self._discovery: Discovery | None = None
        self._shards: ShardSupervisor | None = None
        self._failures = CollectedFailures()
        self._refusals: dict[str, str | None] = {}

    def held(self) -> int:
        """See ``Poller.held``."""
        return 0 if self._shards is None else self._shards.held

    def running(self) -> int:
        """See ``Poller.running``."""
        return 0 if self._shards is None else self._shards.invoking

    async def caught_up(self) -> bool:
        """See ``Poller.caught_up``: a fresh listing shows no new shard, and every shard has ended or is read to its tip."""
        if self._shards is None or self._discovery is None or self._stop.requested:
            return False
        try:
            new = await self._discovery.look()
        except AwsError:
            return False
        await self._shards.start_readable()
        return not new and self._shards.caught_up

    async def run(self) -> None:
        """See ``Poller.run``."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch_stop)
                await self._guarded(lambda: self._poll(tasks))
                tasks.cancel_scope.cancel()
        finally:
            await close_source(self._source)
        self._failures.raise_found()

    async def _poll(self, tasks: TaskGroup) -> None:
        patience = Patience(self._source, self._surroundings, self._stop)
        opened = await open_stream(self._mapping, self._store, self._destination, patience)
        if opened is not None:
            await self._read(opened, tasks)

    async def _read(self, opened: OpenStream, tasks: TaskGroup) -> None:
        """Read until stopped, then acknowledge what is done and hand back the rest."""
        surroundings, stop = self._surroundings, self._stop
        reports = TaskReports(surroundings.facts)
        stream = CurrentStream(self._source, opened.description, surroundings.clock)
        self._discovery = discovery = Discovery(stream, opened.checkpoints, surroundings, stop, reports)
        for shard_id, kept in (await opened.checkpoints.load()).items():
            discovery.lineage.restore(shard_id, kept.parents, ended=kept.ended)
            surroundings.facts.emit(ShardSeen(shard_id, kept.parents, kept.ended))
        writer = self._writer(opened.checkpoints)
        context = self._context(stream, reports, opened)
        self._shards = shards = ShardSupervisor(context, writer, discovery, opened, tasks, stop, self._fail)
        if opened.shared:
            await self._warm()
        if stop.requested:
            shards.stop()
        tasks.start_soon(self._guarded, writer.run)
        # Leases are kept until the last shard is released: invocations may run on for long after a stop has begun.
        tasks.start_soon(self._guarded, lambda: opened.checkpoints.keep(shards.others_changed, self._report_leases))
        tasks.start_soon(self._guarded, lambda: discovery.run(shards.start_readable))
        await shards.finish()
        await opened.checkpoints.depart()

    async def _warm(self) -> None:
        """Start a worker before shards are taken, and asked for: while it starts, whoever has them reads on.

        A function that cannot be started is no reason to read nothing: what it says to its batches is the answer.
        """
        function = self._surroundings.function
        if not isinstance(function, Provable) or function.status().workers:
            return
        with self._stop.waiting(), anyio.move_on_after(WARM_SECONDS):
            try:
                await function.prove()
            except FunctionUnusable as error:
                log.warning("the function could not be started", mapping=self._mapping.name, error=str(error))

    def _writer(self, checkpoints: MappingCheckpoints) -> CheckpointWriter:
        interval_seconds = self._store.least_interval_seconds
        return CheckpointWriter(
            checkpoints, self._stop, self._surroundings.random, self._report_store, interval_seconds
        )

    def _context(self, stream: CurrentStream, reports: TaskReports, opened: OpenStream) -> StreamContext:
        mapping, surroundings = self._mapping, self._surroundings
        full_batches = 2 * mapping.batch_size * mapping.lanes
        return StreamContext(
            mapping=mapping,
            stream=stream,
            record_filter=self._record_filter,
            discarder=Discarder(mapping.name, stream, self._destination, surroundings, reports),
            surroundings=surroundings,
            reports=reports,
            read_ahead=ReadAhead(max(READ_AHEAD_RECORDS, full_batches), READ_AHEAD_BYTES),
            counts_user_records=opened.counts_user_records,
            window_state_bytes=opened.window_state_bytes,
        )

    def _report_store(self, problem: str | None, retry_seconds: float | None) -> None:
        self._report_refusal(WRITER_TASK, problem, retry_seconds)

    def _report_leases(self, problem: str | None) -> None:
        self._report_refusal(KEEPER_TASK, problem, None)

    def _report_refusal(self, task: str, problem: str | None, retry_seconds: float | None) -> None:
        """The store is refused as long as one of its users finds it so."""
        self._refusals[task] = problem
        state = State.ENDED if problem is None else State.BACKING_OFF
        self._surroundings.facts.emit(Doing(task, state, problem or "", retry_seconds))
        left = next(filter(None, self._refusals.values()), "")
        self._surroundings.facts.emit(WriteRefused(left))

    # -- stopping and failing --------------------------------------------------------------------------------------------

    async def _watch_stop(self) -> None:
        """The mapping's stop cuts our waits by itself; what the shards wait for without a scope must be told."""
        await self._stop.until_requested()
        self._stop_shards()
        await self._stop.until_hurried()
        self._stop_shards()

    def _stop_shards(self) -> None:
        self._stop.request()
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
        self._stop_shards()
