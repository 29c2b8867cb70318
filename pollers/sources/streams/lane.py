"""One lane of a shard: gathers batches, invokes the function and does what the retry rules say, one batch at a time."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import anyio

from handlers.function import PAYLOAD_LIMIT_BYTES, FunctionError, InfrastructureError, Payload, Throttle
from pollers.destinations import UNHANDLED
from pollers.engine.batching import Limits, join_event
from pollers.engine.responses import SUCCESS, failed_ids
from pollers.sources.streams.batches import Batch, Gathering
from pollers.sources.streams.discarding import discard
from pollers.sources.streams.records import Records
from pollers.sources.streams.retries import Discard, Invoke, Wait, Work
from pollers.sources.streams.windows import StateMissing, read_answer
from pollers.telemetry.facts import Invoked, Invoking, Outcome, State

if TYPE_CHECKING:
    from handlers.function import Invocation, Result
    from pollers.sources.streams.shard import Shard


class Lane:
    """Brings its records to the function in order. A batch that fails blocks this lane and nothing else.

    ``invoking``: a batch is with the function.
    """

    def __init__(self, shard: Shard, number: int) -> None:
        context = shard.context
        self.task = f"{shard.shard_id}/{number}"
        self._shard = shard
        self._context = context
        self._surroundings = context.surroundings
        self._limits = context.limits
        self._gathering = Gathering(self._limits, anyio.current_time())
        self._news = anyio.Event()
        self._work: Work | None = None
        self._done_upto: str | None = None
        self._final = False
        self._permit = False
        self.invoking = False
        self._cut_at = anyio.current_time()
        self._gather_seconds = 0.0

    @property
    def lowest(self) -> int | None:
        """The offset of the lowest record that is not done."""
        lowest = None if self._work is None else self._work.lowest
        return self._gathering.lowest if lowest is None else lowest

    @property
    def done_upto(self) -> str | None:
        """The sequence number up to which every record of this lane is done; None before the first of this run."""
        return (self._work and self._work.done_upto) or self._done_upto

    def add(self, records: Records) -> None:
        """Queue records that follow those queued before."""
        self._gathering.add(records, anyio.current_time())
        self._news.set()

    def wake(self) -> None:
        """Look again: something has changed that decides when a batch is due."""
        self._news.set()

    async def run(self) -> None:
        """Until the shard has ended and everything is done, or the shard is stopped."""
        try:
            while (batch := await self._next()) is not None:
                await self._finish(batch)
                if self._work is not None:
                    return
        finally:
            self._give_back()

    # -- gathering -------------------------------------------------------------------------------------------------------

    async def _next(self) -> Batch | None:
        """The next batch, with a permit held for it; None when there will be none."""
        while not self._shard.stopping.requested:
            self._news = anyio.Event()
            wait = self._due_in()
            if wait is not None and wait <= 0:
                if await self._acquire():
                    if self._due_in() == 0:
                        return self._cut()
                    self._give_back()  # what was due has changed while the permit was waited for
            elif self._shard.closed and not len(self._gathering) and not self._final:
                return None
            else:
                await self._rest(wait)
        return None

    def _due_in(self) -> float | None:
        """Seconds until an invocation is due; None: nobody knows."""
        queued, shard = len(self._gathering), self._shard
        if shard.windows is not None:
            wall = self._context.service_time()
            self._final = shard.windows.must_close(
                self._gathering.next_arrival, wall, at_tip=shard.reader.at_tip, shard_ended=shard.closed
            )
            closes_at = shard.windows.closes_at()
            if self._final:
                return 0.0
            if not queued and closes_at is not None and closes_at > wall:
                return closes_at - wall
        if queued and shard.starved:
            return 0.0
        return self._gathering.due_in(anyio.current_time())

    async def _rest(self, seconds: float | None) -> None:
        with self._shard.stopping.waiting(), anyio.move_on_after(seconds):
            await self._news.wait()

    def _cut(self) -> Batch:
        now = anyio.current_time()
        self._gather_seconds = max(0.0, now - max(self._cut_at, self._gathering.first_came))
        self._cut_at = now
        windows = self._shard.windows
        if windows is None:
            return self._gathering.take()
        if self._final:
            return Batch(Records())
        admitted = windows.admit(self._gathering.arrivals())
        return self._gathering.take(Limits(admitted, envelope=windows.envelope(self._limits.envelope, final=False)))

    # -- one batch -------------------------------------------------------------------------------------------------------

    async def _finish(self, batch: Batch) -> None:
        """Bring a batch to its end; ``_work`` stays when that was cut short by a stop."""
        now, wall = anyio.current_time, self._context.service_time
        work = Work(batch.records, self._context.rules, self._surroundings.random, now(), oversized=batch.oversized)
        self._work = work
        troubled = False
        while (step := work.next(now(), wall())) is not None:
            if not isinstance(step, Invoke):
                troubled = True
                work.rules = self._context.rules
            if not await self._take_step(work, step):
                return
        self._done_upto = work.done_upto or self._done_upto
        self._work = None
        self._gathering.completed(anyio.current_time())
        if self._final:
            self._shard.window_closed()
            self._final = False
        if troubled:
            self._context.doing(self.task, State.ENDED)
        self._shard.progressed()

    async def _take_step(self, work: Work, step: Invoke | Wait | Discard) -> bool:
        """Do what is due; False when a stop says otherwise."""
        stopping = self._shard.stopping
        if isinstance(step, Discard):
            self._give_back()
            if not await discard(self._shard, self.task, step, self._event(step.records)):
                return False
            self._shard.discarded(work.discarded())
        elif stopping.requested:
            return False
        elif isinstance(step, Wait):
            self._give_back()
            detail = f"a batch of {step.count}, attempt {step.attempt}: {step.why}"
            self._context.doing(self.task, State.RETRYING, detail, step.seconds)
            await stopping.sleep(step.seconds)
        elif not await self._acquire():
            return False
        else:
            await self._invoke(work, step)
        self._shard.progressed()
        return True

    async def _acquire(self) -> bool:
        """Hold a permit, once what was done before is written; False when stopped before there was one."""
        claim = self._surroundings.claim
        if not self._permit and not await self._shard.gate.passed(self.task):
            return False
        if self._permit or claim.try_acquire():
            self._permit = True
            return True
        self._context.doing(self.task, State.WAITING_FOR_PERMIT)
        with self._shard.stopping.waiting():
            await claim.acquire()
            self._permit = True
        self._context.doing(self.task, State.ENDED)
        return self._permit

    def _give_back(self) -> None:
        if self._permit:
            self._permit = False
            self._surroundings.claim.release()

    def _event(self, records: Records) -> bytes:
        windows = self._shard.windows
        if windows is None or windows.open is None:
            return join_event(records.events, self._limits.envelope)
        return join_event(records.events, windows.envelope(self._limits.envelope, final=self._final))

    async def _invoke(self, work: Work, step: Invoke) -> None:
        event = self._event(step.records)
        if len(event) > PAYLOAD_LIMIT_BYTES:
            work.too_large()
            return
        request_id = str(uuid.UUID(int=self._surroundings.random.getrandbits(128), version=4))
        self._say_invoking(step, request_id, len(event))
        self.invoking = True
        try:
            with self._shard.stopping.running() as running:
                invocation = await self._surroundings.function.invoke(event, request_id=request_id)
        finally:
            self.invoking = False
            self._give_back()
        if running.cancelled_caught:
            ids = step.records.sequence_numbers
            self._surroundings.facts.emit(Invoked(self._shard.shard_id, ids, request_id, Outcome.ABANDONED, 0.0))
            return
        self._settle(work, step, invocation)

    def _say_invoking(self, step: Invoke, request_id: str, size_bytes: int) -> None:
        records = step.records
        age = self._context.service_time() - records.arrivals[-1] if len(records) else None
        self._surroundings.facts.emit(
            Invoking(
                self._shard.shard_id,
                records.sequence_numbers,
                request_id,
                size_bytes,
                attempt=step.attempt,
                gather_seconds=self._gather_seconds if step.attempt == 1 else 0.0,
                iterator_age_seconds=age,
            )
        )

    # -- what came of it -------------------------------------------------------------------------------------------------

    def _settle(self, work: Work, step: Invoke, invocation: Invocation) -> None:
        now, records, result = anyio.current_time(), step.records, invocation.result
        outcome, error, failed = _named(result)
        match result:
            case Payload():
                outcome, error, failed = self._answered(work, step, result.body, invocation.request_id)
            case FunctionError():
                work.failed(
                    now, f"{result.error_type}: {result.message}", invocation.request_id, function_error=UNHANDLED
                )
            case Throttle() | InfrastructureError():
                work.not_run(now, result.message, result.retry_after_seconds)
        self._surroundings.facts.emit(
            Invoked(
                self._shard.shard_id,
                records.sequence_numbers,
                invocation.request_id,
                outcome,
                invocation.duration_seconds,
                failed_ids=failed,
                error=error,
                first_payload=b""
                if outcome is Outcome.SUCCESS or not len(records)
                else self._surroundings.first_payload(records.events[0]),
            )
        )

    def _answered(
        self, work: Work, step: Invoke, body: bytes, request_id: str
    ) -> tuple[Outcome, str | None, list[str]]:
        """The function returned: outcome, error and failed sequence numbers."""
        now, numbers, windows = anyio.current_time(), step.records.sequence_numbers, self._shard.windows
        reports = self._context.mapping.reports_batch_item_failures and bool(numbers)
        state = b""
        if windows is not None:
            try:
                answer = read_answer(body)
            except StateMissing as missing:
                work.failed(now, str(missing), request_id, function_error=None)
                return Outcome.ERROR, str(missing), []
            state, reports = answer.state, reports and answer.names_failures
        verdict = failed_ids(body, numbers) if reports else SUCCESS
        if verdict.problem is not None:
            work.failed(now, verdict.problem, request_id, function_error=None)
            return Outcome.ERROR, verdict.problem, []
        index = None if verdict.success else next(i for i, number in enumerate(numbers) if number in verdict.failed)
        done = work.succeeded() if index is None else work.failed_from(index, now, request_id)
        if windows is not None and index != 0 and not self._final:
            windows.accepted(state)
        self._shard.accepted(done)
        return (Outcome.SUCCESS, None, []) if index is None else (Outcome.PARTIAL, None, numbers[index:])


def _named(result: Result) -> tuple[Outcome, str | None, list[str]]:
    """What facts call a result."""
    match result:
        case Payload():
            return Outcome.SUCCESS, None, []
        case FunctionError():
            return Outcome.ERROR, f"{result.error_type}: {result.message}", []
        case Throttle():
            return Outcome.THROTTLE, result.message, []
        case InfrastructureError():
            return Outcome.INFRASTRUCTURE, result.message, []
