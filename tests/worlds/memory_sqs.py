"""SQS in memory, as far as pollers can tell it from the real one; held to emulators by ``tests/contract``.

Standard and FIFO queues: receipt handles, visibility, delays, long polls, redrive to a dead-letter queue, deduplication, the lock
of a message group, the limit of messages in flight. Time is ``anyio.current_time()``, so that it runs under virtual time as well.
Faults are put in front of it by :mod:`tests.worlds.faulty_sqs`.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from pollers.aws.api import NO_ATTRIBUTES, EntryFailed, MessageAttribute, Wire
from pollers.aws.errors import NotFound, Refused, Throttled
from pollers.aws.services.attributes import spelled_attributes
from tests.worlds.call_faults import AtOnce

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.worlds.call_faults import Faults

ACCOUNT = "000000000000"
REGION = "us-east-1"
RECEIVES_LIMIT = 10
TOTAL_VISIBILITY_SECONDS = 43_200
DEDUPLICATION_SECONDS = 300.0
NOT_AVAILABLE = "Reason: Message does not exist or is not available for visibility timeout change."


@dataclass(eq=False, slots=True)
class Message:
    """One message, with everything that was ever done to it."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    sequence: int
    group: str | None = None
    deduplication: str | None = None
    attributes: dict[str, Wire] = field(default_factory=dict)
    trace_header: str | None = None
    receive_count: int = 0
    died_after: int | None = None
    first_received_at: float | None = None
    received_at: float = 0.0
    handle: str | None = None
    deleted: bool = False
    dead_letter_source: str | None = None

    def in_flight(self, now: float) -> bool:
        """Whether it was received and is hidden for that."""
        return self.handle is not None and self.visible_at > now


@dataclass(frozen=True, slots=True)
class Redrive:
    """Where messages go that have been received ``maximum`` times."""

    queue: Queue
    maximum: int


class Queue:
    """One queue and its messages. ``unlocks_early``: a group is released as soon as one of its messages is (as LocalStack does).

    ``on_deleted`` is told of each message that somebody deletes.
    """

    def __init__(
        self,
        name: str,
        *,
        visibility_seconds: int = 30,
        delay_seconds: float = 0.0,
        redrive: Redrive | None = None,
        in_flight_limit: int = 120_000,
        content_deduplication: bool = False,
        unlocks_early: bool = False,
        seed: int = 0,
    ) -> None:
        self.name = name
        self.fifo = name.endswith(".fifo")
        self.arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        self.url = f"http://sqs.{REGION}.localhost/{ACCOUNT}/{name}"
        self.visibility_seconds = visibility_seconds
        self.delay_seconds = delay_seconds
        self.redrive = redrive
        self.in_flight_limit = in_flight_limit
        self.content_deduplication = content_deduplication
        self.unlocks_early = unlocks_early
        self.messages: dict[str, Message] = {}
        self.handles: dict[str, Message] = {}
        self._seen: dict[str, tuple[float, Message]] = {}
        self._random = random.Random(seed)
        self._locked_at: dict[str | None, float] = {}
        self._sent = 0
        self._handed = 0
        self.changed = anyio.Event()
        self.on_deleted: Callable[[Message], None] = lambda message: None

    def put(
        self,
        body: str,
        *,
        group: str | None = None,
        deduplication: str | None = None,
        attributes: dict[str, Wire] | None = None,
        delay_seconds: float | None = None,
        trace_header: str | None = None,
    ) -> str:
        """SendMessage; the message's id."""
        if self.fifo and group is None:
            raise Refused("MissingParameter", "The request must contain the parameter MessageGroupId.", status=400)
        now = anyio.current_time()
        if self.fifo and deduplication is None:
            deduplication = self._content_deduplication(body)
        known = self._seen.get(deduplication) if deduplication is not None else None
        if self.fifo and known is not None and now < known[0] + DEDUPLICATION_SECONDS:
            return known[1].id
        delay = self.delay_seconds if delay_seconds is None else delay_seconds
        message = Message(
            id=self._new_id(),
            body=body,
            sent_at=now,
            visible_at=now + delay,
            sequence=self._sent,
            group=group,
            deduplication=deduplication,
            attributes=attributes or {},
            trace_header=trace_header,
        )
        if deduplication is not None:
            self._seen[deduplication] = (now, message)
        self._add(message)
        return message.id

    def take_over(self, message: Message, source: str) -> None:
        """A message from another queue's redrive; it keeps its id and its receive count starts again."""
        message.handle, message.visible_at = None, anyio.current_time()
        message.died_after, message.receive_count, message.first_received_at = message.receive_count, 0, None
        message.dead_letter_source = source
        self._add(message)

    def wake(self) -> None:
        """Tell long polls that something may have become visible."""
        self.changed.set()
        self.changed = anyio.Event()

    def pick(self, maximum: int, visibility_seconds: int) -> list[Wire]:
        """What a receive gets now: nothing hidden, nothing behind a locked group, nothing received too often."""
        now = anyio.current_time()
        if self.in_flight(now) >= self.in_flight_limit:
            if self.fifo:
                return []
            raise Throttled("OverLimit", "Too many messages in flight.", status=403, operation="ReceiveMessage")
        picked: list[Message] = []
        for message in self._candidates(now):
            if len(picked) == maximum:
                break
            if self.redrive is not None and message.receive_count >= self.redrive.maximum:
                self._remove(message)
                self.redrive.queue.take_over(message, self.arn)
            else:
                picked.append(message)
        return [self._hand_over(message, now, visibility_seconds) for message in picked]

    def next_visible_at(self, now: float) -> float | None:
        """When the next hidden message appears by itself."""
        return min((m.visible_at for m in self.messages.values() if m.visible_at > now), default=None)

    def in_flight(self, now: float) -> int:
        """ApproximateNumberOfMessagesNotVisible."""
        return sum(1 for m in self.messages.values() if m.in_flight(now))

    def attributes(self) -> dict[str, str]:
        """GetQueueAttributes, all of them strings."""
        now = anyio.current_time()
        flying = self.in_flight(now)
        delayed = sum(1 for m in self.messages.values() if m.handle is None and m.visible_at > now)
        attributes = {
            "QueueArn": self.arn,
            "VisibilityTimeout": str(self.visibility_seconds),
            "DelaySeconds": str(int(self.delay_seconds)),
            "ApproximateNumberOfMessages": str(len(self.messages) - flying - delayed),
            "ApproximateNumberOfMessagesNotVisible": str(flying),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
        }
        if self.fifo:
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": str(self.content_deduplication).lower()}
        if self.redrive is not None:
            policy = f'{{"deadLetterTargetArn":"{self.redrive.queue.arn}","maxReceiveCount":{self.redrive.maximum}}}'
            attributes["RedrivePolicy"] = policy
        return attributes

    def delete(self, handle: str) -> tuple[str, str] | None:
        """DeleteMessage; what is wrong, as code and message."""
        if (message := self.handles.get(handle)) is None:
            return "ReceiptHandleIsInvalid", f'The input receipt handle "{handle[:40]}" is not a valid receipt handle.'
        if message.deleted:
            return None
        if self.fifo and (message.handle != handle or not message.in_flight(anyio.current_time())):
            return "InvalidParameterValue", "The receipt handle has expired"
        if message.handle == handle:
            self._remove(message)
            message.deleted = True
            self.on_deleted(message)
            self.wake()
        # On a standard queue the delete of a message that was received again since succeeds and deletes nothing.
        return None

    def change_visibility(self, handle: str, seconds: int) -> tuple[str, str] | None:
        """ChangeMessageVisibility; what is wrong, as code and message."""
        if (message := self.handles.get(handle)) is None:
            return "ReceiptHandleIsInvalid", f'The input receipt handle "{handle[:40]}" is not a valid receipt handle.'
        now = anyio.current_time()
        if message.deleted or message.handle != handle or not message.in_flight(now):
            return (
                "InvalidParameterValue",
                f"Value {handle[:40]} for parameter ReceiptHandle is invalid. {NOT_AVAILABLE}",
            )
        if now + seconds > message.received_at + TOTAL_VISIBILITY_SECONDS:
            return (
                "InvalidParameterValue",
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
            )
        message.visible_at = now + seconds
        self.wake()
        return None

    def show_again(self, message: Message) -> None:
        """At-least-once delivery's own doing: a message appears though it is in flight."""
        message.visible_at = anyio.current_time()
        self.wake()

    def show_deleted_copy(self, message: Message) -> None:
        """A server of the service's that missed the delete shows its copy."""
        if message.deleted:
            message.deleted, message.handle, message.visible_at = False, None, anyio.current_time()
            self._add(message)

    def _candidates(self, now: float) -> list[Message]:
        visible = [m for m in self.messages.values() if m.visible_at <= now]
        if not self.fifo:
            if len(visible) > 1:
                self._random.shuffle(visible)  # best-effort ordering, at its worst
            return visible
        visible.sort(key=lambda message: message.sequence)
        if self.unlocks_early:
            free = {m.group for m in visible if m.visible_at > self._locked_at.get(m.group, 0.0)} | self._unlocked(now)
        else:
            free = self._unlocked(now)
        return [m for m in visible if m.group in free]

    def _unlocked(self, now: float) -> set[str | None]:
        locked = {m.group for m in self.messages.values() if m.in_flight(now)}
        return {m.group for m in self.messages.values()} - locked

    def _hand_over(self, message: Message, now: float, visibility_seconds: int) -> Wire:
        self._handed += 1
        message.handle = f"handle-{self.name}-{self._handed}-{message.id[:8]}"
        self.handles[message.handle] = message
        message.visible_at = now + visibility_seconds
        message.received_at = self._locked_at[message.group] = now
        message.receive_count += 1
        if message.first_received_at is None:
            message.first_received_at = now
        return _wire(message, self.fifo)

    def _content_deduplication(self, body: str) -> str:
        if self.content_deduplication:
            return hashlib.sha256(body.encode()).hexdigest()
        text = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided"
        raise Refused("InvalidParameterValue", text, status=400)

    def _new_id(self) -> str:
        self._sent += 1
        digest = hashlib.md5(f"{self.name}/{self._sent}".encode(), usedforsecurity=False).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"

    def _add(self, message: Message) -> None:
        self.messages[message.id] = message
        self.wake()

    def _remove(self, message: Message) -> None:
        self.messages.pop(message.id, None)


def _wire(message: Message, fifo: bool) -> Wire:
    attributes = {
        "ApproximateReceiveCount": str(message.receive_count),
        "SentTimestamp": str(int(message.sent_at * 1000)),
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": str(int((message.first_received_at or 0.0) * 1000)),
    }
    if message.group is not None:
        attributes["MessageGroupId"] = message.group
    if fifo:
        attributes["SequenceNumber"] = str(18_849_496_460_467_696_128 + message.sequence)
        attributes["MessageDeduplicationId"] = message.deduplication or ""
    if message.trace_header is not None:
        attributes["AWSTraceHeader"] = message.trace_header
    if message.dead_letter_source is not None:
        attributes["DeadLetterQueueSourceArn"] = message.dead_letter_source
    wire: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": hashlib.md5(message.body.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest(),
        "Body": message.body,
        "Attributes": attributes,
    }
    if message.attributes:
        wire["MessageAttributes"] = message.attributes
        wire["MD5OfMessageAttributes"] = hashlib.md5(
            repr(message.attributes).encode(), usedforsecurity=False
        ).hexdigest()
    return wire


class MemorySqs:
    """Every queue of one region: the :class:`pollers.aws.api.SqsApi` itself. ``faults`` may be set at any time."""

    def __init__(self, *queues: Queue, faults: Faults | None = None) -> None:
        self.queues = {queue.url: queue for queue in queues}
        self.faults: Faults = faults or AtOnce()
        self.receives = 0

    def add(self, queue: Queue) -> Queue:
        """One more queue."""
        self.queues[queue.url] = queue
        return queue

    async def queue_url(self, name: str, owner: str) -> str:
        """GetQueueUrl."""
        await self.faults.before("queue_url")
        for queue in self.queues.values():
            if queue.name == name and owner == ACCOUNT:
                await self.faults.after("queue_url")
                return queue.url
        raise _no_queue("GetQueueUrl")

    async def attributes(self, url: str) -> dict[str, str]:
        """GetQueueAttributes."""
        await self.faults.before("attributes")
        attributes = self._queue(url, "GetQueueAttributes").attributes()
        await self.faults.after("attributes")
        return attributes

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        """ReceiveMessage: returns as soon as there is anything, or empty when the wait is over."""
        await self.faults.before("receive")
        if not 1 <= maximum <= RECEIVES_LIMIT or not 0 <= wait_seconds <= 20:
            raise Refused(
                "InvalidParameterValue", f"{maximum=} {wait_seconds=}", status=400, operation="ReceiveMessage"
            )
        self.receives += 1
        deadline = anyio.current_time() + wait_seconds
        while True:
            queue = self._queue(url, "ReceiveMessage")
            seconds = queue.visibility_seconds if visibility_seconds is None else visibility_seconds
            picked, now = queue.pick(maximum, seconds), anyio.current_time()
            if picked or now >= deadline:
                await self.faults.after("receive")
                return picked
            visible_at = queue.next_visible_at(now)
            until = deadline if visible_at is None else min(deadline, visible_at)
            with anyio.move_on_after(until - now):
                await queue.changed.wait()

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        """DeleteMessageBatch."""
        await self.faults.before("delete")
        queue = self._queue(url, "DeleteMessageBatch")
        _check_batch(len(handles), "DeleteMessageBatch")
        failed = _failed([queue.delete(handle) for handle in handles])
        await self.faults.after("delete")
        return failed

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        """ChangeMessageVisibilityBatch."""
        await self.faults.before("change_visibility")
        queue = self._queue(url, "ChangeMessageVisibilityBatch")
        _check_batch(len(entries), "ChangeMessageVisibilityBatch")
        failed = _failed([queue.change_visibility(handle, seconds) for handle, seconds in entries])
        await self.faults.after("change_visibility")
        return failed

    async def send(
        self,
        url: str,
        body: str,
        *,
        attributes: Mapping[str, MessageAttribute] = NO_ATTRIBUTES,
        trace_header: str | None = None,
    ) -> None:
        """SendMessage."""
        await self.faults.before("send")
        spelled: dict[str, Wire] = dict(spelled_attributes(attributes))
        self._queue(url, "SendMessage").put(body, attributes=spelled or None, trace_header=trace_header)
        await self.faults.after("send")

    def _queue(self, url: str, operation: str) -> Queue:
        if url not in self.queues:
            raise _no_queue(operation)
        return self.queues[url]


def _check_batch(entries: int, operation: str) -> None:
    if not entries:
        raise Refused("EmptyBatchRequest", "There should be at least one entry", status=400, operation=operation)
    if entries > RECEIVES_LIMIT:
        raise Refused("TooManyEntriesInBatchRequest", f"{entries} entries", status=400, operation=operation)


def _failed(outcomes: list[tuple[str, str] | None]) -> list[EntryFailed]:
    return [EntryFailed(index, *wrong, sender_fault=True) for index, wrong in enumerate(outcomes) if wrong is not None]


def _no_queue(operation: str) -> NotFound:
    return NotFound("NonExistentQueue", "The specified queue does not exist.", status=400, operation=operation)
