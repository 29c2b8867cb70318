"""Giving records up: the failure record first, and not at all while it cannot be delivered."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import anyio

from pollers.aws.errors import Unavailable
from pollers.checkpoints.store import Lease
from pollers.engine.stop import Stop
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.streams.current_stream import CurrentStream
from pollers.sources.streams.discarding import Discarder
from pollers.sources.streams.lease_time import LeaseTime
from pollers.sources.streams.records import Records
from pollers.sources.streams.retries import Discard
from pollers.sources.streams.task_reports import TaskReports
from pollers.telemetry.facts import DestinationFailed, DiscardCondition, Discarded, Fact
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time
from tests.worlds.memory_streams import MemoryStream
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pollers.destinations import FailureRecord
    from pollers.engine.poller import Surroundings


@dataclass
class Bench:
    """A destination that refuses so many deliveries, a shard, and all that is told."""

    refusals: int = 0
    stop: Stop = field(default_factory=Stop)
    shard_id: str = "shard"
    last_done: str | None = "7"
    arn: str = "arn:aws:sqs:us-east-1:000000000000:failed"
    delivered: list[FailureRecord] = field(default_factory=list)
    told: list[Fact] = field(default_factory=list)

    @property
    def lease_time(self) -> LeaseTime:
        """A lease that is always in time."""
        return LeaseTime(Lease(self.shard_id), self.stop, TaskReports(Facts("m", [])))

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """As a destination does."""
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("ServiceUnavailable", "not now")
        self.delivered.append(failure)

    async def check(self) -> str | None:
        """It can be used."""
        return None

    async def discard(self, step: Discard, *, destination: bool = True) -> bool:
        """Give up the records of a step."""
        facts = Facts("m", [lambda _, fact: self.told.append(fact)])
        surroundings = SimpleNamespace(facts=facts, random=random.Random(1), function=SimpleNamespace(arn="arn:f"))
        memory = MemoryStream("kinesis", VirtualClock().time)
        source = KinesisSource(memory.arn, memory)
        stream = CurrentStream(source, await source.describe(), VirtualClock())
        there = self if destination else None
        discarder = Discarder("m", stream, there, cast("Surroundings", surroundings), TaskReports(facts))
        return await discarder.discard(self, "shard/0", step, b'{"Records":[]}')


def two_records(condition: DiscardCondition = DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED) -> Discard:
    """Two records to be given up."""
    return Discard(Records([3, 4], ["10", "20"], [b"{}", b"{}"], [1.0, 2.0]), condition, 3)


@virtual_time.test
async def test_a_refused_failure_record_is_delivered_again_and_the_same() -> None:
    """However long it takes, before the records count as discarded."""
    bench = Bench(refusals=3)
    assert await bench.discard(two_records())
    [failure] = bench.delivered
    assert (failure.start_sequence_number, failure.end_sequence_number, failure.batch_size) == ("10", "20", 2)
    kinds = [type(fact) for fact in bench.told if isinstance(fact, DestinationFailed | Discarded)]
    assert kinds == [DestinationFailed] * 3 + [Discarded]


@virtual_time.test
async def test_a_stop_leaves_what_was_not_delivered_to_the_stream() -> None:
    """It is no discard then: the records are read again."""
    bench = Bench(refusals=1_000_000)
    async with anyio.create_task_group() as tasks:

        async def stop_soon() -> None:
            await anyio.sleep(5)
            bench.stop.request()

        tasks.start_soon(stop_soon)
        assert not await bench.discard(two_records())
    assert not any(isinstance(fact, Discarded) for fact in bench.told)


@virtual_time.test
async def test_without_a_destination_records_are_counted_as_discarded_at_once() -> None:
    """They are logged, and nothing else is left of them."""
    bench = Bench()
    assert await bench.discard(two_records(), destination=False)
    [fact] = bench.told
    assert fact == Discarded("shard", ["10", "20"], DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED, None)


@virtual_time.test
async def test_what_expired_at_the_source_is_too_old_for_the_failure_record() -> None:
    """Lambda has no condition of its own for it."""
    bench = Bench()
    assert await bench.discard(two_records(DiscardCondition.EXPIRED))
    assert bench.delivered[0].condition is DiscardCondition.RECORD_AGE_EXCEEDED


@virtual_time.test
async def test_a_window_without_records_names_the_last_one_that_it_got() -> None:
    """Or what the source says where it got none."""
    step = Discard(Records(), DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED, 3)
    bench, fresh = Bench(), Bench(last_done=None)
    assert await bench.discard(step)
    assert await fresh.discard(step)
    assert bench.delivered[0].start_sequence_number == bench.delivered[0].end_sequence_number == "7"
    assert fresh.delivered[0].start_sequence_number == "0"
