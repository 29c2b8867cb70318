"""The demo's sources: created on the emulators, filled, watched and emptied through the plain SDK, not through Headrace."""

from __future__ import annotations

import itertools
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from aiobotocore.session import get_session

from pollers.demo.books import Sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

REGION = "us-east-1"
ACCOUNT = "000000000000"
MAXIMUM_RECEIVES = 3
GROUPS = 20
SENDERS = 4
DEPTHS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(slots=True)
class Source:
    """One source: its ARN, as the functions' journals name it, what was sent, and how many events that will be.

    ``mapping`` is its name; ``function`` is given where there is no mapping, and the asynchronous queue calls the function.
    """

    mapping: str
    arn: str
    total: int
    sent: Sent = field(default_factory=Sent)
    maximum_receives: int | None = None
    depth: int | None = None
    shards: int | None = None
    function: str | None = None


class World:
    """The emulators' clients, and the sources made on them."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}

    async def __aenter__(self) -> World:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def client(self, service: str, endpoint_url: str | None = None) -> Any:  # noqa: ANN401 - an SDK client
        """The plain SDK client of a service."""
        if service not in self._clients:
            making = get_session().create_client(
                service,
                region_name=REGION,
                endpoint_url=endpoint_url or self.endpoint_url,
                aws_access_key_id="demo",
                aws_secret_access_key="demo",  # noqa: S106 - emulators take any
            )
            self._clients[service] = await self._stack.enter_async_context(making)
        return self._clients[service]

    async def queue(self, name: str, attributes: dict[str, str] | None = None) -> str:
        """Make a queue; its URL."""
        sqs = await self.client("sqs")
        url: str = (await sqs.create_queue(QueueName=name, Attributes=attributes or {}))["QueueUrl"]
        return url

    async def depth(self, url: str) -> int:
        """How many messages a queue has, visible or not."""
        sqs = await self.client("sqs")
        reply = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(DEPTHS))
        return sum(int(reply["Attributes"].get(name, 0)) for name in DEPTHS)

    async def drained(self, url: str) -> AsyncIterator[str]:
        """The bodies of all messages of a queue, taken out of it."""
        sqs = await self.client("sqs")
        while True:
            reply = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            messages = reply.get("Messages", [])
            if not messages:
                return
            entries = [
                {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]} for place, message in enumerate(messages)
            ]
            await sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            for message in messages:
                yield message["Body"]


class QueueSource:
    """A queue with its dead-letter queue."""

    def __init__(self, world: World, mapping: str, name: str, total: int, poison: int) -> None:
        self.fifo = name.endswith(".fifo")
        self.source = Source(
            mapping, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", total, maximum_receives=MAXIMUM_RECEIVES
        )
        self._world = world
        self._name = name
        self._poison = poison
        self._url = ""
        self._dead_url = ""

    async def create(self) -> None:
        """Make both queues."""
        stem, dot, suffix = self._name.partition(".")
        dead_name = f"{stem}-dlq{dot}{suffix}"
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if self.fifo else {}
        self._dead_url = await self._world.queue(dead_name, attributes)
        redrive = {
            "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{dead_name}",
            "maxReceiveCount": MAXIMUM_RECEIVES,
        }
        attributes |= {"VisibilityTimeout": "60", "RedrivePolicy": json.dumps(redrive)}
        self._url = await self._world.queue(self._name, attributes)

    async def fill(self) -> None:
        """Send everything, several senders at a time (one for a FIFO queue, whose order is checked)."""
        batches = iter(list(_tens(self._messages())))
        async with anyio.create_task_group() as group:
            for _ in range(1 if self.fifo else SENDERS):
                group.start_soon(self._send_all, batches)

    async def _send_all(self, batches: Iterator[list[dict[str, str]]]) -> None:
        sqs = await self._world.client("sqs")
        for batch in batches:
            for entry in batch:
                body = json.loads(entry["MessageBody"])
                self.source.sent.add(body["id"], lane=entry.get("MessageGroupId"), poison=body["poison"])
            reply = await sqs.send_message_batch(QueueUrl=self._url, Entries=batch)
            if reply.get("Failed"):
                raise RuntimeError(f"could not send to {self._name}: {reply['Failed'][0]}")

    def _messages(self) -> Iterator[dict[str, str]]:
        """The messages, some of which are poison.

        In a standard queue poison is spread evenly. In a FIFO queue it comes last in its group. There SQS raises the receive count
        of all messages of a receive, so good messages behind a poison one would be dead-lettered with it.
        """
        for number in range(self.source.total):
            body = {"id": f"{self._name}-{number:05}", "poison": self._is_poison(number), "amount": number % 97}
            entry = {"Id": str(number % 10), "MessageBody": json.dumps(body)}
            if self.fifo:
                entry["MessageGroupId"] = f"group-{number % GROUPS}"
            yield entry

    def _is_poison(self, number: int) -> bool:
        if self.fifo:
            return self.source.total - GROUPS <= number < self.source.total - GROUPS + self._poison
        every = max(1, self.source.total // self._poison)
        return number % every == every // 2 and number // every < self._poison

    async def look(self) -> tuple[int, int]:
        """How many messages are in the queue (visible or not), and how many in its dead-letter queue."""
        depth, dead = await self._world.depth(self._url), await self._world.depth(self._dead_url)
        self.source.depth = depth
        return depth, dead

    async def dead_letters(self) -> list[str]:
        """The ids in the dead-letter queue, taken out of it."""
        return [json.loads(body)["id"] async for body in self._world.drained(self._dead_url)]


def _tens(entries: Iterator[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    while batch := list(itertools.islice(entries, 10)):
        yield batch
