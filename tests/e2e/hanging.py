"""A service that answers what it is told to, and accepts everything else without ever answering."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
CONSUMER = f"{STREAM}/consumer/reader:1700000000"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/users/stream/2024-01-01T00:00:00.000"
SHARD = {
    "ShardId": "shardId-000000000000",
    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)},
    "SequenceNumberRange": {"StartingSequenceNumber": "1"},
}
RECORD = {
    "SequenceNumber": "49590338271490256608559692538361571095921575989136588898",
    "ApproximateArrivalTimestamp": 1_700_000_000.0,
    "Data": "e30=",
    "PartitionKey": "1",
}
MESSAGE = {
    "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "ReceiptHandle": "handle",
    "MD5OfBody": "99914b932bd37a50b983c5e7c90ae93b",
    "Body": "{}",
    "Attributes": {
        "SenderId": "000000000000",
        "SentTimestamp": "1700000000000",
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": "1700000000000",
    },
}


def attributes(visibility_seconds: int) -> dict[str, Any]:
    """A queue's attributes, as far as anybody needs them."""
    depths = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    return {"Attributes": {"VisibilityTimeout": str(visibility_seconds), **dict.fromkeys(depths, "0")}}


SQS: dict[str, Any] = {
    "GetQueueUrl": {"QueueUrl": "http://127.0.0.1/000000000000/orders"},
    "GetQueueAttributes": attributes(30),
}
KINESIS = {
    "DescribeStreamSummary": {
        "StreamDescriptionSummary": {
            "StreamName": "clicks",
            "StreamARN": STREAM,
            "StreamStatus": "ACTIVE",
            "StreamCreationTimestamp": 1_700_000_000.0,
            "RetentionPeriodHours": 24,
            "OpenShardCount": 1,
        }
    },
    "ListShards": {"Shards": [SHARD]},
    "GetShardIterator": {"ShardIterator": "first"},
}
DYNAMODB = {
    "DescribeStream": {
        "StreamDescription": {
            "StreamArn": TABLE,
            "StreamStatus": "ENABLED",
            "CreationRequestDateTime": 1_700_000_000.0,
            "Shards": [SHARD],
        }
    },
    "GetShardIterator": {"ShardIterator": "first"},
}


def confirmed(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a batch call of which every entry is done."""
    return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}


def another_message(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a receive, with one message that nobody has seen before."""
    return {"Messages": [{**MESSAGE, "MessageId": str(uuid.uuid4())}]}


@dataclass
class Service:
    """``answers``: by operation, a reply for ever (or what makes one of a request) or, in a list, replies for the first calls.

    ``asked`` counts calls, which take ``takes_seconds``.
    """

    answers: dict[str, Any]
    asked: Counter[str] = field(default_factory=Counter)
    takes_seconds: dict[str, float] = field(default_factory=dict)
    connections: int = 0
    port: int = 0
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        if task := asyncio.current_task():
            self.tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length") or 0))
                operation = headers.get("x-amz-target", head[0]).rpartition(".")[2]
                await self._answer(operation, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()

    async def _answer(self, operation: str, request: bytes, writer: asyncio.StreamWriter) -> None:
        answer = self.answers.get(operation)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if callable(answer):
            answer = answer(json.loads(request))
        self.asked[operation] += 1
        if answer is None:
            await asyncio.Event().wait()
        await asyncio.sleep(self.takes_seconds.get(operation, 0))
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)


@asynccontextmanager
async def hanging(answers: dict[str, Any] | None = None) -> AsyncIterator[Service]:
    """Such a service on a port of its own."""
    service = Service(dict(answers or {}))
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        for task in service.tasks:
            task.cancel()
        await asyncio.gather(*service.tasks, return_exceptions=True)
