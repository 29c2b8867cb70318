"""One seeded run of the stream engine: a mapping, a stream that is written to and resharded, faults, crashes and stops."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Literal

import anyio

from config.models import DynamoDBMapping, KinesisMapping, ShardedStreamMapping
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.registry import kind_of
from pollers.sources.streams.poller import StreamPoller
from pollers.storage.errors import StoreUnwritable
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time
from tests.worlds.flipping_disk import FlippingDisk
from tests.worlds.memory_streams import MemoryStream
from tests.worlds.stream_faults import FalseEnds, RandomFaults, WatchedStore
from tests.worlds.stream_watch import SimulatedDestination, SimulatedFilter, SimulatedFunction, Watch
from tests.worlds.unread_logs import logs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.sources.streams.source import StreamSource

DISK_EVERY = 5
"""Of so many seeds one has the real file, on a disk that flips bits of it between two lives."""
PATIENCE_SECONDS = 6 * 3_600.0
"""Virtual time after which, all faults over, everything must be done."""


def spelling(chance: random.Random) -> Callable[[int], str]:
    """How sequence numbers are written."""
    width = chance.choice((0, 0, 21, 56, 129))
    return lambda number: str(number).zfill(width)


class Simulation:
    """One run; everything random in it comes from ``seed``."""

    def __init__(self, seed: int) -> None:
        self.random = chance = random.Random(seed)
        self.clock = virtual_time.VirtualClock()
        self.service_clock = virtual_time.VirtualClock()
        kind: Literal["kinesis", "dynamodb"] = chance.choice(("kinesis", "dynamodb"))
        rate = chance.choice((0.0, 0.02, 0.1))
        self.stream = MemoryStream(
            kind,
            self.service_clock.time,
            shards=chance.choice((1, 2, 3)),
            number=spelling(chance),
            seed=seed,
            empty_pages=chance.choice((0.0, 0.3)),
            lag_seconds=chance.choice((0.0, 8.0)),
            consumer=chance.choice(("", "", "fast")) if kind == "kinesis" else "",
        )
        self.mapping = self._mapping(kind)
        self.watch = Watch(self.stream, self.mapping, chance, trouble=chance.choice((0.0, 0.05, 0.2)))
        self.watch.filters = chance.random() < 0.2
        self.stream.faults = RandomFaults(self.watch, rate)
        # Where no reply has a date, LATEST is pinned by this machine's clock, which must then be right.
        self.stream.dates = self.mapping.starting_position == "LATEST" or chance.random() < 0.8
        false_ends = FalseEnds(self.watch, chance.choice((0.0, 0.01, 0.1)))
        self.stream.tampered, self.stream.tampered_event = false_ends.page, false_ends.event
        self.disk = FlippingDisk(random.Random(seed), self.service_clock) if seed % DISK_EVERY == 0 else None
        self.store = WatchedStore(self.watch, rate, self.disk)
        self.written = anyio.Event()

    def _mapping(self, kind: str) -> ShardedStreamMapping:
        chance = self.random
        window = chance.choice((0, 0, 0, 10))
        settings: dict[str, Any] = {
            "name": "simulated",
            "event_source_arn": self.stream.arn,
            "function_name": "simulated",
            "starting_position": chance.choice(("TRIM_HORIZON", "TRIM_HORIZON", "LATEST")),
            "batch_size": chance.choice((1, 3, 10, 100)),
            "maximum_batching_window_in_seconds": chance.choice((0, 0, 2)),
            "parallelization_factor": chance.choice((1, 1, 2, 4)),
            "maximum_retry_attempts": chance.choice((-1, 0, 2)),
            "maximum_record_age_in_seconds": chance.choice((-1, -1, 60)),
            "bisect_batch_on_function_error": chance.random() < 0.5,
            "function_response_types": chance.choice(([], ["ReportBatchItemFailures"])),
            "tumbling_window_in_seconds": window,
            "destination_config": {"on_failure": {"destination": chance.choice((None, SimulatedDestination.arn))}},
        }
        return KinesisMapping(**settings) if kind == "kinesis" else DynamoDBMapping(**settings)

    def _source(self) -> StreamSource:
        if self.stream.kind == "kinesis":
            return KinesisSource(self.stream.arn, self.stream)
        return DynamoDBSource(self.stream.arn, self.stream)

    # -- the stream's side -----------------------------------------------------------------------------------------------

    async def write(self) -> None:
        """Write, reshard and trim; jump the poller's clock."""
        chance = self.random
        keys = [f"k{index}" for index in range(chance.choice((1, 4, 12)))]
        poison = chance.choice((0.0, 0.0, 0.02))
        for _ in range(chance.choice((5, 40, 100))):
            for _ in range(chance.choice((1, 1, 3))):
                self.watch.put(chance.choice(keys), poison=chance.random() < poison)
            if chance.random() < 0.05:
                self._reshard()
            if chance.random() < 0.02 and self.watch.pinned:
                chance.choice((self._trim, self.stream.expire_iterators))()
            if chance.random() < 0.03:
                self._jump()
            await anyio.sleep(chance.choice((0.0, 0.0, 0.1, 1.0)))
        self.written.set()

    def _reshard(self) -> None:
        chance, shards = self.random, self.stream.open_shards()
        shard = chance.choice(shards)
        neighbour = next((other for other in shards if other.low == shard.high), None)
        if self.stream.kind == "dynamodb" and chance.random() < 0.7:
            self.stream.roll(shard)
        elif neighbour is not None and chance.random() < 0.5:
            self.stream.merge(shard, neighbour)
        elif shard.high - shard.low > 1 and len(shards) < 6:
            self.stream.split(shard)

    def _trim(self) -> None:
        self.watch.trimmed(self.stream.trim(self.service_clock.time() - self.random.choice((5.0, 30.0))))

    def _jump(self) -> None:
        """This machine's clock is set, by anything from a second to half a day."""
        self.clock.skew += self.random.choice((-1.0, 1.0)) * self.random.choice((1.0, 30.0, 600.0, 43_200.0))

    # -- the poller's side -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Some lives that end in crashes or stops, then one while it is calm, until everything is done."""
        async with self.store, anyio.create_task_group() as tasks:
            tasks.start_soon(self.write)
            for _ in range(self.random.choice((0, 1, 2, 4))):
                await self._short_life()
                await anyio.sleep(self.random.choice((0.0, 1.0)))
            await self._last_life()
        self._check_windows()

    async def _short_life(self) -> None:
        stop, ledger = Stop(), Ledger()
        how = self.random.choice(("crash", "crash", "stop", "hurry"))
        loop = virtual_time.current_loop()
        step = loop.steps + self.random.choice((5, 30, 100, 300, 1_000)) + self.random.randrange(100)
        with anyio.CancelScope() as life:
            loop.at_step(step, life.cancel if how == "crash" else stop.request)
            if how == "hurry":
                loop.at_step(step + self.random.randrange(40), stop.hurry)
            await self._live(stop, ledger, crashing=how == "crash")

    def _other_lanes(self) -> None:
        """Now and then a mapping comes back with another parallelization factor."""
        if self.random.random() < 0.3:
            self.mapping = self.watch.mapping = self.mapping.model_copy(
                update={"parallelization_factor": self.random.choice((1, 2, 3, 4))}
            )

    async def _live(self, stop: Stop, ledger: Ledger, *, crashing: bool) -> None:
        self._other_lanes()
        permits = Permits(self.random.choice((1, 2, 5)))
        facts = Facts("simulated", [ledger, self.watch.note])
        function = SimulatedFunction(self.watch, permits.concurrency)
        first_payload = kind_of(self.mapping).shown.first_payload
        surroundings = Surroundings(function, permits.claim(), facts, first_payload, stop, self.clock, self.random)
        destination = SimulatedDestination(self.watch) if self.mapping.on_failure else None
        record_filter = SimulatedFilter(self.watch) if self.watch.filters else None
        self.poller = StreamPoller(self.mapping, self._source(), self.store, destination, surroundings, record_filter)
        self.ledger = ledger
        self.watch.starts()
        if self.disk is not None:
            await self.disk.begin()
        try:
            await self.poller.run()
            self.watch.stopped()
        except StoreUnwritable:
            assert not self.watch.calm
        finally:
            if self.disk is not None:
                await self.disk.end(crashed=crashing)
            assert permits.held == 0, "a permit was kept"
        assert crashing or self.poller.held() == 0
        assert ledger.balances(self.poller.held()), ledger.as_dict()

    async def _last_life(self) -> None:
        await self.written.wait()
        stop = Stop()
        self.watch.calm = self.watch.repaired = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_when_done, stop)
            await self._live(stop, Ledger(), crashing=False)

    async def _stop_when_done(self, stop: Stop) -> None:
        """Stop once everything is done; the books must balance all along."""
        limit = anyio.current_time() + PATIENCE_SECONDS
        await anyio.sleep(1.0)
        while self.watch.unfinished or not await self.poller.caught_up():
            assert anyio.current_time() < limit, f"never done: {sorted(self.watch.unfinished)[:10]}"
            assert self.ledger.balances(self.poller.held()), self.ledger.as_dict()
            await anyio.sleep(1.0)
        stop.request()

    def _check_windows(self) -> None:
        """Every accepted record is in the last state of a window.

        Unless that window's last invocation was given up on, or a crash forgot the state and retention the record.
        """
        if not self.mapping.tumbling_window_in_seconds:
            return
        watch = self.watch
        seen = {value for _, _, window in watch.finals for value in window}
        given_up = {value for value in watch.accepted if watch.shard_of[value] in watch.windows_given_up}
        assert seen <= watch.accepted
        assert watch.accepted - seen <= watch.discarded | watch.expired | given_up


def simulate(seed: int) -> Simulation:
    """Run one seed to its end."""

    async def main() -> Simulation:
        simulation = Simulation(seed)
        await simulation.run()
        return simulation

    with logs_of(seed):
        return virtual_time.run(main, step_limit=400_000)
