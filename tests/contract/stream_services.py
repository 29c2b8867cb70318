"""The stream services that the same contract tests run on: emulators through the seam, and the simulations' in-memory one."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import pytest

from tests.emulators import unique
from tests.worlds.memory_streams import MemoryStream

if TYPE_CHECKING:
    from typing import Literal

    from pollers.aws.api import StreamApi, Wire

KINESIS = "it is Kinesis"
DYNAMODB = "it is DynamoDB Streams"
RESHARD = "splits and merges shards and keeps the closed ones"
FAN_OUT = "enhanced fan-out"
FAN_OUT_END = "enhanced fan-out says that a shard has ended"
MISSING_CONSUMER = "tells that a consumer is missing"
UNREADABLE = "takes any text for an iterator"

_ABILITIES = {
    "memory kinesis": {KINESIS, RESHARD, FAN_OUT, FAN_OUT_END, MISSING_CONSUMER},
    "memory dynamodb": {DYNAMODB},
    "kinesis_local kinesis": {KINESIS, RESHARD, FAN_OUT, MISSING_CONSUMER, UNREADABLE},
    "localstack kinesis": {KINESIS, RESHARD, FAN_OUT, UNREADABLE},
    "ministack kinesis": {KINESIS, FAN_OUT, MISSING_CONSUMER, UNREADABLE},
    "ministack dynamodb": {DYNAMODB, UNREADABLE},
}


def on(*abilities: str) -> pytest.MarkDecorator:
    """Run a test on every service that is able to do what it needs."""
    services = [
        pytest.param(name, marks=() if name.startswith("memory") else (pytest.mark.emulator, pytest.mark.timeout(900)))
        for name, able in _ABILITIES.items()
        if able.issuperset(abilities)
    ]
    return pytest.mark.parametrize("stream", services, indirect=True)


class StreamService(Protocol):
    """A service under test, with what tests need beyond :class:`pollers.aws.api.StreamApi`."""

    kind: str
    api: StreamApi

    async def create(self, shards: int = 1) -> str:
        """A new, active stream; its ARN."""

    async def put(self, arn: str, key: str, value: str) -> None:
        """Write one record."""

    async def split(self, arn: str, shard_id: str) -> None:
        """Split a shard in its middle, and wait until that is done."""

    async def merge(self, arn: str, one: str, other: str) -> None:
        """Merge two neighbours, and wait until that is done."""

    async def consumer(self, arn: str) -> str:
        """Register a consumer and wait until it is active; its ARN."""


def value_of(kind: str, record: Wire) -> str:
    """What :meth:`StreamService.put` wrote."""
    if kind == "kinesis":
        return base64.b64decode(record["Data"]).decode()
    return str(record["dynamodb"]["NewImage"]["value"]["S"])


def number_of(kind: str, record: Wire) -> str:
    """The record's sequence number, as it came."""
    return str(record["SequenceNumber"] if kind == "kinesis" else record["dynamodb"]["SequenceNumber"])


class EmulatedKinesis:
    """Kinesis of an emulator."""

    kind = "kinesis"

    def __init__(self, api: StreamApi, sdk: Any) -> None:  # noqa: ANN401 - SDK clients have no types
        self.api = api
        self._sdk = sdk

    async def create(self, shards: int = 1) -> str:
        """CreateStream."""
        name = unique("stream")
        await self._sdk.create_stream(StreamName=name, ShardCount=shards)
        arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"
        await self._active(arn)
        return arn

    async def put(self, arn: str, key: str, value: str) -> None:
        """PutRecord."""
        await self._sdk.put_record(StreamARN=arn, PartitionKey=key, Data=value.encode())

    async def split(self, arn: str, shard_id: str) -> None:
        """SplitShard."""
        shards = (await self._sdk.list_shards(StreamARN=arn))["Shards"]
        keys = next(shard["HashKeyRange"] for shard in shards if shard["ShardId"] == shard_id)
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        await self._sdk.split_shard(StreamARN=arn, ShardToSplit=shard_id, NewStartingHashKey=str(middle))
        await self._active(arn)

    async def merge(self, arn: str, one: str, other: str) -> None:
        """MergeShards."""
        await self._sdk.merge_shards(StreamARN=arn, ShardToMerge=one, AdjacentShardToMerge=other)
        await self._active(arn)

    async def consumer(self, arn: str) -> str:
        """RegisterStreamConsumer."""
        name = unique("consumer")
        consumer = (await self._sdk.register_stream_consumer(StreamARN=arn, ConsumerName=name))["Consumer"]
        with anyio.fail_after(60):
            while True:
                described = await self._sdk.describe_stream_consumer(ConsumerARN=consumer["ConsumerARN"])
                if described["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE":
                    return str(consumer["ConsumerARN"])
                await anyio.sleep(0.05)

    async def _active(self, arn: str) -> None:
        with anyio.fail_after(60):
            while (await self.api.describe(arn)).status != "ACTIVE":
                await anyio.sleep(0.05)


class EmulatedDynamoDB:
    """A DynamoDB table's stream of an emulator."""

    kind = "dynamodb"

    def __init__(self, api: StreamApi, sdk: Any) -> None:  # noqa: ANN401 - SDK clients have no types
        self.api = api
        self._sdk = sdk
        self._tables: dict[str, str] = {}

    async def create(self, shards: int = 1) -> str:
        """CreateTable with a stream."""
        name = unique("table")
        created = await self._sdk.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        arn = str(created["TableDescription"]["LatestStreamArn"])
        self._tables[arn] = name
        with anyio.fail_after(60):
            while (await self.api.describe(arn)).status != "ENABLED":
                await anyio.sleep(0.05)
        return arn

    async def put(self, arn: str, key: str, value: str) -> None:
        """PutItem, of a new key each time."""
        item = {"key": {"S": f"{key}-{value}"}, "value": {"S": value}, "number": {"N": "1.50"}, "bytes": {"B": b"\xff"}}
        await self._sdk.put_item(TableName=self._tables[arn], Item=item)

    async def split(self, arn: str, shard_id: str) -> None:
        """Not to be had."""
        raise NotImplementedError

    async def merge(self, arn: str, one: str, other: str) -> None:
        """Not to be had."""
        raise NotImplementedError

    async def consumer(self, arn: str) -> str:
        """Not to be had."""
        raise NotImplementedError


class InMemoryStream:
    """The service that the simulations run on, one stream each."""

    def __init__(self, kind: Literal["kinesis", "dynamodb"]) -> None:
        self.kind: str = kind
        self._kind = kind
        self._stream: MemoryStream

    async def create(self, shards: int = 1) -> str:
        """Make the stream."""
        consumer = "c" if self.kind == "kinesis" else ""
        self._stream = MemoryStream(self._kind, time.time, shards=shards, consumer=consumer)
        self.api: StreamApi = self._stream
        return self._stream.stream_arn

    async def put(self, arn: str, key: str, value: str) -> None:
        """Write a record."""
        self._stream.put(key, value)

    async def split(self, arn: str, shard_id: str) -> None:
        """Split a shard."""
        self._stream.split(self._stream.shards_by_id[shard_id])

    async def merge(self, arn: str, one: str, other: str) -> None:
        """Merge two."""
        self._stream.merge(self._stream.shards_by_id[one], self._stream.shards_by_id[other])

    async def consumer(self, arn: str) -> str:
        """It has one."""
        return self._stream.arn
