"""One batch: invoked, judged, acknowledged."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import anyio

from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from pollers.engine.backoff import Backoff
from pollers.engine.batching import RECORDS, join_event
from pollers.engine.responses import failed_ids
from pollers.sources.sqs.kind import SQS
from pollers.sources.sqs.outcome import Outcome, SeenAgain
from pollers.telemetry.facts import Doing, Invoked, Invoking, State
from pollers.telemetry.facts import Outcome as Became

if TYPE_CHECKING:
    from random import Random

    from config.models import SqsMapping
    from handlers.function import Function, Invocation
    from pollers.engine.stop import Stop
    from pollers.sources.sqs.entitlement import Entitlement
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.message import Held
    from pollers.sources.sqs.scaling import Concurrency, Pace
    from pollers.sources.sqs.settling import Settling
    from pollers.telemetry.facts import Facts

RETRY_SECONDS = (0.5, 20.0)
"""First and longest pause before a throttled batch is invoked again."""


class Invoker:
    """Runs batches, each with one permit that :class:`Entitlement` counts as running."""

    def __init__(
        self,
        mapping: SqsMapping,
        function: Function,
        entitlement: Entitlement,
        concurrency: Concurrency,
        pace: Pace,
        heartbeat: Heartbeat,
        settling: Settling,
        facts: Facts,
        stop: Stop,
        random: Random,
    ) -> None:
        self._reports = mapping.reports_batch_item_failures
        self._function = function
        self._entitlement = entitlement
        self._concurrency = concurrency
        self._pace = pace
        self._heartbeat = heartbeat
        self._settling = settling
        self._facts = facts
        self._stop = stop
        self._random = random
        self._running: dict[anyio.CancelScope, None] = {}
        self._hurried = False

    def hurry(self) -> None:
        """Stop every running invocation; its messages go back."""
        self._hurried = True
        for scope in list(self._running):
            scope.cancel()

    async def run(self, batch: list[Held]) -> None:
        """Invoke and settle one batch."""
        scope = anyio.CancelScope()
        self._running[scope] = None
        outcome = Outcome(failed=batch, reason="the invocation was stopped", seen_again=SeenAgain.AT_ONCE)
        try:
            if not self._hurried:
                with scope:
                    outcome = await self._invoke(batch)
        except Exception:
            # A fault of ours, which stops the poller; the batch is not to wait for that.
            await self._settling.settle(batch, outcome)
            raise
        finally:
            del self._running[scope]
            self._entitlement.finish()
        await self._settling.settle(batch, outcome)

    async def _invoke(self, batch: list[Held]) -> Outcome:
        """Until the function has run, or the batch's visibility timeout would have run out (docs/lambda 2.5)."""
        event = join_event([message.record for message in batch], RECORDS)
        until = min(message.received_at for message in batch) + self._heartbeat.hold.timeout_seconds
        backoff = Backoff(self._random, initial=RETRY_SECONDS[0], maximum=RETRY_SECONDS[1])
        attempt = 1
        while True:
            invocation = await self._attempt(batch, event, attempt)
            result = invocation.result
            if not isinstance(result, Throttle | InfrastructureError):
                return self._judge(batch, invocation)
            pause = max(backoff.next(), result.retry_after_seconds or 0.0)
            if anyio.current_time() + pause >= until:
                return Outcome(failed=batch, reason=result.message, seen_again=SeenAgain.AFTER_TIMEOUT)
            if not await self._may_retry(batch, attempt, result.message, pause):
                return Outcome(failed=batch, reason=result.message, seen_again=SeenAgain.AT_ONCE)
            attempt += 1

    async def _attempt(self, batch: list[Held], event: bytes, attempt: int) -> Invocation:
        request_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        ids = [message.id for message in batch]
        began = anyio.current_time()
        gathered = began - batch[0].received_at
        traces = tuple(dict.fromkeys(m.trace for m in batch if m.trace is not None)) if self._facts.traced else ()
        self._facts.emit(Invoking("", ids, request_id, len(event), attempt, gathered, None, traces))
        try:
            invocation = await self._function.invoke(event, request_id=request_id)
        except BaseException:
            seconds = anyio.current_time() - began
            self._facts.emit(
                Invoked("", ids, request_id, Became.ABANDONED, seconds, ids, "stopped", self._sample(batch))
            )
            raise
        self._pace.took(anyio.current_time() - began)
        if isinstance(invocation.result, Throttle | InfrastructureError):
            self._concurrency.failed(self._entitlement.limit)
            kind = Became.THROTTLE if isinstance(invocation.result, Throttle) else Became.INFRASTRUCTURE
            self._ended(batch, ids, invocation, kind, ids, invocation.result.message)
        return invocation

    def _judge(self, batch: list[Held], invocation: Invocation) -> Outcome:
        ids = [message.id for message in batch]
        result = invocation.result
        if isinstance(result, FunctionError):
            error = f"{result.error_type}: {result.message}" if result.error_type else result.message
            return self._failed(batch, ids, invocation, error)
        if not self._reports or not isinstance(result, Payload):
            return self._succeeded(batch, ids, invocation)
        verdict = failed_ids(result.body, ids)
        if verdict.problem is not None:
            return self._failed(batch, ids, invocation, verdict.problem)
        if verdict.success:
            return self._succeeded(batch, ids, invocation)
        done = [message for message in batch if message.id not in verdict.failed]
        failed = [message for message in batch if message.id in verdict.failed]
        self._ended(failed, ids, invocation, Became.PARTIAL, [message.id for message in failed], None)
        return Outcome(done, failed, "reported by the function")

    def _succeeded(self, batch: list[Held], ids: list[str], invocation: Invocation) -> Outcome:
        self._concurrency.succeeded()
        self._facts.emit(Invoked("", ids, invocation.request_id, Became.SUCCESS, invocation.duration_seconds))
        return Outcome(done=batch)

    def _failed(self, batch: list[Held], ids: list[str], invocation: Invocation, error: str) -> Outcome:
        if not self._reports:
            self._concurrency.failed(self._entitlement.limit)
        self._ended(batch, ids, invocation, Became.ERROR, ids, error)
        return Outcome(failed=batch, reason=error)

    def _ended(
        self,
        failed: list[Held],
        ids: list[str],
        invocation: Invocation,
        outcome: Became,
        failed_ids: list[str],
        error: str | None,
    ) -> None:
        self._facts.emit(
            Invoked(
                "",
                ids,
                invocation.request_id,
                outcome,
                invocation.duration_seconds,
                failed_ids,
                error,
                self._sample(failed),
            )
        )

    def _sample(self, failed: list[Held]) -> bytes:
        return SQS.first_payload(failed[0].record)

    async def _may_retry(self, batch: list[Held], attempt: int, message: str, pause: float) -> bool:
        """Wait before the next attempt; False when the poller is stopping instead."""
        detail = f"a batch of {len(batch)}, attempt {attempt}, {message}"
        self._facts.emit(Doing(_task(batch), State.RETRYING, detail, pause))
        try:
            with anyio.move_on_after(pause):
                await self._stop.until_requested()
        finally:
            self._facts.emit(Doing(_task(batch), State.ENDED))
        return not self._stop.requested


def _task(batch: list[Held]) -> str:
    return f"batch of {batch[0].id}"
