"""The parts of a queue's poller, each to be driven alone: on a queue in memory whose single answers a test may script."""

from __future__ import annotations

import random
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio

from pollers.aws.api import EntryFailed
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.sqs.context import QueueContext, WakeUp
from pollers.sources.sqs.deleting import Deletes
from pollers.sources.sqs.entitlement import Entitlement
from pollers.sources.sqs.group_settling import GroupSettling
from pollers.sources.sqs.groups import MessageGroups
from pollers.sources.sqs.heartbeat import Heartbeat
from pollers.sources.sqs.intake import Intake
from pollers.sources.sqs.invoking import Invoker
from pollers.sources.sqs.kind import SQS
from pollers.sources.sqs.message import Phase
from pollers.sources.sqs.planning import Terms
from pollers.sources.sqs.queue import Queue as ReachedQueue
from pollers.sources.sqs.receive_calls import ReceiveCalls
from pollers.sources.sqs.receiving import Receiver
from pollers.sources.sqs.returns import Returns
from pollers.sources.sqs.settling import Settling
from pollers.sources.sqs.starting import Starter
from pollers.sources.sqs.visibility import HeldMessages, Hold
from pollers.sources.sqs.waiting import Buffer
from pollers.telemetry.sinks import Facts
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.sqs_world import Behaviour, ScriptedFunction, sqs_mapping, succeed
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from pollers.aws.api import Wire
    from pollers.sources.sqs.message import Held
    from pollers.sources.sqs.waiting import Waiting
    from pollers.telemetry.facts import Fact

Answer: TypeAlias = "Exception | float | list[int] | tuple[float, Exception] | None"
"""How one call goes: it fails, perhaps after so many seconds; it takes so many; entries at these positions are refused; or as the
queue says."""


@dataclass
class Called:
    """One call: when it was sent, and its entries (handles, with the seconds that a change of visibility asks for)."""

    at: float
    handles: list[str]
    seconds: list[int]


class ScriptedSqs(MemorySqs):
    """Notes every call. ``answers`` are used up first, in order; afterwards every call goes as the queue says."""

    def __init__(self, *queues: Queue) -> None:
        super().__init__(*queues)
        self.answers: deque[Answer] = deque()
        self.deletes: list[Called] = []
        self.changes: list[Called] = []
        self.received: list[tuple[float, int, int]] = []

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        self.received.append((anyio.current_time(), maximum, wait_seconds))
        await self._answer()
        return await super().receive(
            url, maximum=maximum, wait_seconds=wait_seconds, visibility_seconds=visibility_seconds
        )

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        self.deletes.append(Called(anyio.current_time(), list(handles), []))
        refused = await self._answer()
        return refused or await super().delete(url, handles)

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        handles, seconds = [handle for handle, _ in entries], [seconds for _, seconds in entries]
        self.changes.append(Called(anyio.current_time(), handles, seconds))
        refused = await self._answer()
        done = [entry for index, entry in enumerate(entries) if index not in {one.index for one in refused}]
        return refused + (await super().change_visibility(url, done) if done else [])

    async def _answer(self) -> list[EntryFailed]:
        answer = self.answers.popleft() if self.answers else None
        if isinstance(answer, tuple):
            seconds, answer = answer
            await anyio.sleep(seconds)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await anyio.sleep(answer)
        if isinstance(answer, list):
            return [EntryFailed(index, "InternalError", "", sender_fault=False) for index in answer]
        return []


class Rig:
    """One of each part, tied together as the poller does. Use it inside :meth:`running`, which owns the tasks that parts start.

    A task that dies notes its error in ``died``, and so does not end the test.
    """

    def __init__(
        self,
        queue: Queue | None = None,
        *,
        behaviour: Behaviour = succeed,
        concurrency: int = 5,
        hold: Hold | None = None,
        needed: bool = False,
        **settings: Any,  # noqa: ANN401 - a mapping's settings as in its file
    ) -> None:
        self.queue = queue or Queue("orders")
        self.api = ScriptedSqs(self.queue)
        self.function = ScriptedFunction(behaviour, concurrency=concurrency)
        self.mapping = sqs_mapping(self.queue, **settings)
        self.permits = Permits(concurrency)
        self.stop = Stop()
        self.facts: list[Fact] = []
        self.died: list[Exception] = []
        claim = self.permits.claim()
        facts = Facts("orders", [lambda _, fact: self.facts.append(fact)])
        surroundings = Surroundings(
            self.function, claim, facts, SQS.shown.first_payload, self.stop, VirtualClock(), random.Random(1)
        )
        self.held = HeldMessages()
        self.wake_up = WakeUp()
        reached = ReachedQueue(self.api, self.queue.url)
        self.context = context = QueueContext(self.mapping, reached, surroundings, self.held, self.spawn, self.wake_up)
        self.entitlement = Entitlement(claim, self.wake_up)
        self.heartbeat = Heartbeat(context, hold or Hold(30, 30), needed=needed)
        self.deletes = Deletes(context, self.heartbeat, self.spawn)
        self.returns = Returns(context, self.heartbeat)
        self.groups = MessageGroups(context.limits)
        self.waiting: Waiting = self.groups if self.mapping.fifo else Buffer(context.limits)
        self.settling = self._settling()
        self.invoker = Invoker(context, self.entitlement, self.heartbeat, self.settling)
        self.starter = Starter(context, self.waiting, self.entitlement, self.settling, self.invoker)
        self.intake = Intake(context, None, self.waiting, self.heartbeat, self.deletes, self.settling)
        self.calls = ReceiveCalls(context, self.waiting, self.entitlement, self.heartbeat, self.intake)

    def _settling(self) -> Settling:
        if self.mapping.fifo:
            return GroupSettling(self.context, self.heartbeat, self.deletes, self.returns, self.groups)
        return Settling(self.context, self.heartbeat, self.deletes, self.returns)

    def receiver(self, *, long_poll_seconds: int = 20) -> Receiver:
        """A receiver of all these."""
        mapping = self.mapping
        terms = Terms(mapping.batch_size, mapping.maximum_batching_window_in_seconds > 0, long_poll_seconds)
        return Receiver(self.context, terms, self.waiting, self.entitlement, self.calls, self.starter, self.deletes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Rig]:
        """Tasks may be started; what is left of them at the end is cancelled."""
        async with anyio.create_task_group() as self._group:
            yield self
            self._group.cancel_scope.cancel()

    def spawn(self, task: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Start a task, as the poller does for its parts."""

        async def guarded() -> None:
            try:
                await task(*arguments)
            except Exception as error:
                self.died.append(error)

        self._group.start_soon(guarded)

    async def receive(self, messages: int, *, group: str | None = None, hidden_seconds: int = 30) -> list[Held]:
        """Put messages into the queue and take them over: they are held, and wait. ``group`` names their groups in turn."""
        groups = [group[index % len(group)] if group else None for index in range(messages)]
        ids = [self.queue.put(str(index), group=one, deduplication=f"{one}{index}") for index, one in enumerate(groups)]
        received = 0
        while received < messages:
            wires = self.queue.pick(10, hidden_seconds)
            received += len(wires)
            self.intake.take(wires, anyio.current_time(), hidden_seconds, brief=False)
        self.api.changes.clear()
        return [message for one in ids if (message := self.held.get(one)) is not None]

    def take(self) -> list[Held]:
        """The next batch of what waits, as if its invocation had begun."""
        batch = self.waiting.take(anyio.current_time())
        for message in batch:
            message.phase = Phase.RUNNING
        return batch

    def of_kind(self, kind: type[Any]) -> list[Any]:
        """The facts of one kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def visible_in(self, message: Held) -> float:
        """In how many seconds the queue shows the message again."""
        return self.queue.messages[message.id].visible_at - anyio.current_time()
