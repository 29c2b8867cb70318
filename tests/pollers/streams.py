"""Kinesis streams (polled, and with enhanced fan-out) and DynamoDB tables' streams as worlds of the suite."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from config.models import DynamoDBMapping, KinesisMapping, StreamMapping
from pollers.aws.services import SQS
from pollers.checkpoints import MemoryStore
from pollers.sources.registry import kind_of, make_poller
from pollers.sources.streams.poller import READ_AHEAD_RECORDS
from tests.pollers.store import WitnessedStore
from tests.pollers.third_source import FeedMapping
from tests.pollers.world import Features, Given, Order, Oversized, Partial, Redelivery
from tests.worlds.memory_aws import MemoryAws
from tests.worlds.memory_cluster import MemoryCluster
from tests.worlds.memory_feed import MemoryFeed
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.memory_streams import MemoryStream
from tests.worlds.stream_records import values
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from config.models import Mapping
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
    sharded=True,
    filters=True,
)


class StreamWorld:
    """What worlds of streams share: checkpoints, an on-failure queue, and which values are not done yet."""

    features: ClassVar[Features] = STREAM
    needed: ClassVar[tuple[str, ...]] = ("describe", "shards", "iterator", "records")

    def __init__(self, service: MemoryStream | MemoryFeed | MemoryCluster, model: type[StreamMapping]) -> None:
        self.service = service
        self.on_acknowledged: Callable[[str], None] = lambda value: None
        self.failed = Queue("failed")
        self.kept = MemoryStore()
        self.store = WitnessedStore(self.kept, self.written)
        self.saved: list[ShardCheckpoint] = []
        self._model = model
        self._values: dict[str, str] = {}
        self._left: set[str] = set()

    @property
    def faults(self) -> Faults:
        """See ``World``."""
        return self.service.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.service.faults = faults

    def put(self, value: str, key: str = "k") -> None:
        """See ``World.put``."""
        assert not isinstance(self.service, MemoryCluster), "its world writes to it in its own way"
        self._left.add(value)
        self._values[self.service.put(key, value)] = value

    def left(self) -> set[str]:
        """See ``World.left``."""
        return set(self._left)

    def remove(self) -> None:
        """See ``World.remove``."""
        self.service.deleted = True

    def restore(self) -> None:
        """See ``World.restore``."""
        self.service.deleted = False

    def mapping(self, **settings: Any) -> StreamMapping:  # noqa: ANN401 - a mapping's settings as in its file
        """See ``World.mapping``."""
        named = {"name": "trial", "event_source_arn": self.service.arn, "function_name": "trial"}
        destination = {"on_failure": {"destination": self.failed.arn}}
        standing = {"starting_position": "TRIM_HORIZON", "destination_config": destination}
        return self._model(**{**named, **standing, **settings})

    async def make_poller(self, mapping: Mapping, surroundings: Surroundings) -> Poller:
        """See ``World.make_poller``."""
        streams = dict.fromkeys((service.name for service in kind_of(mapping).services(mapping)), self.service)
        aws = MemoryAws({**streams, SQS.name: MemorySqs(self.failed)})
        return await make_poller(mapping, aws, self.store, surroundings)

    def value_of(self, source: str, event_id: str) -> str:
        """See ``World.value_of``."""
        return self._values[event_id]

    def held_at_most(self, mapping: Mapping, concurrency: int) -> int:
        """See ``World.held_at_most``: what may be read ahead, and half of it more where shards are stuck (see ReadAhead)."""
        return READ_AHEAD_RECORDS * 3 // 2

    def failure_records(self) -> list[dict[str, Any]]:
        """What the on-failure destination has been sent."""
        return [json.loads(message.body) for message in self.failed.messages.values()]

    def written(self, shard_id: str, checkpoint: ShardCheckpoint, *, ended: bool) -> None:
        """A checkpoint is on the disk: what it covers will not be read again."""
        self.saved.append(checkpoint)
        for value in self._covered(shard_id, checkpoint.sequence_number, ended=ended):
            if value in self._left:
                self._left.discard(value)
                self.on_acknowledged(value)

    def _covered(self, shard_id: str, position: str | None, *, ended: bool) -> Iterable[str]:
        """The values of a shard up to a position, or all of them."""
        raise NotImplementedError


class KinesisStream(StreamWorld):
    """A Kinesis stream that is polled."""

    name: ClassVar[str] = "kinesis"
    kind: ClassVar[str] = "kinesis"
    service_kind: ClassVar[Literal["kinesis", "dynamodb"]] = "kinesis"
    consumer: ClassVar[str] = ""
    model: ClassVar[type[StreamMapping]] = KinesisMapping

    def __init__(self) -> None:
        self.stream = MemoryStream(self.service_kind, VirtualClock().time, shards=2, consumer=self.consumer)
        super().__init__(self.stream, self.model)

    def filter_criteria(self) -> dict[str, Any]:
        """See ``World.filter_criteria``."""
        return {"filters": [{"pattern": '{"data": {"want": ["yes"]}}'}]}

    def given(self, event: dict[str, Any]) -> list[Given]:
        """See ``World.given``."""
        ids = [_id(record) for record in event["Records"]]
        return [Given(one, key, value) for one, (key, value) in zip(ids, values(event), strict=True)]

    def reshard(self) -> None:
        """Every shard is split."""
        for shard in self.stream.open_shards():
            self.stream.split(shard)

    def _covered(self, shard_id: str, position: str | None, *, ended: bool) -> Iterable[str]:
        records = self.stream.shards_by_id[shard_id].records
        upto = -1 if position is None else int(position)
        return [stored.value for stored in records if ended or stored.number <= upto]


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
    service_kind: ClassVar[Literal["kinesis", "dynamodb"]] = "dynamodb"
    model: ClassVar[type[StreamMapping]] = DynamoDBMapping

    def filter_criteria(self) -> dict[str, Any]:
        """See ``World.filter_criteria``."""
        pattern = {"dynamodb": {"NewImage": {"value": {"S": [{"prefix": '{"want":"yes"'}]}}}}
        return {"filters": [{"pattern": json.dumps(pattern)}]}

    def reshard(self) -> None:
        """Every shard is followed by another, as happens every few hours."""
        for shard in self.stream.open_shards():
            self.stream.roll(shard)


class Feed(StreamWorld):
    """The kind of stream that this suite makes up: resume tokens, one shard without an end, an envelope of its own.

    Behind every change there is one of no concern to the mapping.
    """

    name: ClassVar[str] = "feed"
    kind: ClassVar[str] = "feed"
    features: ClassVar[Features] = replace(
        STREAM, resharding=False, apart=None, tumbling_windows=False, sharded=False, filters=False
    )

    def __init__(self, model: type[StreamMapping] = FeedMapping) -> None:
        self.feed = MemoryFeed(VirtualClock().time)
        super().__init__(self.feed, model)

    def put(self, value: str, key: str = "k") -> None:
        """See ``World.put``."""
        super().put(value, key)
        self.feed.put_elsewhere()

    def filter_criteria(self) -> dict[str, Any]:
        """See ``World.filter_criteria``: there are none."""
        raise NotImplementedError("a feed has no filters")

    def given(self, event: dict[str, Any]) -> list[Given]:
        """See ``World.given``."""
        assert event["eventSourceArn"] == self.feed.arn
        changes = [one["event"] for one in event["events"]]
        return [Given(one["_id"]["_data"], one["documentKey"]["_id"], one["fullDocument"]["value"]) for one in changes]

    def _covered(self, shard_id: str, position: str | None, *, ended: bool) -> Iterable[str]:
        assert not ended, "a feed has no end"
        done = 0 if position is None else self.feed.upto(position)
        return [change.value for change in self.feed.changes[:done] if change.shown]


def _id(record: dict[str, Any]) -> str:
    found = record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"]
    assert isinstance(found, str)
    return found
