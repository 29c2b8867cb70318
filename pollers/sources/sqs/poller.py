"""Runs one mapping of an SQS queue, standard or FIFO, to a function."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.engine.backoff import Backoff
from pollers.engine.failures import CollectedFailures
from pollers.errors import SourceUnusable
from pollers.sources.sqs.attributes import LONG_POLL_SECONDS, QueueAttributes
from pollers.sources.sqs.context import QueueContext, WakeUp
from pollers.sources.sqs.entitlement import Entitlement
from pollers.sources.sqs.heartbeat import Heartbeat
from pollers.sources.sqs.outcome import STOPPING
from pollers.sources.sqs.parts import Parts, make_parts
from pollers.sources.sqs.queue import Queue, is_hopeless, unusable
from pollers.sources.sqs.task_pool import TaskPool
from pollers.sources.sqs.visibility import HeldMessages
from pollers.telemetry.facts import RECEIVE_TASK, Doing, PollFailed, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from config.models import SqsMapping
    from pollers.aws.api import SqsApi
    from pollers.engine.poller import Surroundings
    from pollers.filtering import RecordFilter

T = TypeVar("T")

ATTRIBUTES_SECONDS = 300.0
"""How often the queue's attributes are read again: somebody may change its visibility timeout."""

START_SECONDS = (0.5, 20.0)
"""First and longest pause between two tries of the calls that a start needs."""

_log = structlog.get_logger(__name__)


class SqsPoller:
    """A :class:`pollers.engine.poller.Poller` for a queue.

    A stop is carried out in the numbered steps of docs/design, decision 9. An unusable source, and any task of ours that dies,
    stop it in the same way, the latter without waiting for running invocations, and ``run`` then raises.
    """

    def __init__(
        self,
        mapping: SqsMapping,
        api: SqsApi,
        surroundings: Surroundings,
        event_filter: RecordFilter | None = None,
        *,
        long_poll_seconds: int = LONG_POLL_SECONDS,
    ) -> None:
        self._mapping = mapping
        self._api = api
        # A stop of the poller's own: it also stops by itself, and the mapping then starts another one.
        self._surroundings = replace(surroundings, stop=surroundings.stop.child())
        self._filter = event_filter
        self._long_poll_seconds = long_poll_seconds
        self._facts = surroundings.facts
        self._stop = self._surroundings.stop
        self._held = HeldMessages()
        self._wake_up = WakeUp()
        self._entitlement = Entitlement(surroundings.claim, self._wake_up)
        self._failures = CollectedFailures(self._meaning)
        self._queue: Queue | None = None

    def held(self) -> int:
        """How many messages are held now."""
        return len(self._held)

    def running(self) -> int:
        """How many batches are with the function."""
        return self._entitlement.running

    async def caught_up(self) -> bool:
        """Whether the queue has no message, visible, hidden or delayed, and nothing is held."""
        if self._queue is None or len(self._held):
            return False
        try:
            attributes = await self._read_attributes(self._queue)
        except AwsError:
            return False
        return attributes.depth == 0 and not len(self._held)

    async def run(self) -> None:
        """See :meth:`pollers.engine.poller.Poller.run`."""
        try:
            await self._find_and_work()
        finally:
            self._entitlement.close()
            self._facts.emit(Doing(RECEIVE_TASK, State.ENDED))
        self._failures.raise_found()

    async def _find_and_work(self) -> None:
        """The queue's URL and attributes are tried until they come, or the stop comes first."""
        arn = self._mapping.arn
        url = await self._try(lambda: self._api.queue_url(arn.resource, arn.account))
        if url is None:
            return
        self._queue = queue = Queue(self._api, url)
        attributes = await self._try(lambda: self._read_attributes(queue))
        if attributes is not None:
            self._check(attributes)
            await self._work(queue, attributes)

    async def _try(self, call: Callable[[], Awaitable[T]]) -> T | None:
        backoff = Backoff(self._surroundings.random, initial=START_SECONDS[0], maximum=START_SECONDS[1])
        while not self._stop.requested:
            try:
                return await self._stop.unless_requested(call)
            except AwsError as error:
                if is_hopeless(error):
                    raise unusable(self._mapping.event_source_arn, error) from error
                pause = backoff.next()
                self._facts.emit(PollFailed("", str(error), pause))
                self._facts.emit(Doing(RECEIVE_TASK, State.BACKING_OFF, str(error), pause))
                await self._stop.sleep(pause)
        return None

    async def _read_attributes(self, queue: Queue) -> QueueAttributes:
        return QueueAttributes.read(await queue.api.attributes(queue.url))

    def _check(self, attributes: QueueAttributes) -> None:
        """Lambda refuses a function timeout beyond the queue's visibility timeout; a heartbeat makes it safe."""
        if (problem := self._refusal(attributes)) is None:
            return
        if not self._mapping.visibility.heartbeat:
            raise SourceUnusable(f"{self._mapping.event_source_arn}: {problem} (visibility.heartbeat is off)")
        _log.warning(
            "Lambda would refuse this mapping; its heartbeat makes it safe", mapping=self._mapping.name, problem=problem
        )

    def _refusal(self, attributes: QueueAttributes) -> str | None:
        return attributes.refusal(self._surroundings.function.timeout_seconds)

    async def _work(self, queue: Queue, attributes: QueueAttributes) -> None:
        """Side tasks around the work: heartbeats and deletes go on until nothing is held any more."""
        async with anyio.create_task_group() as side:
            async with anyio.create_task_group() as group:
                work = TaskPool(group, self._guard)
                context = QueueContext(self._mapping, queue, self._surroundings, self._held, work, self._wake_up)
                parts = self._make_parts(context, attributes, TaskPool(side, self._guard))
                for task in (parts.deletes.run, self._entitlement.run, parts.receiver.ring_at_stop):
                    side.start_soon(self._guard, task)
                side.start_soon(self._guard, parts.heartbeat.run, [parts.starter.drop_lapsed])
                side.start_soon(self._guard, self._follow_attributes, [queue, parts.heartbeat])
                await self._guard(parts.receiver.run)
                await work.done()
                group.cancel_scope.cancel()
            await parts.deletes.flush()
            await self._guard(self._hand_back_the_rest, [parts])
            side.cancel_scope.cancel()

    def _make_parts(self, context: QueueContext, attributes: QueueAttributes, spawn_side: TaskPool) -> Parts:
        function_seconds = self._surroundings.function.timeout_seconds
        hold = attributes.hold(self._mapping, function_seconds)
        heartbeat = Heartbeat(context, hold, needed=self._refusal(attributes) is not None)
        terms = attributes.terms(self._mapping, self._long_poll_seconds)
        return make_parts(context, heartbeat, terms, self._entitlement, self._filter, spawn_side)

    async def _guard(self, task: Callable[..., Awaitable[None]], arguments: Sequence[object] = ()) -> None:
        """Run a task of ours; when it dies, the poller stops (docs/design, decision 8)."""
        try:
            await task(*arguments)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Stop because of ``error``. Running invocations may finish if it is only the source that is unusable."""
        if isinstance(self._failures.add(error).cause, SourceUnusable):
            self._stop.request()
        else:
            self._stop.hurry()

    def _meaning(self, error: Exception) -> Exception:
        """A refusal that no retry cures makes the source unusable."""
        if not isinstance(error, AwsError) or not is_hopeless(error):
            return error
        refused = unusable(self._mapping.event_source_arn, error)
        refused.__cause__ = error
        return refused

    async def _follow_attributes(self, queue: Queue, heartbeat: Heartbeat) -> None:
        """Follow changes of the queue's visibility timeout."""
        while True:
            await anyio.sleep(ATTRIBUTES_SECONDS)
            try:
                attributes = await self._read_attributes(queue)
            except AwsError as error:
                if is_hopeless(error):
                    raise
                continue
            hold = attributes.hold(self._mapping, self._surroundings.function.timeout_seconds)
            if hold != heartbeat.hold:
                self._check(attributes)
                heartbeat.follow(hold, needed=self._refusal(attributes) is not None)

    async def _hand_back_the_rest(self, parts: Parts) -> None:
        """What a task that died has left; nothing, otherwise."""
        try:
            if rest := self._held.all():
                await parts.settling.hand_back(rest, STOPPING)
        except Exception:
            parts.returns.expire(self._held.all(), "could not be handed back")
            raise
