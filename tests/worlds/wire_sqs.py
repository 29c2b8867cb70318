"""SQS in memory behind its wire: the simulated SQS poller through the real client, with mutated replies to every operation."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from pollers.aws.services.sqs import SqsClient
from tests.worlds.sqs_simulation import Simulation
from tests.worlds.wire_transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pollers.aws.api import EntryFailed, SqsApi
    from tests.worlds.sqs_world import World


class WireSqs:
    """The calls of an :class:`pollers.aws.api.SqsApi` as its JSON; implements :class:`pollers.aws.api.Calls`."""

    def __init__(self, api: SqsApi, transport: Transport) -> None:
        self._api = api
        self._transport = transport

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        """See ``Calls``."""
        return await self._transport.exchange(operation, lambda: self._serve(operation, parameters))

    async def _serve(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        api = self._api
        match operation:
            case "GetQueueUrl":
                return {"QueueUrl": await api.queue_url(asked["QueueName"], asked["QueueOwnerAWSAccountId"])}
            case "GetQueueAttributes":
                return {"Attributes": await api.attributes(asked["QueueUrl"])}
            case "ReceiveMessage":
                messages = await api.receive(
                    asked["QueueUrl"],
                    maximum=asked["MaxNumberOfMessages"],
                    wait_seconds=asked["WaitTimeSeconds"],
                    visibility_seconds=asked.get("VisibilityTimeout"),
                )
                return {"Messages": messages} if messages else {}
            case "DeleteMessageBatch":
                handles = [entry["ReceiptHandle"] for entry in asked["Entries"]]
                return _batch(asked["Entries"], await api.delete(asked["QueueUrl"], handles))
            case "ChangeMessageVisibilityBatch":
                entries = [(entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry in asked["Entries"]]
                return _batch(asked["Entries"], await api.change_visibility(asked["QueueUrl"], entries))
            case other:
                raise NotImplementedError(other)


def _batch(entries: Sequence[Mapping[str, Any]], failed: Sequence[EntryFailed]) -> dict[str, Any]:
    refused = {one.index: one for one in failed}
    return {
        "Successful": [{"Id": entry["Id"]} for index, entry in enumerate(entries) if index not in refused],
        "Failed": [
            {
                "Id": entries[one.index]["Id"],
                "Code": f"AWS.SimpleQueueService.{one.code}",
                "Message": one.message,
                "SenderFault": one.sender_fault,
            }
            for one in failed
        ],
    }


class WireSimulation(Simulation):
    """The same story, told over the wire."""

    def _world(self) -> World:
        world = super()._world()
        rate = random.Random(self.seed + 2).choice((0.02, 0.1, 0.3))
        self.transport = Transport(random.Random(self.seed + 3), rate, lambda: self.api.calm)
        world.api = SqsClient(WireSqs(self.api, self.transport))
        self.sound = False
        return world
