"""One seeded run of several replicas that share a stream through a lease table: resharding, faults, deaths, stalls and restarts."""

from __future__ import annotations

import random
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Literal
from unittest import mock

import anyio

from config.models import DynamoDBMapping, KinesisMapping, ShardedStreamMapping
from pollers.leases import looking
from tests.worlds import virtual_time
from tests.worlds.lease_table import MemoryLeaseTable
from tests.worlds.memory_streams import MemoryStream
from tests.worlds.replica import Replica
from tests.worlds.replica_faults import CALM, Disturbances, bad_rates
from tests.worlds.replica_watch import Log, ReplicaWatch, owner_id
from tests.worlds.stopped_processes import PROCESS, Processes
from tests.worlds.stream_faults import FalseEnds, RandomFaults
from tests.worlds.stream_simulation import spelling
from tests.worlds.stream_watch import SimulatedDestination
from tests.worlds.unread_logs import logs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from anyio.abc import TaskGroup

    from tests.worlds.lease_handle import Rates

PATIENCE_SECONDS = 3_600.0
"""Virtual time after which, all faults over, everything must be done."""
STEP_LIMIT = 150_000
TOLD = 250
"""Lines of the timeline that a failure shows."""


class ReplicaSimulation:
    """One run; everything random in it comes from ``seed``."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = chance = random.Random(seed)
        self.processes = Processes(virtual_time.current_loop())
        self.service_clock = virtual_time.VirtualClock()
        self.failover = chance.choice((4.0, 10.0))
        self.most = chance.choice((2, 3, 5, 8))
        self.calm = anyio.Event()
        self.replicas: list[Replica] = []
        self._interval = chance.choice((0.0, 1.0))
        kind: Literal["kinesis", "dynamodb"] = chance.choice(("kinesis", "dynamodb"))
        self.stream = MemoryStream(
            kind,
            self.service_clock.time,
            shards=chance.choice((1, 2, 3, 6)),
            number=spelling(chance),
            seed=seed,
            empty_pages=chance.choice((0.0, 0.3)),
            lag_seconds=chance.choice((0.0, 8.0)),
            consumer=chance.choice(("", "", "fast")) if kind == "kinesis" else "",
        )
        self.watch = ReplicaWatch(self.stream, self._mapping(kind), chance, trouble=chance.choice((0.0, 0.05, 0.2)))
        self.watch.filters = chance.random() < 0.1
        self.stream.faults = RandomFaults(self.watch, chance.choice((0.0, 0.0, 0.02)))
        # Drawn from numbers of their own: other seeds tell what they told before.
        also = random.Random(f"{seed} stream")
        false_ends = FalseEnds(self.watch, also.choice((0.0, 0.0, 0.02)))
        self.stream.tampered, self.stream.tampered_event = false_ends.page, false_ends.event
        self._trims = also.choice((0.0, 0.0, 0.03))
        self.table = MemoryLeaseTable(
            exists=chance.random() < 0.5, indexed=chance.random() < 0.7, page_items=chance.choice((2, 1_000)), seed=seed
        )
        self.table.log = Log(self.watch)
        self._small_table = chance.choice((looking.SMALL_TABLE, looking.SMALL_TABLE, 2))
        self._rates = bad_rates(chance)
        self._tasks: TaskGroup | None = None
        self._openings = count()
        self._names = count(1)

    def _mapping(self, kind: str) -> ShardedStreamMapping:
        chance = self.random
        settings: dict[str, Any] = {
            "name": "simulated",
            "event_source_arn": self.stream.arn,
            "function_name": "simulated",
            "starting_position": chance.choice(("TRIM_HORIZON", "TRIM_HORIZON", "LATEST")),
            "batch_size": chance.choice((1, 3, 10, 100)),
            "maximum_batching_window_in_seconds": chance.choice((0, 0, 0, 2)),
            "parallelization_factor": chance.choice((1, 1, 2, 4)),
            "maximum_retry_attempts": chance.choice((-1, 0, 2)),
            "bisect_batch_on_function_error": chance.random() < 0.5,
            "function_response_types": chance.choice(([], ["ReportBatchItemFailures"])),
            "tumbling_window_in_seconds": chance.choice((0, 0, 0, 0, 10)),
            "destination_config": {"on_failure": {"destination": chance.choice((None, SimulatedDestination.arn))}},
        }
        return KinesisMapping(**settings) if kind == "kinesis" else DynamoDBMapping(**settings)

    # -- replicas --------------------------------------------------------------------------------------------------------

    def start(self) -> Replica:
        """One more replica."""
        assert self._tasks is not None
        name = f"r{next(self._names)}"
        handle = self.table.handle(name, self._rates, call_seconds=self.failover / 4)
        replica = Replica(
            name,
            self.watch,
            handle,
            seed=self.seed,
            failover=self.failover,
            interval=self._interval,
            owner=self.new_owner,
        )
        self.replicas.append(replica)
        self._tasks.start_soon(replica.live)
        return replica

    def kill(self, replica: Replica) -> None:
        """Kill -9: also one that stands still."""
        replica.kill()
        self.table.cut_off.add(replica.name)
        self.processes.resume(replica.name)

    def aside(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Something that goes on while other things happen."""
        assert self._tasks is not None
        self._tasks.start_soon(run)

    def set_rates(self, rates: Rates) -> None:
        """What goes wrong with the table from now on."""
        self._rates = rates
        for replica in self.replicas:
            replica.handle.rates = rates

    def new_owner(self) -> str:
        """An owner id for whoever opens the table."""
        return owner_id(PROCESS.get() or "nobody", next(self._openings))

    # -- the stream's side -----------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        chance = self.random
        keys = [f"k{index}" for index in range(chance.choice((1, 4, 12)))]
        poison = chance.choice((0.0, 0.0, 0.02))
        pause = chance.choice((0.3, 1.0))
        for _ in range(chance.choice((10, 40, 80))):
            for _ in range(chance.choice((1, 1, 3))):
                self.watch.put(chance.choice(keys), poison=chance.random() < poison)
            if chance.random() < 0.06:
                self._reshard()
            if chance.random() < 0.01:
                self.stream.expire_iterators()
            if self._trims and self.watch.pinned and chance.random() < self._trims:
                self._trim()
            await anyio.sleep(chance.choice((0.0, pause, pause)))

    def _trim(self) -> None:
        gone = self.stream.trim(self.service_clock.time() - self.random.choice((5.0, 30.0)))
        self.watch.tell("stream", f"keeps {' '.join(gone) or 'nothing'} no longer")
        self.watch.trimmed(gone)

    def _reshard(self) -> None:
        chance, shards = self.random, self.stream.open_shards()
        shard = chance.choice(shards)
        neighbour = next((other for other in shards if other.low == shard.high), None)
        what = chance.choice(("split", "merge", "both", "roll"))
        self.watch.tell("stream", f"{what} of {shard.shard_id}")
        if what == "roll":
            self.stream.roll(shard)
        if what in ("merge", "both") and neighbour is not None:
            self.stream.merge(shard, neighbour)
            shard = next((one for one in self.stream.open_shards() if one not in shards), shard)
        if what in ("split", "both") and shard.high - shard.low > 1 and len(shards) < 8 and shard.closed_at is None:
            self.stream.split(shard)

    # -- the run ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """A storm, then calm until everything is done and shared out evenly, then an orderly end."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for _ in range(self.random.randint(1, self.most)):
                self.start()
            async with anyio.create_task_group() as storm:
                storm.start_soon(self._write)
                storm.start_soon(Disturbances(self).run)
            await self._be_calm()
            await self._until_done()
            await self._until_even()
            await self._stays_so()
            for replica in self.replicas:
                if replica.at_work:
                    replica.leave()
        self._check()

    async def _be_calm(self) -> None:
        watch = self.watch
        watch.tell("world", "all is calm")
        self.calm.set()
        watch.calm = watch.repaired = True
        watch.calm_since = anyio.current_time()
        self.set_rates(CALM)
        while not any(replica.at_work for replica in self.replicas) or self.random.random() < 0.2:
            self.start()

    def _working(self) -> list[str]:
        return [replica.name for replica in self.replicas if replica.at_work]

    async def _wait(self, holds: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
        limit = anyio.current_time() + seconds
        while not holds():
            if self.watch.failure is not None:
                raise self.watch.failure
            self.watch.require(anyio.current_time() < limit, f"not within {seconds:g} s: {what()}")
            await anyio.sleep(0.25)

    async def _until_done(self) -> None:
        watch = self.watch
        await self._wait(
            lambda: not watch.unfinished and self._all_ended(),
            PATIENCE_SECONDS,
            lambda: f"done: {sorted(watch.unfinished)[:10]}",
        )

    def _all_ended(self) -> bool:
        """Whether the table has every open shard, and every closed one that is listed as ended.

        Nobody puts back what ended and was deleted, and what is not listed any more is forgotten.
        """
        items = self.table.items
        ends = {key for key, item in items.items() if item["checkpoint"]["S"] == "SHARD_END"}
        ends |= self.watch.deleted - items.keys()
        shards = self.stream.shards_by_id
        ends |= {name for name, shard in shards.items() if not shard.listed and name not in items}
        return all(name in (items if shard.closed_at is None else ends) for name, shard in shards.items())

    def _even(self) -> bool:
        shares = self.watch.shares(self._working(), self.table.items)
        there = len(self.stream.open_shards())
        return sum(shares.values()) == there and max(shares.values()) - min(shares.values()) <= 1

    async def _until_even(self) -> None:
        await self._wait(
            self._even,
            4 * self.failover + 5,
            lambda: f"even shares: {self.watch.shares(self._working(), self.table.items)}",
        )
        self.watch.tell("world", "shares are even")

    async def _stays_so(self) -> None:
        """Nothing is taken, asked for or given any more, once no write of before is on its way."""
        late = self.watch.calm_since + CALM.late_seconds - anyio.current_time()
        await anyio.sleep(max(0.0, late) + 2.0)
        moves, working = self.watch.moves, self._working()
        await anyio.sleep(2 * self.failover)
        self.watch.require(self.watch.moves == moves, "leases go on moving though nothing happens")
        self.watch.require(self._even() and self._working() == working, "shares were even, and are not any more")

    def _check(self) -> None:
        if self.watch.failure is not None:
            raise self.watch.failure

    @contextmanager
    def settings(self) -> Iterator[None]:
        """What the code takes from its surroundings."""
        with mock.patch.object(looking, "SMALL_TABLE", self._small_table):
            yield


def simulate(seed: int, kind: type[ReplicaSimulation] = ReplicaSimulation) -> ReplicaSimulation:
    """Run one seed to its end. A failure has the timeline as a note."""
    made: list[ReplicaSimulation] = []

    async def main() -> ReplicaSimulation:
        simulation = kind(seed)
        made.append(simulation)
        with simulation.settings():
            await simulation.run()
        return simulation

    try:
        with logs_of(seed):
            return virtual_time.run(main, step_limit=STEP_LIMIT)
    except BaseException as failure:
        for simulation in made:
            lines = list(simulation.watch.timeline)[-TOLD:]
            failure.add_note(f"seed {seed}; its last {len(lines)} events:\n" + "\n".join(lines))
        raise
