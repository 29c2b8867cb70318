"""What a simulated stream mapping must keep to, watched from outside: the function's side, the store's side and the books.

Every record has a value that is written once. It is *done* when the function accepted it, when it was discarded with a failure
record, or when its retention was over. The world fails a run the moment that

- a record is invoked while an earlier one of its key is not done, or is being invoked somewhere else;
- a checkpoint is written above a record that is not done, or says that lanes have done one that is not;
- a record is invoked again that was done when an earlier run ended in order;
- a shard is written down as ended that is open;
- more batches of a shard have begun and are in no written checkpoint than its lanes and one: a crash would repeat them;
- a window's state is checkpointed with anything but the records up to that checkpoint, each once;
- a record is discarded for its age that is younger by the service's clock;
- records are discarded without a failure record having been delivered for exactly them.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import orjson

from handlers.function import (
    PLAIN,
    Call,
    FunctionError,
    FunctionStatus,
    InfrastructureError,
    Invocation,
    Payload,
    Result,
    Throttle,
)
from pollers.aws.errors import Unavailable
from pollers.telemetry.facts import DiscardCondition, Discarded, Fact
from tests.worlds.stream_records import lane_of, values

if TYPE_CHECKING:
    import random
    from types import TracebackType

    from config.models import ShardedStreamMapping
    from pollers.aws.api import Wire
    from pollers.checkpoints.store import ShardCheckpoint
    from pollers.destinations import FailureRecord
    from tests.worlds.memory_streams import MemoryStream


@dataclass(slots=True)
class Watch:
    """One simulated mapping's truth. ``calm``: no more faults. ``repaired``: poisonous records have become harmless."""

    stream: MemoryStream
    mapping: ShardedStreamMapping
    random: random.Random
    calm: bool = False
    repaired: bool = False
    filters: bool = False
    trouble: float = 0.05
    done: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    discarded: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    windows_given_up: set[str] = field(default_factory=set)
    by_key: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    place: dict[str, tuple[str, int]] = field(default_factory=dict)
    shard_of: dict[str, str] = field(default_factory=dict)
    by_number: dict[tuple[str, str], str] = field(default_factory=dict)
    number_of: dict[str, int] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    running_keys: set[str] = field(default_factory=set)
    accepted_in_run: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    unwritten: dict[str, list[set[str]]] = field(default_factory=lambda: defaultdict(list))
    failures: list[FailureRecord] = field(default_factory=list)
    finals: list[tuple[str, str, list[str]]] = field(default_factory=list)
    arrived: dict[str, float] = field(default_factory=dict)
    invocations: int = 0
    pinned: bool = False

    # -- writing ---------------------------------------------------------------------------------------------------------

    def put(self, key: str, *, poison: bool) -> None:
        """Write the next record of a key."""
        value = f"{key}:{len(self.by_key[key])}" + ("!" if poison else "")
        number = self.stream.put(key, value)
        shard = next(s for s in self.stream.open_shards() if s.records and s.records[-1].value == value)
        self.place[value] = key, len(self.by_key[key])
        self.by_key[key].append(value)
        self.shard_of[value] = shard.shard_id
        self.arrived[value] = shard.records[-1].arrival
        self.by_number[shard.shard_id, number] = value
        self.number_of[value] = int(number)
        if self.rejects(value):
            self.done.add(value)

    def rejects(self, value: str) -> bool:
        """Whether the mapping's filter, if it has one, keeps a record from the function."""
        return self.filters and int(value.rstrip("!").partition(":")[2]) % 3 == 1

    def pin(self) -> None:
        """The mapping's starting position is being pinned: what was written before need not be delivered with LATEST."""
        if not self.pinned and self.mapping.starting_position == "LATEST":
            self.trimmed(list(self.place))
        self.pinned = True

    def trimmed(self, gone: list[str]) -> None:
        """Retention took these; whether they were read before is nobody's fault."""
        self.done.update(gone)
        self.expired.update(gone)

    @property
    def unfinished(self) -> set[str]:
        """Records that are still owed."""
        return self.place.keys() - self.done

    # -- the function's side ---------------------------------------------------------------------------------------------

    def began(self, event: dict[str, Any]) -> tuple[str, list[str], set[str]]:
        """An invocation begins; its shard, its values and the keys that are busy with it."""
        found = values(event)
        batch = [value for _, value in found]
        assert len(batch) <= self.mapping.batch_size
        assert not any(map(self.rejects, batch)), "invoked with what the filter rejects"
        again = self.settled.intersection(batch)
        assert not again, f"done when a run ended in order, and invoked again: {sorted(again)}"
        shards = {self.shard_of[value] for value in batch} or {event["shardId"]}
        assert len(shards) == 1, f"one batch of several shards: {shards}"
        shard = shards.pop()
        self.invocations += 1
        self.running[shard] += 1
        assert self.running[shard] <= self.mapping.parallelization_factor, f"too many invocations of {shard}"
        repeated = self.running[shard] + len(self.unwritten[shard])
        assert repeated <= self.lanes + 1, f"a crash would repeat {repeated} batches of {shard}"
        keys = self._keys(batch)
        assert not keys & self.running_keys, f"keys invoked twice at a time: {keys & self.running_keys}"
        self.running_keys |= keys
        self._check_order(batch)
        return shard, batch, keys

    def _keys(self, batch: list[str]) -> set[str]:
        """The keys that order is owed to: past its retention a record may lack the shards between it and its successors."""
        return {self.place[value][0] for value in batch if value not in self.expired}

    def _check_order(self, batch: list[str]) -> None:
        before: set[str] = set()
        for value in batch:
            key, index = self.place[value]
            if index:
                earlier = self.by_key[key][index - 1]
                assert earlier in self.done or earlier in before, f"{value} was invoked before {earlier} was done"
            before.add(value)

    def ended(self, shard: str, keys: set[str]) -> None:
        """An invocation is over, whatever came of it."""
        self.running[shard] -= 1
        self.running_keys -= keys

    def accept(self, batch: list[str]) -> None:
        """The function accepted these."""
        self.done.update(batch)
        self.accepted.update(batch)
        self.accepted_in_run.update(batch)
        if batch:
            self.unwritten[self.shard_of[batch[0]]].append(set(batch))

    @property
    def lanes(self) -> int:
        """How many batches of a shard may run at a time."""
        return 1 if self.mapping.tumbling_window_in_seconds else self.mapping.parallelization_factor

    def wrote(self, shard_id: str, checkpoint: ShardCheckpoint, *, ended: bool) -> None:
        """That checkpoint is on the disk."""
        for batch in self.unwritten[shard_id]:
            batch -= {value for value in batch if ended or self._covers(checkpoint, value)}
        self.unwritten[shard_id] = [batch for batch in self.unwritten[shard_id] if batch]

    # -- the store's side ------------------------------------------------------------------------------------------------

    def check_checkpoint(self, shard_id: str, checkpoint: ShardCheckpoint, *, ended: bool) -> None:
        """A checkpoint is being written."""
        assert not ended or self.stream.shards_by_id[shard_id].closed_at is not None, (
            f"{shard_id} is open and was ended"
        )
        upto = None if checkpoint.sequence_number is None else int(checkpoint.sequence_number)
        for (shard, _), value in self.by_number.items():
            if shard == shard_id and (ended or self._covers(checkpoint, value)):
                assert value in self.done, (
                    f"the checkpoint {checkpoint} of {shard_id} covers {value}, which is not done"
                )
        if checkpoint.window is not None and upto is not None:
            self._check_window(shard_id, checkpoint, upto)

    def _covers(self, checkpoint: ShardCheckpoint, value: str) -> bool:
        """Whether a record of the checkpoint's shard is not read, or passed over, after a restart."""
        number, key = self.number_of[value], self.place[value][0]
        if checkpoint.sequence_number is not None and number <= int(checkpoint.sequence_number):
            return True
        wire = key.encode() if self.stream.kind == "kinesis" else orjson.dumps({"id": {"S": key}})
        marks = (done.upto[lane_of(wire, len(done.upto))] for done in checkpoint.ahead)
        return any(mark is not None and number <= int(mark) for mark in marks)

    def starts(self) -> None:
        """A run begins."""
        self.unwritten.clear()
        self.accepted_in_run.clear()

    def stopped(self) -> None:
        """A run ended in order, with everything written that was done."""
        self.settled |= self.accepted_in_run

    def _check_window(self, shard_id: str, checkpoint: ShardCheckpoint, upto: int) -> None:
        assert checkpoint.window is not None
        seen = orjson.loads(checkpoint.window.state).get("seen", [])
        assert len(seen) == len(set(seen)), f"counted twice in the state of {shard_id}: {seen}"
        for value in seen:
            assert self.shard_of[value] == shard_id
            assert self._number(value) <= upto, f"{value} is in the state but above the checkpoint {upto}"

    def _number(self, value: str) -> int:
        return self.number_of[value]

    # -- the books' side -------------------------------------------------------------------------------------------------

    def note(self, _mapping: str, fact: Fact) -> None:
        """A sink of facts."""
        if isinstance(fact, Discarded) and not fact.ids:
            self.windows_given_up.add(fact.source)
        elif isinstance(fact, Discarded):
            gone = [self.by_number[fact.source, number] for number in fact.ids]
            if self.mapping.on_failure is not None:
                self._check_failure(fact)
            if fact.condition == DiscardCondition.RECORD_AGE_EXCEEDED:
                limit = self.mapping.maximum_record_age_in_seconds
                young = [value for value in gone if self.stream.now() - self.arrived[value] < limit]
                assert not young, f"too young to be discarded for their age: {young}"
            self.done.update(gone)
            self.discarded.update(gone)

    def _check_failure(self, fact: Discarded) -> None:
        assert any(
            failure.shard_id == fact.source
            and failure.start_sequence_number == fact.ids[0]
            and failure.end_sequence_number == fact.ids[-1]
            and failure.batch_size == len(fact.ids)
            for failure in self.failures
        ), f"no failure record of {fact}"


class SimulatedFilter:
    """Rejects what the world's mapping rejects."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def matches(self, record: Wire) -> bool:
        """See ``RecordFilter.matches``."""
        if "Data" in record:
            return not self._watch.rejects(base64.b64decode(record["Data"]).decode())
        return not self._watch.rejects(record["dynamodb"]["NewImage"]["value"]["S"])


class SimulatedFunction:
    """A function that takes its time, fails at random, on poison for ever, and keeps what it saw in a window's state."""

    name = "simulated"
    arn = "arn:aws:lambda:us-east-1:000000000000:function:simulated"
    timeout_seconds = 30.0

    def __init__(self, watch: Watch, concurrency: int) -> None:
        self.concurrency = concurrency
        self._watch = watch
        self._busy = 0

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """See ``Function.invoke``."""
        watch, parsed = self._watch, orjson.loads(event)
        shard, batch, keys = watch.began(parsed)
        self._busy += 1
        assert self._busy <= self.concurrency
        try:
            await anyio.sleep(watch.random.choice((0.0, 0.01, 0.3, 2.0)))
            return Invocation(request_id, self._result(parsed, batch), 0.1)
        finally:
            self._busy -= 1
            watch.ended(shard, keys)

    def _result(self, event: dict[str, Any], batch: list[str]) -> Result:
        watch = self._watch
        if not watch.calm and watch.random.random() < watch.trouble:
            return watch.random.choice(
                (
                    Throttle("rate exceeded", watch.random.choice((None, 3.0))),
                    InfrastructureError("lost"),
                    FunctionError("Unhandled", "by chance", b"{}"),
                    Payload(b'{"batchItemFailures":[{"itemIdentifier":"of another batch"}]}'),
                )
                if watch.mapping.reports_batch_item_failures
                else (
                    Throttle("rate exceeded"),
                    InfrastructureError("lost"),
                    FunctionError("Unhandled", "by chance", b"{}"),
                )
            )
        bad = [index for index, value in enumerate(batch) if value.endswith("!") and not watch.repaired]
        if bad and not (watch.mapping.reports_batch_item_failures and watch.random.random() < 0.7):
            return FunctionError("Unhandled", "poison", b"{}")
        good = batch[: bad[0]] if bad else batch
        watch.accept(good)
        return Payload(orjson.dumps(self._response(event, good, batch, bad)))

    def _response(self, event: dict[str, Any], good: list[str], batch: list[str], bad: list[int]) -> dict[str, Any]:
        response: dict[str, Any] = {}
        if bad:
            numbers = [_number(record) for record in event["Records"]]
            named = [numbers[index] for index in bad] + self._watch.random.choice(([], [numbers[-1]]))
            self._watch.random.shuffle(named)
            response["batchItemFailures"] = [{"itemIdentifier": number} for number in named]
        if "state" in event:
            seen = [*event["state"].get("seen", []), *good]
            if event["isFinalInvokeForWindow"]:
                assert not batch
                self._watch.finals.append((event["shardId"], event["window"]["start"], seen))
            response["state"] = {"seen": seen}
        return response

    def status(self) -> FunctionStatus:
        """See ``Function.status``."""
        return FunctionStatus(0, self._busy)

    async def __aenter__(self) -> SimulatedFunction:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class SimulatedDestination:
    """An on-failure destination that is out of reach now and then."""

    arn = "arn:aws:sqs:us-east-1:000000000000:failed"

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    async def check(self) -> str | None:
        """See ``Destination.check``."""
        await anyio.sleep(0.01)
        return None

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """See ``Destination.deliver``."""
        await anyio.sleep(0.01)
        if not self._watch.calm and self._watch.random.random() < 0.3:
            raise Unavailable("ServiceUnavailable", "out of reach")
        self._watch.failures.append(failure)
        if not self._watch.calm and self._watch.random.random() < 0.1:
            raise Unavailable("Lost", "the reply is lost")


def _number(record: dict[str, Any]) -> str:
    number = record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"]
    assert isinstance(number, str)
    return number
