"""The heart of the SQS poller: when to receive, how much, and when a batch goes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.aws.errors import AwsError, Throttled
from pollers.engine.backoff import Backoff
from pollers.engine.batching import RECORDS
from pollers.sources.sqs.message import Held, Phase
from pollers.sources.sqs.outcome import Outcome, SeenAgain
from pollers.sources.sqs.planning import Lend, NoReceive, NotNow, Situation, Terms, plan
from pollers.sources.sqs.queue import is_hopeless
from pollers.sources.sqs.scaling import RECEIVE_LIMIT, Pace, Receives
from pollers.sources.sqs.settling import STOPPING
from pollers.sources.sqs.visibility import RECEIVE_SLACK_SECONDS
from pollers.telemetry.facts import Doing, Polled, PollFailed, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from config.models import SqsMapping
    from pollers.aws.api import Wire
    from pollers.engine.batching import Limits
    from pollers.sources.sqs.deleting import Deletes, Spawn
    from pollers.sources.sqs.entitlement import Entitlement
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.intake import Intake
    from pollers.sources.sqs.invoking import Invoker
    from pollers.sources.sqs.planning import Receive
    from pollers.sources.sqs.queue import Queue
    from pollers.sources.sqs.settling import Settling
    from pollers.sources.sqs.waiting import Waiting
    from pollers.telemetry.facts import Facts

LONG_POLL_SECONDS = 20
"""ReceiveMessage waits at most this long; what one idle poll costs."""

STOPPED_SECONDS = 1.3
"""So long after it was sent a receive is cut by a stop, once no invocation runs: one that is busy would have come back by then."""

UNDELETED_LOOK_SECONDS = 0.1
SIZE_WEIGHT = 0.2
"""How much the latest receive counts in the mean size of messages."""

BACKOFF_SECONDS = (0.5, 20.0)
OVER_LIMIT_SECONDS = 5.0
"""The queue has too many messages in flight: that passes with deletes, ours or others'."""

LAPSED = "its visibility timeout ran out before it was started"


class Receiver:
    """Decides and starts receives and batches, whenever something has changed.

    ``spawn`` starts a task that the poller owns; ``fail`` tells it that the source is unusable.
    """

    def __init__(
        self,
        mapping: SqsMapping,
        queue: Queue,
        waiting: Waiting,
        entitlement: Entitlement,
        limits: Limits,
        intake: Intake,
        heartbeat: Heartbeat,
        deletes: Deletes,
        settling: Settling,
        invoker: Invoker,
        pace: Pace,
        facts: Facts,
        random: Random,
        spawn: Spawn,
        fail: Callable[[Exception], None],
        *,
        long_poll_seconds: int = LONG_POLL_SECONDS,
        careful: bool = False,
    ) -> None:
        windowed = mapping.maximum_batching_window_in_seconds > 0
        self._terms = Terms(mapping.batch_size, windowed, long_poll_seconds, careful)
        self._queue = queue
        self._waiting = waiting
        self._entitlement = entitlement
        self._limits = limits
        self._intake = intake
        self._heartbeat = heartbeat
        self._deletes = deletes
        self._settling = settling
        self._invoker = invoker
        self._pace = pace
        self._facts = facts
        self._spawn = spawn
        self._fail = fail
        self._receives = Receives()
        self._backoff = Backoff(random, initial=BACKOFF_SECONDS[0], maximum=BACKOFF_SECONDS[1])
        self._resume_at = -math.inf
        self._in_flight = 0
        self._asked = 0
        self._mean_bytes = 0.0
        self._flights: dict[anyio.CancelScope, float] = {}
        self._changed = anyio.Event()
        self._last_reported: tuple[State, str] | None = None
        self.stopping = False
        self._hurried = False

    def wake(self) -> None:
        """Something has changed: decide anew."""
        self._changed.set()

    async def run(self) -> None:
        """Receive and start batches until :meth:`stop`, then hand back what was not started."""
        while not self.stopping:
            self._changed = anyio.Event()
            now = anyio.current_time()
            self._receives.limit(self._entitlement.limit * -(-self._terms.batch_size // RECEIVE_LIMIT))
            self._start_batches(now)
            why_not = self._start_receives(now)
            self._report_activity(why_not, now)
            await self._sleep(why_not, now)
        await self._wind_down()

    def stop(self, *, hurried: bool = False) -> None:
        """No receive and no batch any more. ``hurried``: do not wait for receives in flight."""
        self.stopping = True
        self._hurried |= hurried
        self._report(State.STOPPING)
        self.wake()

    async def _wind_down(self) -> None:
        """A receive in flight would take at once what is handed back, so they come first; what waits behind a busy group last."""
        while True:
            self._changed = anyio.Event()
            cut_at = self._cut_receives(anyio.current_time())
            if (self._hurried or not self._in_flight) and (drained := self._waiting.drain()):
                await self._settling.hand_back(drained, STOPPING)
                continue
            if not self._in_flight and not self._waiting.count:
                return
            with anyio.move_on_at(cut_at):
                await self._changed.wait()

    def _cut_receives(self, now: float) -> float:
        """Cut what has been in flight for long enough, unless invocations still run; when the next is to be cut.

        What a cut one may have taken comes back soon by itself: long polls ask for a brief visibility.
        """
        if self._entitlement.running and not self._hurried:
            return math.inf
        next_at = math.inf
        for flight, sent_at in self._flights.items():
            if self._hurried or sent_at + STOPPED_SECONDS <= now:
                flight.cancel()
            else:
                next_at = min(next_at, sent_at + STOPPED_SECONDS)
        return next_at

    def _start_batches(self, now: float) -> None:
        while self._waiting.ready(now) and self._entitlement.start():
            self._start_batch(self._waiting.take(now), now)

    def _start_batch(self, batch: list[Held], now: float) -> None:
        """Invoke the batch, but for what must not or cannot be run: that is settled without."""
        lapsed = [message for message in batch if message.lost or message.deadline <= now]
        if lapsed:
            batch = self._without(batch, lapsed)
        elif not self._limits.deliverable(len(batch[0].record)):
            self._spawn(self._settling.settle, batch, Outcome(failed=batch, reason=oversized(batch)))
            batch = []
        if not batch:
            self._entitlement.finish()
            return
        for message in batch:
            message.phase = Phase.RUNNING
        self._spawn(self._invoker.run, batch)

    def _without(self, batch: list[Held], lapsed: list[Held]) -> list[Held]:
        """The batch without messages whose visibility timeout has run out, and without the rest of their groups."""
        gone, groups = set(lapsed), {message.group for message in lapsed} - {None}
        unsound = [message for message in batch if message in gone or message.group in groups]
        self._spawn(
            self._settling.settle, unsound, Outcome(failed=unsound, reason=LAPSED, seen_again=SeenAgain.AT_ONCE)
        )
        gone = set(unsound)
        return [message for message in batch if message not in gone]

    def _start_receives(self, now: float) -> NotNow:
        """Carry out what is planned, until nothing more is to be asked for; why not."""
        entitlement = self._entitlement
        while True:
            step = plan(self._situation(now), now)
            entitlement.reserve(step.reserve)
            if isinstance(step, NoReceive):
                entitlement.keep(step.keep)
                if step.await_permit:
                    entitlement.await_one()
                return step.reason
            if isinstance(step, Lend):
                entitlement.lend()
                self._waiting.open(now)
            else:
                self._in_flight += 1
                self._asked += step.maximum
                self._spawn(self._receive, step)

    def _situation(self, now: float) -> Situation:
        """What the plan is made from."""
        entitlement, waiting, settling = self._entitlement, self._waiting, self._settling
        allowed = entitlement.allowed
        return Situation(
            self._terms,
            self._receives.target,
            self._in_flight,
            self._asked,
            self._resume_at,
            waiting.count,
            waiting.runnable,
            waiting.ready(now),
            waiting.due_at,
            self._deletes.backlog,
            self._mean_bytes,
            entitlement.reserved,
            entitlement.running,
            entitlement.lent,
            allowed,
            entitlement.obtainable(allowed),
            entitlement.contended,
            self._pace.ahead(self._terms.batch_size, allowed),
            settling.careful_until,
            settling.careful_size,
        )

    async def _receive(self, ask: Receive) -> None:
        """One ReceiveMessage. Only a stop cuts it: a reply that nobody reads is messages hidden for nothing."""
        sent_at = anyio.current_time()
        hidden_seconds = self._heartbeat.visibility_of_receive(ask.wait_seconds)
        brief = hidden_seconds < self._heartbeat.hold.hold_seconds
        wires = None
        flight = anyio.CancelScope()
        self._flights[flight] = sent_at
        try:
            if not self.stopping:
                with flight:
                    wires = await self._queue.api.receive(
                        self._queue.url,
                        maximum=ask.maximum,
                        wait_seconds=ask.wait_seconds,
                        visibility_seconds=hidden_seconds,
                    )
        except AwsError as error:
            self._receive_failed(error)
        finally:
            del self._flights[flight]
            self._in_flight -= 1
            self._asked -= ask.maximum
        if wires is not None:
            self._backoff.reset()
            self._receives.returned(ask.maximum, len(wires))
            self._facts.emit(Polled("", len(wires)))
            if wires:
                self._arrived(wires, sent_at, hidden_seconds, brief=brief)
        if ask.on_loan and not self._waiting.count and not self._in_flight:
            self._entitlement.end_loan()
        self.wake()

    def _arrived(self, wires: list[Wire], sent_at: float, hidden_seconds: int, *, brief: bool) -> None:
        """Take over what came."""
        now = anyio.current_time()
        arrivals = self._intake.take(wires, max(sent_at, now - RECEIVE_SLACK_SECONDS), hidden_seconds, brief=brief)
        mean_bytes = arrivals.size_bytes / len(wires)
        self._mean_bytes += (mean_bytes - self._mean_bytes) * (SIZE_WEIGHT if self._mean_bytes else 1.0)
        if arrivals.look:
            self._heartbeat.wake()
        if arrivals.filtered:
            self._deletes.put(arrivals.filtered)
        if arrivals.oversized:
            self._spawn(self._settling.fail, arrivals.oversized, oversized(arrivals.oversized))
        overtaking = []
        for message in arrivals.fresh:
            if (until := self._waiting.overtakes(message, now)) is None:
                self._waiting.add(message, now)
            else:
                overtaking.append((message, until))
        if overtaking:
            self._spawn(self._settling.hand_back_overtaking, overtaking)

    def _receive_failed(self, error: AwsError) -> None:
        if is_hopeless(error):
            self._facts.emit(PollFailed("", str(error), 0.0))
            self._fail(error)
            return
        now = anyio.current_time()
        if now < self._resume_at:
            return
        pause = self._backoff.next()
        if error.code == "OverLimit":
            pause = max(pause, OVER_LIMIT_SECONDS)
        self._resume_at = now + pause
        self._receives.failed()
        self._facts.emit(PollFailed("", str(error), pause, throttled=isinstance(error, Throttled)))
        self._report(State.BACKING_OFF, str(error), pause)

    async def _sleep(self, why_not: NotNow, now: float) -> None:
        """Until something changes, or the next moment that is known."""
        moments = []
        if self._resume_at > now:
            moments.append(self._resume_at)
        if (due_at := self._waiting.due_at) is not None and due_at > now:
            moments.append(due_at)
        if why_not is NotNow.UNDELETED:
            # A delete that is through wakes nobody: it happens too often, and only here would it matter.
            moments.append(now + UNDELETED_LOOK_SECONDS)
        if not moments:
            await self._changed.wait()
            return
        with anyio.move_on_at(min(moments)):
            await self._changed.wait()

    def _report_activity(self, why_not: NotNow, now: float) -> None:
        if now < self._resume_at:
            return
        if self._in_flight:
            self._report(State.POLLING)
        elif self._entitlement.awaited:
            self._report(State.WAITING_FOR_PERMIT)
        elif why_not is NotNow.UNDELETED:
            self._report(State.BACKING_OFF, "many messages wait for their delete")
        else:
            self._report(State.INVOKING, "as many invocations run as are allowed")

    def _report(self, state: State, detail: str = "", until_seconds: float | None = None) -> None:
        """Say what is being done, unless that was said last."""
        if self._last_reported != (state, detail):
            self._last_reported = (state, detail)
            self._facts.emit(Doing("receive", state, detail, until_seconds))


def oversized(messages: list[Held]) -> str:
    """Why messages can never be delivered."""
    return (
        f"the event of one message would have {RECORDS.size_bytes + len(messages[0].record):,} bytes, "
        f"over the limit of {PAYLOAD_LIMIT_BYTES:,}: it can never be delivered"
    )
