"""One lane of a shard: gathers batches, invokes the function and does what the retry rules say, one batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio

from handlers.function import PAYLOAD_LIMIT_BYTES, Call
from pollers.destinations import UNHANDLED
from pollers.engine.batching import Limits, join_event
from pollers.engine.invoking import Attempt, invoke
from pollers.sources.streams.answers import Judgement
from pollers.sources.streams.batches import Batch, Gathering
from pollers.sources.streams.records import Records
from pollers.sources.streams.retries import Discard, Invoke, Wait, Work
from pollers.telemetry.facts import Outcome, State

if TYPE_CHECKING:
    from pollers.engine.invoking import Ended
    from pollers.engine.stop import Stop
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.lease_time import LeaseTime
    from pollers.sources.streams.shard_states import ShardLife
    from pollers.sources.streams.unwritten import WriteGate
    from pollers.sources.streams.windows import Windows


class LaneShard(Protocol):
    """The shard that a lane belongs to. ``windows`` None: the mapping has no tumbling window."""

    life: ShardLife
    context: StreamContext
    stop: Stop
    windows: Windows | None
    gate: WriteGate
    lease_time: LeaseTime

    @property
    def shard_id(self) -> str:
        """The service's name for it."""

    @property
    def starved(self) -> bool:
        """Whether no more records can come into the lanes before some leave them."""

    @property
    def at_tip(self) -> bool:
        """Whether the last poll found nothing and nothing is behind it."""

    @property
    def last_done(self) -> str | None:
        """The position of the highest record below which everything is done."""

    def accepted(self, records: Records) -> None:
        """The function accepted these records."""

    def discarded(self, records: Records) -> None:
        """These records are accounted for as discarded."""

    def window_closed(self) -> None:
        """The last invocation of a tumbling window is done with."""

    def progressed(self) -> None:
        """Records may be done: the checkpoint may move."""


class Lane:
    """Brings its records to the function in order. A batch that fails blocks this lane and nothing else.

    ``invoking``: a batch is with the function.
    """

    def __init__(self, shard: LaneShard, number: int) -> None:
        context = shard.context
        self.task = f"{shard.shard_id}/{number}"
        self._shard = shard
        self._context = context
        self._surroundings = context.surroundings
        self._limits = context.limits
        self._gathering = Gathering(
            self._limits, anyio.current_time(), from_first=context.mapping.window_begins_with_first_record
        )
        self._changed = anyio.Event()
        self._work: Work | None = None
        self._done_upto: str | None = None
        self._closes_window = False
        self._permit = False
        self._call = Call(may_begin=lambda: shard.lease_time.left)
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
        """The position up to which every record of this lane is done; None before the first of this run."""
        return (self._work and self._work.done_upto) or self._done_upto

    def add(self, records: Records) -> None:
        """Queue records that follow those queued before."""
        self._gathering.add(records, anyio.current_time())
        self._changed.set()

    def look_again(self) -> None:
        """Something has changed that decides when a batch is due."""
        self._changed.set()

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
        while not self._shard.stop.requested:
            self._changed = anyio.Event()
            wait = self._due_in()
            if wait is not None and wait <= 0:
                if await self._acquire():
                    if self._due_in() == 0:
                        return self._cut()
                    self._give_back()  # what was due has changed while the permit was waited for
            elif self._shard.life.closed and not len(self._gathering) and not self._closes_window:
                return None
            else:
                await self._rest(wait)
        return None

    def _due_in(self) -> float | None:
        """Seconds until an invocation is due; None: not known."""
        queued, shard = len(self._gathering), self._shard
        if shard.windows is not None:
            wall = self._context.stream.service_time()
            self._closes_window = shard.windows.must_close(
                self._gathering.next_arrival, wall, at_tip=shard.at_tip, shard_ended=shard.life.closed
            )
            closes_at = shard.windows.closes_at()
            if self._closes_window:
                return 0.0
            if not queued and closes_at is not None and closes_at > wall:
                return closes_at - wall
        if queued and shard.starved:
            return 0.0
        return self._gathering.due_in(anyio.current_time())

    async def _rest(self, seconds: float | None) -> None:
        with self._shard.stop.waiting(), anyio.move_on_after(seconds):
            await self._changed.wait()

    def _cut(self) -> Batch:
        now = anyio.current_time()
        self._gather_seconds = max(0.0, now - max(self._cut_at, self._gathering.first_came))
        self._cut_at = now
        windows = self._shard.windows
        if windows is None:
            return self._gathering.take()
        if self._closes_window:
            return Batch(Records())
        admitted = windows.admit(self._gathering.arrivals())
        return self._gathering.take(Limits(admitted, envelope=windows.envelope(self._limits.envelope, final=False)))

    # -- one batch -------------------------------------------------------------------------------------------------------

    async def _finish(self, batch: Batch) -> None:
        """Bring a batch to its end; ``_work`` stays when that was cut short by a stop."""
        now, wall = anyio.current_time, self._context.stream.service_time
        work = Work(batch.records, self._context.rules, self._surroundings.random, now(), oversized=batch.oversized)
        self._work = work
        troubled = False
        while (step := work.next(now(), wall())) is not None:
            if not isinstance(step, Invoke):
                troubled = True
                # The stream's retention may have been changed while the batch was tried again, for hours perhaps.
                work.rules = self._context.rules
            if not await self._take_step(work, step):
                return
        self._done_upto = work.done_upto or self._done_upto
        self._work = None
        self._gathering.completed(anyio.current_time())
        if self._closes_window:
            self._shard.window_closed()
            self._closes_window = False
        if troubled:
            self._context.reports.doing(self.task, State.ENDED)
        self._shard.progressed()

    async def _take_step(self, work: Work, step: Invoke | Wait | Discard) -> bool:
        """Do what is due; False when a stop says otherwise."""
        stop = self._shard.stop
        if isinstance(step, Discard):
            self._give_back()
            event = self._event(step.records)
            # The failure record first, the checkpoint after it: a crash between the two delivers it again, and never not at all.
            if not await self._context.discarder.discard(self._shard, self.task, step, event):
                return False
            self._shard.discarded(work.discarded())
        elif stop.requested:
            return False
        elif isinstance(step, Wait):
            self._give_back()
            detail = f"a batch of {step.count}, attempt {step.attempt}: {step.why}"
            self._context.reports.doing(self.task, State.RETRYING, detail, step.seconds)
            await stop.sleep(step.seconds)
        elif not await self._acquire():
            return False
        elif not self._shard.lease_time.left:
            # Without the permit, which other mappings may need, and then all is decided anew: records have become older.
            self._give_back()
            if not await self._shard.lease_time.wait(self.task):
                return False
        else:
            # The lease is looked at again when a worker is there, with nothing awaited after it (docs/streams, Replicas).
            await self._invoke(work, step)
        self._shard.progressed()
        return True

    async def _acquire(self) -> bool:
        """Hold a permit, once what was done before is written; False when stopped before there was one."""
        claim, stop = self._surroundings.claim, self._shard.stop
        # The gate first: a permit that waits for the disk would keep other mappings of the function from running.
        if not self._permit and not await self._shard.gate.passed(self.task):
            return False
        if self._permit or claim.try_acquire():
            self._permit = True
            return True
        self._context.reports.doing(self.task, State.WAITING_FOR_PERMIT)
        with stop.waiting():
            await claim.acquire()
            self._permit = True
        self._context.reports.doing(self.task, State.ENDED)
        return self._permit

    def _give_back(self) -> None:
        if self._permit:
            self._permit = False
            self._surroundings.claim.release()

    def _event(self, records: Records) -> bytes:
        windows = self._shard.windows
        if windows is None or windows.open is None:
            return join_event(records.events, self._limits.envelope)
        return join_event(records.events, windows.envelope(self._limits.envelope, final=self._closes_window))

    async def _invoke(self, work: Work, step: Invoke) -> None:
        records, event = step.records, self._event(step.records)
        if len(event) > PAYLOAD_LIMIT_BYTES:
            work.too_large()
            return
        attempt = Attempt(
            self._shard.shard_id,
            records.sequence_numbers,
            records.events,
            event,
            step.attempt,
            self._gather_seconds if step.attempt == 1 else 0.0,
            # Arrival times may be rounded, and the service's clock is known to a second or two: no record is younger than new.
            max(0.0, self._context.stream.service_time() - records.arrivals[-1]) if len(records) else None,
        )
        judgement = Judgement(
            records.sequence_numbers,
            self._context.source.positions.identifiers(records.sequence_numbers),
            reports_failures=self._context.mapping.reports_batch_item_failures,
            windowed=self._shard.windows is not None,
        )
        self.invoking = True
        now = anyio.current_time()
        try:
            ended = await invoke(attempt, judgement.of, self._surroundings, self._shard.stop, now, self._call)
        finally:
            self.invoking = False
            self._give_back()
        self._settle(work, ended, judgement)

    def _settle(self, work: Work, ended: Ended, judgement: Judgement) -> None:
        """What came of an invocation. An abandoned one leaves the batch as it is: a stop hands it back to the stream."""
        now = anyio.current_time()
        match ended.outcome:
            case Outcome.SUCCESS:
                self._accept(work.succeeded(), judgement.state)
            case Outcome.PARTIAL:
                self._accept(work.failed_from(judgement.lowest_failed, now, ended.request_id), judgement.state)
            case Outcome.ERROR:
                function_error = UNHANDLED if ended.unhandled else None
                work.failed(now, ended.error or "", ended.request_id, function_error=function_error)
            case Outcome.THROTTLE | Outcome.INFRASTRUCTURE:
                work.not_run(now, ended.error or "", ended.retry_after_seconds)
            case _:
                pass

    def _accept(self, done: Records, state: bytes) -> None:
        windows = self._shard.windows
        # The last invocation of a window has no records, and no state that would be carried on.
        if windows is not None and len(done) and not self._closes_window:
            windows.accepted(state)
        self._shard.accepted(done)
