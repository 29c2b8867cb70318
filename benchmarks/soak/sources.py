"""The soak's sources: made on the emulators and filled through the plain SDK, past the proxies; all that is sent is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import anyio

from pollers.demo.books import Sent
from pollers.demo.world import ACCOUNT, REGION

if TYPE_CHECKING:
    from random import Random

    from pollers.demo.world import World

LANES = 20
SHARDS = 3
MOST_SHARDS = 8
VISIBILITY_SECONDS = 10
MAXIMUM_RECEIVES = 1000
"""Never reached: everything fails now and then, nothing always."""

_DEPTHS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


class Source(Protocol):
    """One source, the settings of its mapping, and what was sent to it."""

    mapping: str
    ordered: bool
    sent: Sent

    @property
    def settings(self) -> dict[str, object]:
        """Of its mapping."""

    async def create(self) -> None:
        """Make it."""

    async def send(self, count: int) -> None:
        """Send so many more, in order."""

    async def left(self) -> int:
        """How many are still in it, as far as the service tells."""


class Queue:
    """A queue, standard or FIFO, with a dead-letter queue that is to stay empty."""

    def __init__(self, world: World, mapping: str, *, fifo: bool) -> None:
        self.mapping = mapping
        self.ordered = fifo
        self.sent = Sent()
        self._world = world
        self._suffix = ".fifo" if fifo else ""
        self._urls: tuple[str, str] = ("", "")

    @property
    def settings(self) -> dict[str, object]:
        """A short window for the standard one; FIFO queues take none."""
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.mapping}{self._suffix}"
        window = {} if self.ordered else {"maximum_batching_window_in_seconds": 1}
        return {"event_source_arn": arn, "batch_size": 10, "visibility": {"retry_delay": 1}, **window}

    async def create(self) -> None:
        """With a visibility timeout that is soon over, as replies are lost all the time."""
        sqs = await self._world.client("sqs")
        kind = {"FifoQueue": "true"} if self.ordered else {}
        dead = f"{self.mapping}-dead{self._suffix}"
        dead_url = (await sqs.create_queue(QueueName=dead, Attributes=kind))["QueueUrl"]
        redrive = (
            f'{{"deadLetterTargetArn": "arn:aws:sqs:{REGION}:{ACCOUNT}:{dead}", "maxReceiveCount": {MAXIMUM_RECEIVES}}}'
        )
        attributes = {**kind, "VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": redrive}
        made = await sqs.create_queue(QueueName=self.mapping + self._suffix, Attributes=attributes)
        self._urls = made["QueueUrl"], dead_url

    async def send(self, count: int) -> None:
        """In tens; a FIFO queue's groups take turns."""
        sqs = await self._world.client("sqs")
        for start in range(0, count, 10):
            entries = [self._entry(index) for index in range(min(10, count - start))]
            reply = await sqs.send_message_batch(QueueUrl=self._urls[0], Entries=entries)
            assert not reply.get("Failed"), reply

    def _entry(self, index: int) -> dict[str, str]:
        number = len(self.sent.ids)
        identifier = f"{self.mapping}-{number:07}"
        lane = f"group-{number % LANES}" if self.ordered else None
        self.sent.add(identifier, lane=lane)
        entry = {"Id": str(index), "MessageBody": identifier}
        return entry if lane is None else {**entry, "MessageGroupId": lane, "MessageDeduplicationId": identifier}

    async def left(self) -> int:
        """In both queues, visible or not."""
        sqs = await self._world.client("sqs")
        replies = [await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_DEPTHS)) for url in self._urls]
        return sum(int(value) for reply in replies for value in reply["Attributes"].values())


class Stream:
    """A Kinesis stream that is split and merged while it is read; the order of each key counts."""

    mapping = "clicks"
    ordered = True

    def __init__(self, world: World, endpoint_url: str, random: Random) -> None:
        self.sent = Sent()
        self.reshardings = 0
        self._world = world
        self._endpoint_url = endpoint_url
        self._random = random

    @property
    def settings(self) -> dict[str, object]:
        """With lanes."""
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.mapping}"
        return {
            **{"event_source_arn": arn, "starting_position": "TRIM_HORIZON", "batch_size": 20},
            **{"parallelization_factor": 2, "bisect_batch_on_function_error": True},
        }

    async def create(self) -> None:
        """And wait until it is active."""
        kinesis = await self._world.client("kinesis", self._endpoint_url)
        await kinesis.create_stream(StreamName=self.mapping, ShardCount=SHARDS)
        await self._active()

    async def send(self, count: int) -> None:
        """Keys take turns."""
        kinesis = await self._world.client("kinesis")
        entries = []
        for number in range(len(self.sent.ids), len(self.sent.ids) + count):
            identifier, lane = f"{self.mapping}-{number:07}", f"key-{number % (LANES * 5)}"
            self.sent.add(identifier, lane=lane)
            entries.append({"PartitionKey": lane, "Data": identifier.encode()})
        reply = await kinesis.put_records(StreamName=self.mapping, Records=entries)
        assert not reply["FailedRecordCount"], reply

    async def reshard(self) -> None:
        """Split a shard, or merge two neighbours."""
        kinesis = await self._world.client("kinesis")
        ranges = await self.open_shards()
        self.reshardings += 1
        if len(ranges) == 1 or (len(ranges) < MOST_SHARDS and self._random.random() < 0.5):
            shard, least, most = self._random.choice(ranges)
            await kinesis.split_shard(
                StreamName=self.mapping, ShardToSplit=shard, NewStartingHashKey=str((least + most) // 2)
            )
        else:
            place = self._random.randrange(len(ranges) - 1)
            one, other = ranges[place][0], ranges[place + 1][0]
            await kinesis.merge_shards(StreamName=self.mapping, ShardToMerge=one, AdjacentShardToMerge=other)
        await self._active()

    async def open_shards(self) -> list[tuple[str, int, int]]:
        """Those that can be written to, with their hash keys, in their order."""
        kinesis = await self._world.client("kinesis")
        shards: list[dict[str, Any]] = (await kinesis.list_shards(StreamName=self.mapping))["Shards"]
        found = [
            (s["ShardId"], int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]))
            for s in shards
            if "EndingSequenceNumber" not in s["SequenceNumberRange"]
        ]
        return sorted(found, key=lambda shard: shard[1])

    async def left(self) -> int:
        """A stream keeps what was read."""
        return 0

    async def _active(self) -> None:
        kinesis = await self._world.client("kinesis")
        with anyio.fail_after(60):
            while True:
                reply = await kinesis.describe_stream_summary(StreamName=self.mapping)
                if reply["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
                    return
                await anyio.sleep(0.05)


class Table:
    """The changes of a DynamoDB table; the order of each item's changes counts."""

    mapping = "changes"
    ordered = True

    def __init__(self, world: World) -> None:
        self.sent = Sent()
        self._world = world
        self._arn = ""

    @property
    def settings(self) -> dict[str, object]:
        """From the beginning."""
        return {"event_source_arn": self._arn, "starting_position": "TRIM_HORIZON", "batch_size": 20}

    async def create(self) -> None:
        """With its stream."""
        dynamodb = await self._world.client("dynamodb")
        made = await dynamodb.create_table(
            TableName=self.mapping,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self._arn = made["TableDescription"]["LatestStreamArn"]

    async def send(self, count: int) -> None:
        """Items take turns."""
        dynamodb = await self._world.client("dynamodb")
        for number in range(len(self.sent.ids), len(self.sent.ids) + count):
            identifier, item = f"{self.mapping}-{number:07}", f"item-{number % LANES}"
            self.sent.add(identifier, lane=item)
            await dynamodb.put_item(TableName=self.mapping, Item={"id": {"S": item}, "change": {"S": identifier}})

    async def left(self) -> int:
        """A stream keeps what was read."""
        return 0
