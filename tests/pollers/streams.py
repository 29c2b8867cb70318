"""Kinesis streams (polled, and with enhanced fan-out) and DynamoDB tables' streams as worlds of the suite."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from config.models import DynamoDBMapping, KinesisMapping
from pollers.aws.services import DYNAMODB_STREAMS, KINESIS, SQS
from pollers.checkpoints import MemoryStore
from pollers.sources.registry import make_poller
from pollers.sources.streams.poller import READ_AHEAD_RECORDS
from tests.pollers.store import WitnessedStore
from tests.pollers.world import Features, Given, Order, Oversized, Partial, Redelivery
from tests.worlds.memory_aws import MemoryAws
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.memory_streams import MemoryStream
from tests.worlds.stream_records import values
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.models import MappingBase
    from pollers.checkpoints.store import ShardCheckpoint
    from pollers.engine.poller import Poller, Surroundings
    from tests.worlds.call_faults import Faults

STREAM = Features(
    order=Order.SHARD,
    redelivery=Redelivery.BY_READING_AGAIN,
    partial=Partial.FROM_THE_FIRST_NAMED,
    oversized=Oversized.DISCARDED,
    checkpoints=True,
    batch_calls=False,
    resharding=True,
    pushes=False,
    apart=("c", "d"),
    batching_window=True,
    tumbling_windows=True,
    retry_limits=True,
)


class KinesisStream:
    """A Kinesis stream that is polled."""

    name: ClassVar[str] = "kinesis"
    kind: ClassVar[str] = "kinesis"
    features: ClassVar[Features] = STREAM
    needed: ClassVar[tuple[str, ...]] = ("describe", "shards", "iterator", "records")
    service: ClassVar[Literal["kinesis", "dynamodb"]] = "kinesis"
    consumer: ClassVar[str] = ""

    def __init__(self) -> None:
        self.stream = MemoryStream(self.service, VirtualClock().time, shards=2, consumer=self.consumer)
        self.on_acknowledged: Callable[[str], None] = lambda value: None
        self.failed = Queue("failed")
        self.store = WitnessedStore(MemoryStore(), self._written)
        self._values: dict[str, str] = {}
        self._left: set[str] = set()

    @property
    def faults(self) -> Faults:
        """See ``World``."""
        return self.stream.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.stream.faults = faults

    def put(self, value: str, key: str = "k") -> None:
        """See ``World.put``."""
        self._left.add(value)
        self._values[self.stream.put(key, value)] = value

    def left(self) -> set[str]:
        """See ``World.left``."""
        return set(self._left)

    def remove(self) -> None:
        """See ``World.remove``."""
        self.stream.deleted = True

    def restore(self) -> None:
        """See ``World.restore``."""
        self.stream.deleted = False

    def mapping(self, **settings: Any) -> MappingBase:  # noqa: ANN401 - a mapping's settings as in its file
        """See ``World.mapping``."""
        return KinesisMapping(**self._settings(settings))

    def _settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        named = {"name": "trial", "event_source_arn": self.stream.arn, "function_name": "trial"}
        destination = {"on_failure": {"destination": self.failed.arn}}
        return {**named, "starting_position": "TRIM_HORIZON", "destination_config": destination, **settings}

    def filter_criteria(self) -> dict[str, Any]:
        """See ``World.filter_criteria``."""
        return {"filters": [{"pattern": '{"data": {"want": ["yes"]}}'}]}

    async def make_poller(self, mapping: MappingBase, surroundings: Surroundings) -> Poller:
        """See ``World.make_poller``."""
        services = {KINESIS.name: self.stream, DYNAMODB_STREAMS.name: self.stream, SQS.name: MemorySqs(self.failed)}
        return await make_poller(mapping, MemoryAws(services), self.store, surroundings)

    def given(self, event: dict[str, Any]) -> list[Given]:
        """See ``World.given``."""
        ids = [_id(record) for record in event["Records"]]
        return [Given(one, key, value) for one, (key, value) in zip(ids, values(event), strict=True)]

    def value_of(self, source: str, event_id: str) -> str:
        """See ``World.value_of``."""
        return self._values[event_id]

    def held_at_most(self, mapping: MappingBase, concurrency: int) -> int:
        """See ``World.held_at_most``: what may be read ahead, and half of it more where shards are stuck (see ReadAhead)."""
        return READ_AHEAD_RECORDS * 3 // 2

    def reshard(self) -> None:
        """Every shard is split."""
        for shard in self.stream.open_shards():
            self.stream.split(shard)

    def failure_records(self) -> list[dict[str, Any]]:
        """What the on-failure destination has been sent."""
        return [json.loads(message.body) for message in self.failed.messages.values()]

    def _written(self, shard_id: str, checkpoint: ShardCheckpoint, *, ended: bool) -> None:
        """A checkpoint is on the disk: what it covers will not be read again."""
        done = checkpoint.sequence_number
        for stored in self.stream.shards_by_id[shard_id].records:
            if stored.value in self._left and (ended or (done is not None and stored.number <= int(done))):
                self._left.discard(stored.value)
                self.on_acknowledged(stored.value)


class FanOutConsumer(KinesisStream):
    """A consumer of a Kinesis stream: enhanced fan-out."""

    name: ClassVar[str] = "kinesis-fan-out"
    features: ClassVar[Features] = replace(STREAM, pushes=True)
    needed: ClassVar[tuple[str, ...]] = ("describe", "shards", "subscribe")
    consumer: ClassVar[str] = "fast"


class TableStream(KinesisStream):
    """A DynamoDB table's stream."""

    name: ClassVar[str] = "dynamodb"
    kind: ClassVar[str] = "dynamodb"
    service: ClassVar[Literal["kinesis", "dynamodb"]] = "dynamodb"

    def mapping(self, **settings: Any) -> MappingBase:  # noqa: ANN401 - a mapping's settings as in its file
        """See ``World.mapping``."""
        return DynamoDBMapping(**self._settings(settings))

    def filter_criteria(self) -> dict[str, Any]:
        """See ``World.filter_criteria``."""
        pattern = {"dynamodb": {"NewImage": {"value": {"S": [{"prefix": '{"want":"yes"'}]}}}}
        return {"filters": [{"pattern": json.dumps(pattern)}]}

    def reshard(self) -> None:
        """Every shard is followed by another, as happens every few hours."""
        for shard in self.stream.open_shards():
            self.stream.roll(shard)


def _id(record: dict[str, Any]) -> str:
    found = record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"]
    assert isinstance(found, str)
    return found
