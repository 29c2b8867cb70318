"""Faults in front of the in-memory SQS, all drawn from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import anyio

from pollers.aws.api import NO_ATTRIBUTES, EntryFailed
from pollers.aws.errors import AccessDenied, CredentialsExpired, NotFound, Throttled, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from random import Random

    from pollers.aws.api import MessageAttribute, Wire
    from tests.worlds.memory_sqs import MemorySqs, Message

T = TypeVar("T")


@dataclass(frozen=True)
class Rates:
    """How likely each fault is, for each call or each entry."""

    throttled: float = 0.0
    unavailable: float = 0.0
    lost_reply: float = 0.0
    credentials: float = 0.0
    denied: float = 0.0
    slow: float = 0.0
    entry_failed: float = 0.0
    shown_twice: float = 0.0
    undeleted: float = 0.0
    short: float = 0.0


class FaultySqs:
    """An :class:`pollers.aws.api.SqsApi` that breaks as the real one does. ``calm`` ends that.

    ``outages`` are times at which nothing answers, long enough for visibility timeouts to run out.
    """

    SLOW_SECONDS = 1.5

    def __init__(self, inner: MemorySqs, rates: Rates, random: Random) -> None:
        self._inner = inner
        self._rates = rates
        self._random = random
        self._deleted_copies: list[tuple[float, str, Message]] = []
        self.calm = False
        self.outages: list[tuple[float, float]] = []
        self.shown_after_delete: set[str] = set()
        self.shown_twice: set[str] = set()

    async def queue_url(self, name: str, owner: str) -> str:
        """GetQueueUrl."""
        return await self._call("GetQueueUrl", lambda: self._inner.queue_url(name, owner))

    async def attributes(self, url: str) -> dict[str, str]:
        """GetQueueAttributes."""
        return await self._call("GetQueueAttributes", lambda: self._inner.attributes(url))

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        """ReceiveMessage; may bring less than there is, and show again what it just handed over."""
        self._show_deleted_copies(url)
        if self._hits(self._rates.short):
            maximum = self._random.randint(1, maximum)
        wires = await self._call(
            "ReceiveMessage",
            lambda: self._inner.receive(
                url, maximum=maximum, wait_seconds=wait_seconds, visibility_seconds=visibility_seconds
            ),
        )
        queue = self._inner.queues[url]
        for wire in wires:
            if not queue.fifo and self._hits(self._rates.shown_twice):
                self.shown_twice.add(wire["MessageId"])
                if (message := queue.messages.get(wire["MessageId"])) is not None:
                    queue.show_again(message)
        return wires

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        """DeleteMessageBatch; entries may fail, and a copy of a deleted message may turn up again later."""
        queue = self._inner.queues[url]
        messages = [queue.handles.get(handle) for handle in handles]
        refused = await self._entries("DeleteMessageBatch", list(handles), lambda some: self._inner.delete(url, some))
        for message in messages:
            if message is None or not message.deleted or queue.fifo or message.id in self.shown_after_delete:
                continue
            if self._hits(self._rates.undeleted):
                self.shown_after_delete.add(message.id)
                self._deleted_copies.append((anyio.current_time() + self._random.uniform(0, 60), url, message))
        return refused

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        """ChangeMessageVisibilityBatch; entries may fail."""
        return await self._entries(
            "ChangeMessageVisibilityBatch", list(entries), lambda some: self._inner.change_visibility(url, some)
        )

    async def send(
        self,
        url: str,
        body: str,
        *,
        attributes: Mapping[str, MessageAttribute] = NO_ATTRIBUTES,
        trace_header: str | None = None,
    ) -> None:
        """SendMessage."""
        await self._call(
            "SendMessage", lambda: self._inner.send(url, body, attributes=attributes, trace_header=trace_header)
        )

    def _hits(self, rate: float) -> bool:
        return not self.calm and self._random.random() < rate

    async def _call(self, operation: str, apply: Callable[[], Awaitable[T]]) -> T:
        """Before the service applies the call, or after: then nobody learns of it."""
        await anyio.sleep(self._delay())
        rates = self._rates
        if not self.calm and any(begin <= anyio.current_time() < end for begin, end in self.outages):
            raise Unavailable("ConnectionRefused", "nothing listens", operation=operation)
        if self._hits(rates.throttled):
            raise Throttled("RequestThrottled", "slow down", status=400, operation=operation)
        if self._hits(rates.unavailable):
            raise Unavailable("ServiceUnavailable", "sorry", status=503, operation=operation)
        if self._hits(rates.credentials):
            raise CredentialsExpired("ExpiredToken", "expired", status=400, operation=operation)
        if self._hits(rates.denied):
            kind = self._random.choice([AccessDenied, NotFound])
            raise kind("AccessDenied", "not now", status=403, operation=operation)
        result = await apply()
        await anyio.sleep(self._delay())
        if self._hits(rates.lost_reply):
            raise Unavailable("ConnectionClosed", "after it was applied", operation=operation)
        return result

    async def _entries(
        self, operation: str, entries: list[T], apply: Callable[[list[T]], Awaitable[list[EntryFailed]]]
    ) -> list[EntryFailed]:
        passed = [index for index in range(len(entries)) if not self._hits(self._rates.entry_failed)]
        if len(passed) == len(entries):
            return await self._call(operation, lambda: apply(entries))
        failed = [
            EntryFailed(index, "InternalError", "try again", sender_fault=False)
            for index in range(len(entries))
            if index not in passed
        ]
        if not passed:
            await anyio.sleep(self._delay())
            return failed
        refused = await self._call(operation, lambda: apply([entries[index] for index in passed]))
        return failed + [EntryFailed(passed[one.index], one.code, one.message, one.sender_fault) for one in refused]

    def _delay(self) -> float:
        if self._hits(self._rates.slow):
            return self._random.uniform(0, self.SLOW_SECONDS)
        return self._random.uniform(0.001, 0.02)

    def _show_deleted_copies(self, url: str) -> None:
        now = anyio.current_time()
        for due in [due for due in self._deleted_copies if due[0] <= now and due[1] == url]:
            self._deleted_copies.remove(due)
            self._inner.queues[url].show_deleted_copy(due[2])
