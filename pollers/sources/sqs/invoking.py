"""One batch: invoked until the function has run, then settled. The retries of the whole batch are SQS's own (docs/lambda 2.5)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from pollers.engine.backoff import Backoff
from pollers.engine.batching import RECORDS, join_event
from pollers.engine.invoking import Attempt, accept_all, invoke
from pollers.engine.responses import failed_ids
from pollers.sources.sqs.outcome import BatchOutcome, SeenAgain
from pollers.telemetry.facts import Doing, Outcome, State

if TYPE_CHECKING:
    from pollers.engine.invoking import Ended, Judge
    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.entitlement import Entitlement
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.message import Held
    from pollers.sources.sqs.settling import Settling

RETRY_SECONDS = (0.5, 20.0)
"""First and longest pause before a throttled batch is invoked again."""

INVOCATION_STOPPED = "the invocation was stopped"


class Invoker:
    """Runs batches, each with one permit that :class:`Entitlement` counts as running."""

    def __init__(
        self, context: QueueContext, entitlement: Entitlement, heartbeat: Heartbeat, settling: Settling
    ) -> None:
        self._reports = context.mapping.reports_batch_item_failures
        self._surroundings = context.surroundings
        self._facts = context.facts
        self._stop = context.stop
        self._pace = context.observed.pace
        self._entitlement = entitlement
        self._heartbeat = heartbeat
        self._settling = settling

    async def run(self, batch: list[Held]) -> None:
        """Invoke and settle one batch. Its permit goes back in between: deletes and returns need none."""
        try:
            outcome = await self._invoke(batch)
        except Exception:
            # A fault of ours, which stops the poller; the batch is not to wait for that.
            await self._settling.settle(batch, _stopped(batch))
            raise
        finally:
            self._entitlement.finish()
        await self._settling.settle(batch, outcome)

    async def _invoke(self, batch: list[Held]) -> BatchOutcome:
        """Until the function has run, or the batch's visibility timeout would have run out (docs/lambda 2.5)."""
        attempt = self._first_attempt(batch)
        judge: Judge = partial(failed_ids, ids=attempt.ids) if self._reports else accept_all
        until = min(message.received_at for message in batch) + self._heartbeat.hold.timeout_seconds
        backoff = Backoff(self._surroundings.random, initial=RETRY_SECONDS[0], maximum=RETRY_SECONDS[1])
        while True:
            now = anyio.current_time()
            attempt.gather_seconds = now - batch[0].received_at
            ended = await invoke(attempt, judge, self._surroundings, self._stop, now)
            if ended.outcome is Outcome.ABANDONED:
                return _stopped(batch)
            self._observe(ended)
            if ended.ran:
                return _outcome(batch, ended)
            reason = ended.error or ""
            pause = max(backoff.next(), ended.retry_after_seconds or 0.0)
            if anyio.current_time() + pause >= until:
                return BatchOutcome(failed=batch, reason=reason, seen_again=SeenAgain.AFTER_TIMEOUT)
            await self._pause(batch, f"a batch of {len(batch)}, attempt {attempt.number}, {reason}", pause)
            if self._stop.requested:
                return BatchOutcome(failed=batch, reason=reason, seen_again=SeenAgain.AT_ONCE)
            attempt.number += 1

    def _first_attempt(self, batch: list[Held]) -> Attempt:
        records = [message.record for message in batch]
        traces = dict.fromkeys(m.trace for m in batch if m.trace is not None) if self._facts.traced else ()
        return Attempt(
            "", [message.id for message in batch], records, join_event(records, RECORDS), trace_headers=tuple(traces)
        )

    def _observe(self, ended: Ended) -> None:
        """What an invocation shows of the function: how long it takes, and whether it should get fewer (docs/lambda 2.5)."""
        self._pace.took(ended.took_seconds)
        if ended.outcome is Outcome.SUCCESS:
            self._entitlement.invocation_succeeded()
        elif not ended.ran or (ended.outcome is Outcome.ERROR and not self._reports):
            self._entitlement.invocation_failed()

    async def _pause(self, batch: list[Held], detail: str, seconds: float) -> None:
        """Between two attempts; a stop cuts it short."""
        task = f"batch of {batch[0].id}"
        self._facts.emit(Doing(task, State.RETRYING, detail, seconds))
        try:
            await self._stop.sleep(seconds)
        finally:
            self._facts.emit(Doing(task, State.ENDED))


def _stopped(batch: list[Held]) -> BatchOutcome:
    return BatchOutcome(failed=batch, reason=INVOCATION_STOPPED, seen_again=SeenAgain.AT_ONCE)


def _outcome(batch: list[Held], ended: Ended) -> BatchOutcome:
    """Of a batch that the function has run."""
    if ended.outcome is Outcome.SUCCESS:
        return BatchOutcome(done=batch)
    if ended.outcome is Outcome.ERROR:
        return BatchOutcome(failed=batch, reason=ended.error or "")
    reported = set(ended.failed_ids)
    done = [message for message in batch if message.id not in reported]
    failed = [message for message in batch if message.id in reported]
    return BatchOutcome(done, failed, "reported by the function")
