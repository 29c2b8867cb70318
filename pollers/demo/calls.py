"""The demo's asynchronous calls: invoices, which the plain SDK sends to Lambda's API, and a report that a schedule asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio

from pollers.demo.world import ACCOUNT, REGION, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.demo.world import World

SENDERS = 4
ACCEPTED = 202


class InvoiceCalls:
    """Events for a function that tries each once. Two queues are told how each event ended: one of successes, one of failures."""

    def __init__(self, world: World, function: str, total: int, poison: int) -> None:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        self.source = Source(function, arn, total, maximum_receives=1, function=function)
        self.api_url = ""
        """Lambda's API, once it listens."""
        self._world = world
        self._poison = poison
        self._done_url = self._failed_url = ""

    async def create(self) -> None:
        """Make both queues."""
        self._done_url = await self._world.queue(f"{self.source.mapping}-done")
        self._failed_url = await self._world.queue(f"{self.source.mapping}-failed")

    async def fill(self) -> None:
        """Call the function with everything, several calls at a time."""
        client, events = await self._world.client("lambda", self.api_url), self._events()
        async with anyio.create_task_group() as group:
            for _ in range(SENDERS):
                group.start_soon(self._call_all, client, events)

    async def _call_all(self, client: Any, events: Iterator[dict[str, object]]) -> None:  # noqa: ANN401 - an SDK client
        for event in events:
            self.source.sent.add(str(event["id"]), poison=bool(event["poison"]))
            reply = await client.invoke(
                FunctionName=self.source.mapping, InvocationType="Event", Payload=json.dumps(event)
            )
            if reply["StatusCode"] != ACCEPTED:
                raise RuntimeError(f"could not call {self.source.mapping}: {reply}")

    def _events(self) -> Iterator[dict[str, object]]:
        every = max(1, self.source.total // self._poison)
        for number in range(self.source.total):
            poison = number % every == every // 2 and number // every < self._poison
            yield {"id": f"invoice-{number:05}", "source": self.source.arn, "poison": poison}

    async def look(self) -> tuple[int, int]:
        """How many events have no record yet, and how many have one of a failure."""
        done, failed = await self._world.depth(self._done_url), await self._world.depth(self._failed_url)
        return max(0, self.source.total - done - failed), failed

    async def dead_letters(self) -> list[str]:
        """The ids of the events that failed, by their records."""
        return await self._recorded(self._failed_url)

    async def done(self) -> list[str]:
        """The ids of the events that succeeded, by their records."""
        return await self._recorded(self._done_url)

    async def _recorded(self, url: str) -> list[str]:
        return [json.loads(body)["requestPayload"]["id"] async for body in self._world.drained(url)]


class ScheduledReport:
    """A schedule whose first run is at once, and whose next is a day later."""

    def __init__(self, schedule: str, function: str) -> None:
        self.source = Source(schedule, "schedule", 1, function=function)

    async def create(self) -> None:
        """Nothing to make: the schedule is in the configuration."""

    async def fill(self) -> None:
        """Nothing to send: Headrace calls by itself."""
        self.source.sent.add(self.source.mapping)
