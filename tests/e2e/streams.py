"""Streams for end-to-end tests, through the stock SDK, and what test functions and tests say of their records."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from pollers.checkpoints.inspection import look
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from pollers.checkpoints.inspection import MappingFound
    from pollers.checkpoints.store import ShardCheckpoint
    from pollers.emulators import Emulator
    from tests.e2e.harness import Workplace

PUT_AT_ONCE = 100

READING = """
    import base64

    def text(record):
        return base64.b64decode(record["kinesis"]["data"]).decode()

    def accept(record, **more):
        kinesis = record["kinesis"]
        shard, number = record["eventID"].split(":")
        note(id=text(record), key=kinesis["partitionKey"], shard=shard, number=number, **more)
"""
"""Put before a function's source: ``accept(record)`` notes a Kinesis record whose data are text."""


@dataclass(slots=True)
class Stream:
    """A Kinesis stream."""

    kinesis: Any
    name: str
    shard_count: int

    @property
    def arn(self) -> str:
        return f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.name}"

    async def create(self) -> None:
        """Make it and wait until it is active."""
        await self.kinesis.create_stream(StreamName=self.name, ShardCount=self.shard_count)
        await self._active()

    async def delete(self) -> None:
        """Delete it and wait until it is gone."""
        await self.kinesis.delete_stream(StreamName=self.name)
        with anyio.fail_after(60):
            while self.name in (await self.kinesis.list_streams())["StreamNames"]:
                await anyio.sleep(0.05)

    async def put(self, values: Iterable[str], *, key: str = "k") -> None:
        """Write these values under one key, in order."""
        await self.put_pairs([(key, value) for value in values])

    async def put_pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write (key, value) pairs in order."""
        for start in range(0, len(pairs), PUT_AT_ONCE):
            entries = [
                {"PartitionKey": key, "Data": value.encode()} for key, value in pairs[start : start + PUT_AT_ONCE]
            ]
            reply = await self.kinesis.put_records(StreamName=self.name, Records=entries)
            assert not reply["FailedRecordCount"], reply

    async def shards(self) -> list[dict[str, Any]]:
        """As the service lists them."""
        listed: list[dict[str, Any]] = (await self.kinesis.list_shards(StreamName=self.name))["Shards"]
        return listed

    async def open_shards(self) -> list[dict[str, Any]]:
        """Those that can be written to, in the order of their hash keys."""
        shards = [shard for shard in await self.shards() if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
        return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))

    async def split(self, shard: dict[str, Any]) -> None:
        """Split a shard in its middle, and wait until that is done."""
        keys = shard["HashKeyRange"]
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        await self.kinesis.split_shard(
            StreamName=self.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
        )
        await self._active()

    async def merge(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        """Merge two neighbours, and wait until that is done."""
        await self.kinesis.merge_shards(
            StreamName=self.name, ShardToMerge=one["ShardId"], AdjacentShardToMerge=other["ShardId"]
        )
        await self._active()

    async def consumer(self) -> str:
        """Register a consumer and wait until it is active; its ARN."""
        registered = await self.kinesis.register_stream_consumer(StreamARN=self.arn, ConsumerName=unique("consumer"))
        arn = str(registered["Consumer"]["ConsumerARN"])
        with anyio.fail_after(60):
            while True:
                found = await self.kinesis.describe_stream_consumer(ConsumerARN=arn)
                if found["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE":
                    return arn
                await anyio.sleep(0.05)

    async def records(self) -> list[dict[str, Any]]:
        """Every record of a stream of one shard, as the SDK reads them."""
        [shard] = await self.shards()
        reply = await self.kinesis.get_shard_iterator(
            StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        found: list[dict[str, Any]] = (await self.kinesis.get_records(ShardIterator=reply["ShardIterator"]))["Records"]
        return found

    async def _active(self) -> None:
        with anyio.fail_after(60):
            while True:
                reply = await self.kinesis.describe_stream_summary(StreamName=self.name)
                if reply["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
                    return
                await anyio.sleep(0.05)


@asynccontextmanager
async def stream(emulator: Emulator, *, shards: int = 1) -> AsyncIterator[Stream]:
    """A new, active stream on ``emulator``."""
    async with plain_client(emulator, "kinesis") as kinesis:
        made = Stream(kinesis, unique("stream"), shards)
        await made.create()
        yield made


def mapping_of(arn: str, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """A mapping that reads a stream from its beginning, with these settings."""
    return {"event_source_arn": arn, "starting_position": "TRIM_HORIZON", **settings}


def checkpoints(workplace: Workplace, mapping: str = "s") -> dict[str, ShardCheckpoint]:
    """What the checkpoint file of a (running or ended) Headrace says of a mapping's shards."""
    found = remembered(workplace, mapping)
    return {} if found is None else {shard.shard_id: shard.checkpoint for shard in found.shards}


def remembered(workplace: Workplace, mapping: str = "s") -> MappingFound | None:
    """A mapping as the checkpoint file knows it."""
    path = workplace.folder / "checkpoints.db"
    found = look(path) if path.exists() else []
    return next((one for one in found if one.name == mapping), None)


def first_acceptances(notes: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """For each key, the ids in the order in which each was accepted for the first time."""
    order: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for note in notes:
        if "id" in note:
            order[note["key"]][note["id"]] = None
    return {key: list(ids) for key, ids in order.items()}


def by_key(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """What was written, key by key."""
    written: defaultdict[str, list[str]] = defaultdict(list)
    for key, value in pairs:
        written[key].append(value)
    return dict(written)


@dataclass(slots=True)
class Table:
    """A DynamoDB table with a stream of both images; its key is ``pk`` and ``sk``."""

    dynamodb: Any
    name: str
    arn: str

    async def put(self, pk: str, sk: str, **attributes: dict[str, Any]) -> None:
        """PutItem."""
        await self.dynamodb.put_item(TableName=self.name, Item={"pk": {"S": pk}, "sk": {"N": sk}, **attributes})

    async def delete(self, pk: str, sk: str) -> None:
        """DeleteItem."""
        await self.dynamodb.delete_item(TableName=self.name, Key={"pk": {"S": pk}, "sk": {"N": sk}})


@asynccontextmanager
async def table(emulator: Emulator) -> AsyncIterator[Table]:
    """A new table on ``emulator``; ``arn`` is its stream's."""
    async with plain_client(emulator, "dynamodb") as dynamodb:
        name = unique("table")
        created = await dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        yield Table(dynamodb, name, created["TableDescription"]["LatestStreamArn"])
