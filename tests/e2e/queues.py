"""Queues for end-to-end tests, through the stock SDK."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pollers.emulators import Emulator


@dataclass(slots=True)
class Queue:
    """A queue with a dead-letter queue."""

    sqs: Any
    url: str
    arn: str
    dead_url: str

    async def send(self, bodies: Sequence[str], *, group: str | None = None) -> None:
        """Send in order, in tens."""
        for start in range(0, len(bodies), 10):
            entries: list[dict[str, Any]] = []
            for index, body in enumerate(bodies[start : start + 10]):
                entry: dict[str, Any] = {"Id": str(index), "MessageBody": body}
                if group is not None:
                    entry |= {
                        "MessageGroupId": group,
                        "MessageDeduplicationId": f"{group}-{start + index}-{hash(body)}",
                    }
                entries.append(entry)
            reply = await self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            assert not reply.get("Failed"), reply

    async def counts(self) -> tuple[int, int]:
        """(visible, in flight)"""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        reply = await self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return int(reply["Attributes"][names[0]]), int(reply["Attributes"][names[1]])

    async def empty(self) -> bool:
        """Whether nothing is in it, visible or in flight."""
        return await self.counts() == (0, 0)

    async def dead(self) -> list[str]:
        """The bodies in the dead-letter queue."""
        bodies: list[str] = []
        while True:
            reply = await self.sqs.receive_message(QueueUrl=self.dead_url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            if not reply.get("Messages"):
                return bodies
            for message in reply["Messages"]:
                bodies.append(message["Body"])
                await self.sqs.delete_message(QueueUrl=self.dead_url, ReceiptHandle=message["ReceiptHandle"])


@asynccontextmanager
async def queue(
    emulator: Emulator, *, fifo: bool = False, visibility: int = 30, maximum_receives: int = 3
) -> AsyncIterator[Queue]:
    """A new queue on ``emulator``."""
    suffix = ".fifo" if fifo else ""
    kind = {"FifoQueue": "true"} if fifo else {}
    async with plain_client(emulator, "sqs") as sqs:
        dead_url = (await sqs.create_queue(QueueName=unique("dead", suffix), Attributes=kind))["QueueUrl"]
        reply = await sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": reply["Attributes"]["QueueArn"], "maxReceiveCount": str(maximum_receives)}
        attributes = {**kind, "VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(redrive)}
        url = (await sqs.create_queue(QueueName=unique("work", suffix), Attributes=attributes))["QueueUrl"]
        reply = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        yield Queue(sqs, url, reply["Attributes"]["QueueArn"], dead_url)
