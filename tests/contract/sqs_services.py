"""The SQS services that the same contract tests run on: emulators through the seam, and the simulations' in-memory one."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Protocol

from tests.worlds.memory_sqs import ACCOUNT, MemorySqs, Queue, Redrive

if TYPE_CHECKING:
    from pollers.aws.api import SqsApi, Wire


class SqsService(Protocol):
    """A service under test, with what tests need beyond :class:`pollers.aws.api.SqsApi`."""

    api: SqsApi
    departures: frozenset[str]

    async def create(self, name: str, *, visibility_seconds: int = 30, redrive: tuple[str, int] | None = None) -> str:
        """Make a queue (FIFO by its name's end); its URL. ``redrive`` is a dead-letter queue's name and maxReceiveCount."""

    async def send(
        self, url: str, body: str, *, group: str | None = None, attributes: dict[str, Wire] | None = None
    ) -> str:
        """Send a message; its id. ``attributes`` are in wire form (binary values in base64)."""


class EmulatorSqs:
    """An emulator, prepared through a stock client ``sdk`` and used through ``api``."""

    def __init__(self, api: SqsApi, sdk: Any, departures: frozenset[str]) -> None:  # noqa: ANN401 - SDK clients have no types
        self.api = api
        self.departures = departures
        self._sdk = sdk
        self._sent = 0

    async def create(self, name: str, *, visibility_seconds: int = 30, redrive: tuple[str, int] | None = None) -> str:
        """CreateQueue."""
        attributes = {"VisibilityTimeout": str(visibility_seconds)}
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        if redrive is not None:
            arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{redrive[0]}"
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": redrive[1]}
            attributes["RedrivePolicy"] = json.dumps(policy)
        return str((await self._sdk.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"])

    async def send(
        self, url: str, body: str, *, group: str | None = None, attributes: dict[str, Wire] | None = None
    ) -> str:
        """SendMessage."""
        self._sent += 1
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": str(self._sent)} if group else {}
        wire = (
            {"MessageAttributes": {name: _for_sdk(value) for name, value in attributes.items()}} if attributes else {}
        )
        return str((await self._sdk.send_message(QueueUrl=url, MessageBody=body, **fifo, **wire))["MessageId"])


def _for_sdk(attribute: Wire) -> Wire:
    """The SDK wants the bytes themselves."""
    if "BinaryValue" in attribute:
        return attribute | {"BinaryValue": base64.b64decode(attribute["BinaryValue"])}
    return attribute


class InMemorySqs:
    """The service that the simulations run on."""

    departures: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._memory = MemorySqs()
        self._queues: dict[str, Queue] = {}
        self._sent = 0
        self.api: SqsApi = self._memory

    async def create(self, name: str, *, visibility_seconds: int = 30, redrive: tuple[str, int] | None = None) -> str:
        """Add a queue."""
        dead_letters = None if redrive is None else Redrive(self._queues[redrive[0]], redrive[1])
        queue = Queue(name, visibility_seconds=visibility_seconds, redrive=dead_letters)
        self._queues[name] = self._memory.add(queue)
        return queue.url

    async def send(
        self, url: str, body: str, *, group: str | None = None, attributes: dict[str, Wire] | None = None
    ) -> str:
        """Put a message."""
        self._sent += 1
        deduplication = str(self._sent) if group else None
        return self._memory.queues[url].put(body, group=group, deduplication=deduplication, attributes=attributes)
