"""One replica of a simulated stream mapping: a process of its own, with its store, clock, function and way to the stream."""

from __future__ import annotations

import asyncio
import contextvars
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import orjson

from handlers.function import PLAIN, Call, Invocation, Payload
from pollers.aws.errors import Unavailable
from pollers.checkpoints.store import Opened
from pollers.engine.failures import taken_apart
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.leases.store import DynamoStore
from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.registry import kind_of
from pollers.sources.streams.poller import StreamPoller
from pollers.storage.errors import StoreUnwritable
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time
from tests.worlds.passing_checkpoints import PassingCheckpoints
from tests.worlds.stopped_processes import PROCESS
from tests.worlds.stream_watch import SimulatedDestination, SimulatedFilter, SimulatedFunction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from types import TracebackType

    from pollers.aws.api import Page, Pushed, ShardListing, StartAt, StreamDescription
    from pollers.checkpoints.store import Lease, MappingCheckpoints
    from pollers.clocks.service import ServiceClock
    from pollers.leases.table import LeaseTable
    from pollers.telemetry.facts import Fact
    from tests.worlds.lease_handle import TableHandle
    from tests.worlds.memory_streams import MemoryStream
    from tests.worlds.replica_watch import ReplicaWatch, Running

RETRY_SECONDS = 1.0
"""After so long a mapping is started again whose store could not be opened."""

LATE_SECONDS = 10.0
"""Errors that come so long after all faults are over are not theirs."""


class Replica:
    """A process that runs the mapping. ``failover``, ``interval`` and ``owner`` are its store's."""

    def __init__(
        self,
        name: str,
        watch: ReplicaWatch,
        handle: TableHandle,
        *,
        seed: int,
        failover: float,
        interval: float,
        owner: Callable[[], str],
    ) -> None:
        self.name = name
        self.watch = watch
        self.handle = handle
        self.clock = virtual_time.VirtualClock()
        self.random = random.Random(f"{seed} {name}")
        self.stop = Stop()
        self.ended = anyio.Event()
        self.poller: StreamPoller | None = None
        self.ledger = Ledger()
        self.leaving = False
        self._life = anyio.CancelScope()
        self._context = contextvars.Context()
        self._context.run(PROCESS.set, name)
        self._store = DynamoStore(
            self._table_of,
            failover_seconds=failover,
            interval_seconds=interval,
            clock=lambda: asyncio.get_running_loop().time(),
            rng=random.Random(f"{seed} {name} leases"),
            owner=owner,
        )

    @property
    def alive(self) -> bool:
        """Whether it was neither killed nor has ended."""
        return self.name not in self.watch.dead and not self.ended.is_set()

    @property
    def at_work(self) -> bool:
        """Whether it is alive and was not asked to stop."""
        return self.alive and not self.leaving

    async def _table_of(self, _mapping: str) -> LeaseTable:
        return self.handle

    def kill(self) -> None:
        """It is gone in the middle of whatever it does: what it does afterwards reaches nobody."""
        self.watch.dead.add(self.name)
        self.watch.left[self.name] = virtual_time.current_loop().time()
        self.watch.tell(self.name, "is killed")
        self._signal(self._life.cancel)

    def leave(self, *, hurried: bool = False) -> None:
        """It is asked to stop; or, hurried, not to wait for what runs. It hears that when it does not stand still."""
        self.watch.tell(self.name, "is hurried" if hurried else "is asked to stop")
        self.leaving = True
        self.watch.left.setdefault(self.name, virtual_time.current_loop().time())
        self._signal(self.stop.hurry if hurried else self.stop.request)

    def _signal(self, obey: Callable[[], object]) -> None:
        """As a signal does, in the process itself."""
        asyncio.get_running_loop().call_soon(obey, context=self._context)

    async def live(self) -> None:
        """From its start to its end."""
        PROCESS.set(self.name)
        self.watch.tell(self.name, "starts")
        try:
            with self._life:
                async with self._store:
                    while not self.stop.requested:
                        await self._run()
        finally:
            self.ended.set()
            self.watch.tell(self.name, "has ended")

    async def _run(self) -> None:
        watch, mapping = self.watch, self.watch.mapping
        permits = Permits(self.random.choice((1, 2, 5)))
        self.ledger = Ledger()
        surroundings = Surroundings(
            ReplicaFunction(self, permits.concurrency),
            permits.claim(),
            Facts("simulated", [self.ledger, self._note]),
            kind_of(mapping).shown.first_payload,
            self.stop,
            self.clock,
            self.random,
        )
        api = ReplicaStream(self, watch.stream)
        source = (KinesisSource if watch.stream.kind == "kinesis" else DynamoDBSource)(watch.stream.arn, api)
        destination = SimulatedDestination(watch) if mapping.on_failure else None
        record_filter = SimulatedFilter(watch) if watch.filters else None
        store = WatchedStore(self, self._store)
        self.poller = StreamPoller(mapping, source, store, destination, surroundings, record_filter)
        try:
            await self.poller.run()
        except (StoreUnwritable, ExceptionGroup) as error:
            found = taken_apart(error)
            if not all(isinstance(one, StoreUnwritable) for one in (found.cause, *found.siblings)):
                raise
            watch.tell(self.name, f"its store refuses: {error}")
            late = watch.calm and virtual_time.current_loop().time() > watch.calm_since + LATE_SECONDS
            watch.require(not late or self.stop.requested, f"{self.name}: {error} while it is calm")
            await self.stop.sleep(RETRY_SECONDS)
        self._check_books()

    def _check_books(self) -> None:
        assert self.poller is not None
        held = self.poller.held()
        self.watch.require(held == 0, f"{self.name} ended and holds {held}")
        self.watch.require(self.ledger.balances(0), f"the books of {self.name}: {self.ledger.as_dict()}")

    def _note(self, mapping: str, fact: Fact) -> None:
        if self.name not in self.watch.dead:
            self.watch.note(mapping, fact)

    async def reach(self) -> None:
        """Nothing reaches a service any more from a process that was killed."""
        if self.name in self.watch.dead:
            await anyio.sleep(1.0)
            raise Unavailable("Killed", "the process is gone")


class ReplicaStream:
    """A stream as one replica reaches it; implements ``StreamApi`` and ``FanOutApi``."""

    def __init__(self, replica: Replica, stream: MemoryStream) -> None:
        self._replica = replica
        self._stream = stream

    @property
    def service_clock(self) -> ServiceClock:
        """See ``StreamApi``."""
        return self._stream.service_clock

    async def describe(self, arn: str) -> StreamDescription:
        """See ``StreamApi``."""
        await self._replica.reach()
        return await self._stream.describe(arn)

    async def shards(self, arn: str) -> list[ShardListing]:
        """See ``StreamApi``."""
        await self._replica.reach()
        return await self._stream.shards(arn)

    async def iterator(self, arn: str, shard_id: str, start: StartAt) -> str:
        """See ``StreamApi``."""
        await self._replica.reach()
        return await self._stream.iterator(arn, shard_id, start)

    async def records(self, arn: str, iterator: str, limit: int) -> Page:
        """See ``StreamApi``."""
        await self._replica.reach()
        self._replica.watch.reads(self._replica.name, self._stream._iterators[iterator].shard.shard_id)
        return await self._stream.records(arn, iterator, limit)

    @asynccontextmanager
    async def subscribe(self, consumer_arn: str, shard_id: str, start: StartAt) -> AsyncIterator[AsyncIterator[Pushed]]:
        """See ``FanOutApi``."""
        await self._replica.reach()
        self._replica.watch.reads(self._replica.name, shard_id)
        async with self._stream.subscribe(consumer_arn, shard_id, start) as pushed:
            yield pushed


class ReplicaFunction(SimulatedFunction):
    """A function whose invocations go on, or not, when its replica stands still, is killed, or waits for them no longer."""

    def __init__(self, replica: Replica, concurrency: int) -> None:
        super().__init__(replica.watch, concurrency)
        self._replica = replica

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """See ``Function.invoke``."""
        await self._replica.reach()
        watch, parsed = self._replica.watch, orjson.loads(event)
        running = watch.invoked(self._replica.name, parsed)
        self._busy += 1
        watch.require(self._busy <= self.concurrency, "more invocations than permits")
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        accepted: list[str] = []

        def finish() -> None:
            """The function returns: outside of its replica, which need not be there any more."""
            before = watch.accepted.intersection(running.batch)
            result = self._result(parsed, running.batch)
            accepted.extend(value for value in running.batch if value in watch.accepted - before)
            watch.finished(running)
            if not reply.done():
                reply.set_result(result)

        survives = watch.random.random() < 0.5
        timer = loop.call_later(watch.random.choice(watch.durations), finish, context=contextvars.Context())
        try:
            result = await reply
        finally:
            self._busy -= 1
            if not reply.done() or reply.cancelled():
                self._cut(running, timer, survives=survives)
        if isinstance(result, Payload):
            watch.replied(running, running.batch if not watch.partial(result) else accepted)
        return Invocation(request_id, result, 0.1)

    def _cut(self, running: Running, timer: asyncio.TimerHandle, *, survives: bool) -> None:
        """Nobody waits for it any more. It is killed, or goes on in an instance that nobody hears."""
        running.cut = True
        if not survives:
            timer.cancel()
            self._replica.watch.finished(running)


class WatchedStore:
    """A replica's store, which tells the watch what leases it gives."""

    def __init__(self, replica: Replica, inner: DynamoStore) -> None:
        self._replica = replica
        self._inner = inner
        self.least_interval_seconds = inner.least_interval_seconds

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        opened = await self._inner.open(mapping, identity)
        watched = WatchedCheckpoints(opened.checkpoints, self._replica)
        return Opened(watched, opened.fresh, opened.previous_identity, opened.start)

    async def __aenter__(self) -> WatchedStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class WatchedCheckpoints(PassingCheckpoints):
    """Tells the watch of leases."""

    def __init__(self, inner: MappingCheckpoints, replica: Replica) -> None:
        super().__init__(inner)
        self._replica = replica

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        """See ``MappingCheckpoints.take_leases``."""
        leases = await self.inner.take_leases(shard_ids)
        self._replica.watch.given(self._replica.name, leases)
        return leases
