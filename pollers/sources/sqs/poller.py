"""Runs one mapping of an SQS queue, standard or FIFO, to a function."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.engine.backoff import Backoff
from pollers.engine.batching import RECORDS, Limits
from pollers.engine.failures import Failures
from pollers.errors import SourceUnusable
from pollers.sources.sqs.crew import Crew
from pollers.sources.sqs.deleting import Deletes
from pollers.sources.sqs.entitlement import Entitlement
from pollers.sources.sqs.events import SqsEncoder
from pollers.sources.sqs.groups import Lanes
from pollers.sources.sqs.heartbeat import Heartbeat
from pollers.sources.sqs.intake import Intake
from pollers.sources.sqs.invoking import Invoker
from pollers.sources.sqs.message import Phase
from pollers.sources.sqs.outcome import Outcome, SeenAgain
from pollers.sources.sqs.planning import BUSY_POLL_SECONDS
from pollers.sources.sqs.queue import Queue, is_hopeless, unusable
from pollers.sources.sqs.receiving import LAPSED, LONG_POLL_SECONDS, Receiver
from pollers.sources.sqs.returns import Returns
from pollers.sources.sqs.scaling import Concurrency, Pace
from pollers.sources.sqs.settling import STOPPING, Settling
from pollers.sources.sqs.visibility import Hold, Holds, effective_hold, refusal
from pollers.sources.sqs.waiting import Buffer, Waiting
from pollers.telemetry.facts import Doing, PollFailed, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from config.models import SqsMapping
    from pollers.aws.api import SqsApi
    from pollers.engine.poller import Surroundings
    from pollers.filtering import RecordFilter
    from pollers.sources.sqs.message import Held

ATTRIBUTES_SECONDS = 300.0
"""How often the queue's attributes are read again: somebody may change its visibility timeout."""

CAREFUL_RECEIVES = 3
"""A FIFO queue that allows fewer receives a message is never read ahead: each handing back costs one of them. Nor is any such queue
asked in long polls, unless the configuration says so: what a stop cuts may cost one too."""

START_SECONDS = (0.5, 20.0)
DEPTHS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

_log = structlog.get_logger(__name__)


class SqsPoller:
    """A :class:`pollers.engine.poller.Poller` for a queue.

    A stop is carried out in the numbered steps of docs/design, decision 9. An unusable source, and any task of ours that dies,
    stop it
    in the same way, the latter without waiting for running invocations, and ``run`` then raises.
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
        self._surroundings = surroundings
        self._filter = event_filter
        self._long_poll_seconds = long_poll_seconds
        self._facts = surroundings.facts
        self._stop = surroundings.stop
        self._holds = Holds()
        self._concurrency = Concurrency()
        self._entitlement = Entitlement(surroundings.claim, self._concurrency, self._wake)
        self._failures = Failures(self._meaning)
        self._url: str | None = None

    def held(self) -> int:
        """How many messages are held now."""
        return len(self._holds)

    def running(self) -> int:
        """How many batches are with the function."""
        return self._entitlement.running

    async def caught_up(self) -> bool:
        """Whether the queue has no message, visible, hidden or delayed, and nothing is held."""
        if self._url is None or len(self._holds):
            return False
        try:
            attributes = await self._api.attributes(self._url)
        except AwsError:
            return False
        return all(int(attributes.get(depth, "0")) == 0 for depth in DEPTHS) and not len(self._holds)

    async def run(self) -> None:
        """See :meth:`pollers.engine.poller.Poller.run`."""
        try:
            attributes = await self._prepare()
            if attributes is not None:
                await self._work(attributes)
        finally:
            self._entitlement.close()
            self._facts.emit(Doing("receive", State.ENDED))
        self._failures.raise_found()

    async def _prepare(self) -> dict[str, str] | None:
        """The queue's URL and attributes, tried until they come; None when the stop came first."""
        arn = self._mapping.arn
        self._url = await self._try(lambda: self._api.queue_url(arn.resource, arn.account))
        if self._url is None:
            return None
        url = self._url
        attributes: dict[str, str] | None = await self._try(lambda: self._api.attributes(url))
        if attributes is not None:
            self._check(attributes)
        return attributes

    async def _try(self, call: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the call returns
        backoff = Backoff(self._surroundings.random, initial=START_SECONDS[0], maximum=START_SECONDS[1])
        while not self._stop.requested:
            try:
                return await self._stop.unless_requested(call)
            except AwsError as error:
                if is_hopeless(error):
                    raise unusable(self._mapping.event_source_arn, error) from error
                pause = backoff.next()
                self._facts.emit(PollFailed("", str(error), pause))
                self._facts.emit(Doing("receive", State.BACKING_OFF, str(error), pause))
                with anyio.move_on_after(pause):
                    await self._stop.until_requested()
        return None

    def _check(self, attributes: dict[str, str]) -> None:
        """Lambda refuses a function timeout beyond the queue's visibility timeout; a heartbeat makes it safe."""
        queue_seconds = _visibility_seconds(attributes)
        problem = refusal(queue_seconds, self._surroundings.function.timeout_seconds)
        if problem is None:
            return
        if not self._mapping.visibility.heartbeat:
            raise SourceUnusable(f"{self._mapping.event_source_arn}: {problem} (visibility.heartbeat is off)")
        _log.warning(
            "Lambda would refuse this mapping; its heartbeat makes it safe", mapping=self._mapping.name, problem=problem
        )

    def _hold(self, attributes: dict[str, str]) -> Hold:
        return effective_hold(
            _visibility_seconds(attributes),
            function_seconds=self._surroundings.function.timeout_seconds,
            window_seconds=self._mapping.maximum_batching_window_in_seconds,
            heartbeat=self._mapping.visibility.heartbeat,
        )

    async def _work(self, attributes: dict[str, str]) -> None:
        """Side tasks around the work: heartbeats and deletes go on until nothing is held any more."""
        async with anyio.create_task_group() as side:
            async with anyio.create_task_group() as group:
                work = Crew(group, self._guard)
                self._assemble(attributes, Crew(side, self._guard), work)
                for task in (self._heartbeat.run, self._deletes.run, self._entitlement.run, self._watch, self._reread):
                    side.start_soon(self._guard, task)
                await self._guard(self._receiver.run)
                await work.done()
                group.cancel_scope.cancel()
            await self._deletes.flush()
            await self._guard(self._hand_back_the_rest)
            side.cancel_scope.cancel()

    def _assemble(self, attributes: dict[str, str], side: Crew, work: Crew) -> None:
        """Make the parts and tie them together. Calls to SQS are the only thing that any of them waits for."""
        mapping, around, facts = self._mapping, self._surroundings, self._facts
        queue = Queue(self._api, self._url or "")
        limits = Limits(mapping.batch_size, mapping.maximum_batching_window_in_seconds, envelope=RECORDS)
        holds, random = self._holds, around.random
        concurrency, pace = self._concurrency, Pace()
        self._spawn = work
        self._waiting: Waiting = Lanes(limits) if mapping.fifo else Buffer(limits)
        self._heartbeat = Heartbeat(
            queue, holds, self._hold(attributes), facts, random, self._lapsed, enabled=mapping.visibility.heartbeat
        )
        self._heartbeat.needed = self._is_short(attributes)
        self._deletes = Deletes(queue, holds, self._heartbeat, facts, random, side, prompt=mapping.fifo)
        self._returns = Returns(queue, holds, self._heartbeat, facts, random)
        self._settling = Settling(
            mapping.visibility,
            self._waiting,
            self._heartbeat,
            self._deletes,
            self._returns,
            self._wake,
        )
        self._invoker = Invoker(
            mapping,
            around.function,
            self._entitlement,
            concurrency,
            pace,
            self._heartbeat,
            self._settling,
            facts,
            self._stop,
            random,
        )
        encoder = SqsEncoder(mapping.arn, window_seconds=mapping.maximum_batching_window_in_seconds)
        intake = Intake(encoder, holds, limits, self._filter, facts, fifo=mapping.fifo)
        self._receiver = Receiver(
            mapping,
            queue,
            self._waiting,
            self._entitlement,
            limits,
            intake,
            self._heartbeat,
            self._deletes,
            self._settling,
            self._invoker,
            pace,
            facts,
            random,
            self._spawn,
            self._fail,
            long_poll_seconds=self._long_poll(attributes),
            careful=mapping.fifo and _receives_allowed(attributes) < CAREFUL_RECEIVES,
        )

    def _long_poll(self, attributes: dict[str, str]) -> int:
        """For how long an idle receive waits."""
        visibility = self._mapping.visibility
        seconds = min(self._long_poll_seconds, visibility.long_poll_seconds)
        if "long_poll_seconds" in visibility.model_fields_set or _receives_allowed(attributes) >= CAREFUL_RECEIVES:
            return seconds
        return min(seconds, BUSY_POLL_SECONDS)

    def _wake(self) -> None:
        self._receiver.wake()

    async def _guard(self, task: Callable[..., Awaitable[None]], arguments: Sequence[object] = ()) -> None:
        """Run a task of ours; when it dies, the poller stops (docs/design, decision 8)."""
        try:
            await task(*arguments)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Stop because of ``error``. Running invocations may finish if it is only the source that is unusable."""
        failure = self._failures.add(error)
        hurried = not isinstance(failure.cause, SourceUnusable)
        self._receiver.stop(hurried=hurried)
        if hurried:
            self._invoker.hurry()

    def _meaning(self, error: Exception) -> Exception:
        """A refusal that no retry cures makes the source unusable."""
        if not isinstance(error, AwsError) or not is_hopeless(error):
            return error
        refused = unusable(self._mapping.event_source_arn, error)
        refused.__cause__ = error
        return refused

    async def _watch(self) -> None:
        await self._stop.until_requested()
        self._receiver.stop()
        await self._stop.until_hurried()
        self._receiver.stop(hurried=True)
        self._invoker.hurry()

    async def _reread(self) -> None:
        """Follow changes of the queue's visibility timeout."""
        while True:
            await anyio.sleep(ATTRIBUTES_SECONDS)
            try:
                attributes = await self._api.attributes(self._url or "")
            except AwsError as error:
                if is_hopeless(error):
                    raise
                continue
            if (hold := self._hold(attributes)) != self._heartbeat.hold:
                self._check(attributes)
                self._heartbeat.hold = hold
                self._heartbeat.needed = self._is_short(attributes)
                self._heartbeat.wake()

    def _is_short(self, attributes: dict[str, str]) -> bool:
        return refusal(_visibility_seconds(attributes), self._surroundings.function.timeout_seconds) is not None

    def _lapsed(self, messages: Sequence[Held]) -> None:
        """The claim on these is over. Those that were not started are dropped, with what waits behind them."""
        unsound = self._waiting.discard([message for message in messages if message.phase is Phase.WAITING])
        if unsound:
            outcome = Outcome(failed=unsound, reason=LAPSED, seen_again=SeenAgain.AT_ONCE)
            self._spawn(self._settling.settle, unsound, outcome)

    async def _hand_back_the_rest(self) -> None:
        """What a task that died has left; nothing, otherwise."""
        try:
            if rest := self._holds.all():
                await self._settling.hand_back(rest, STOPPING)
        except Exception:
            self._returns.expire(self._holds.all(), "could not be handed back")
            raise


def _visibility_seconds(attributes: dict[str, str]) -> int:
    return int(attributes.get("VisibilityTimeout", "30"))


def _receives_allowed(attributes: dict[str, str]) -> float:
    """maxReceiveCount of the redrive policy, if there is one."""
    try:
        return float(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"])
    except (KeyError, ValueError, TypeError):
        return math.inf
