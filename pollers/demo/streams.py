"""The demo's streams: clicks on a Kinesis stream that is resharded while they are read, and the changes of a DynamoDB table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio

from pollers.demo.world import ACCOUNT, REGION, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.demo.world import World

SHARDS = 4
VISITORS = 200
PUT_LIMIT = 100
ITEMS = 50


class ClickStream:
    """A Kinesis stream of clicks by visitors, whose order counts; one shard is split and two are merged half way."""

    def __init__(self, world: World, mapping: str, endpoint_url: str, total: int) -> None:
        self.source = Source(mapping, f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks", total)
        self._world = world
        self._endpoint_url = endpoint_url

    async def create(self) -> None:
        """Make the stream and wait until it is active."""
        kinesis = await self._world.client("kinesis", self._endpoint_url)
        await kinesis.create_stream(StreamName="clicks", ShardCount=SHARDS)
        await self._active()

    async def _active(self) -> None:
        kinesis = await self._world.client("kinesis")
        with anyio.fail_after(60):
            while True:
                reply = await kinesis.describe_stream_summary(StreamName="clicks")
                if reply["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
                    return
                await anyio.sleep(0.1)

    async def fill(self) -> None:
        """Send everything in order, resharding half way."""
        kinesis = await self._world.client("kinesis")
        half = self.source.total // 2
        for start in range(0, self.source.total, PUT_LIMIT):
            if start <= half < start + PUT_LIMIT:
                await self._reshard()
            entries = list(self._clicks(start, min(self.source.total, start + PUT_LIMIT)))
            reply = await kinesis.put_records(StreamName="clicks", Records=entries)
            if reply["FailedRecordCount"]:
                raise RuntimeError(f"could not send clicks: {reply['Records'][0]}")

    def _clicks(self, start: int, end: int) -> Iterator[dict[str, str | bytes]]:
        for number in range(start, end):
            visitor = f"visitor-{number * 7 % VISITORS}"
            identifier = f"click-{number:05}"
            self.source.sent.add(identifier, lane=visitor)
            yield {"PartitionKey": visitor, "Data": json.dumps({"id": identifier, "visitor": visitor}).encode()}

    async def _reshard(self) -> None:
        kinesis = await self._world.client("kinesis")
        shards = (await kinesis.list_shards(StreamName="clicks"))["Shards"]
        first = shards[0]["HashKeyRange"]
        middle = (int(first["StartingHashKey"]) + int(first["EndingHashKey"])) // 2
        await kinesis.split_shard(
            StreamName="clicks", ShardToSplit=shards[0]["ShardId"], NewStartingHashKey=str(middle)
        )
        await self._active()
        await kinesis.merge_shards(
            StreamName="clicks", ShardToMerge=shards[2]["ShardId"], AdjacentShardToMerge=shards[3]["ShardId"]
        )
        await self._active()


class TableStream:
    """The changes of a DynamoDB table; the order of each item's changes counts."""

    def __init__(self, world: World, mapping: str, total: int) -> None:
        self.source = Source(mapping, "", total)
        self._world = world

    async def create(self) -> None:
        """Make the table with its stream."""
        dynamodb = await self._world.client("dynamodb")
        await dynamodb.create_table(
            TableName="customers",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        with anyio.fail_after(60):
            while not self.source.arn:
                reply = await dynamodb.describe_table(TableName="customers")
                self.source.arn = reply["Table"].get("LatestStreamArn") or ""
                await anyio.sleep(0.05)

    async def fill(self) -> None:
        """Write every change in order."""
        dynamodb = await self._world.client("dynamodb")
        for number in range(self.source.total):
            item, identifier = f"customer-{number % ITEMS}", f"change-{number:05}"
            self.source.sent.add(identifier, lane=item)
            await dynamodb.put_item(TableName="customers", Item={"id": {"S": item}, "change": {"S": identifier}})
