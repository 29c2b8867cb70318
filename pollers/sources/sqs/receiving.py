"""The heart of the SQS poller: whenever something has changed, starts what can be started and receives what can be run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.sources.sqs.planning import CallState, Lend, MessageState, NotNow, PermitState, Situation, Terms, plan
from pollers.sources.sqs.scaling import RECEIVE_LIMIT
from pollers.telemetry.facts import RECEIVE_TASK, Doing, State

if TYPE_CHECKING:
    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.deleting import Deletes
    from pollers.sources.sqs.entitlement import Entitlement
    from pollers.sources.sqs.receive_calls import ReceiveCalls
    from pollers.sources.sqs.starting import Starter
    from pollers.sources.sqs.waiting import Waiting

UNDELETED_LOOK_SECONDS = 0.1


class Receiver:
    """Carries out what :func:`pollers.sources.sqs.planning.plan` decides."""

    def __init__(
        self,
        context: QueueContext,
        terms: Terms,
        waiting: Waiting,
        entitlement: Entitlement,
        calls: ReceiveCalls,
        starter: Starter,
        deletes: Deletes,
    ) -> None:
        self._terms = terms
        self._facts = context.facts
        self._observed = context.observed
        self._stop = context.stop
        self._wake_up = context.wake_up
        self._waiting = waiting
        self._entitlement = entitlement
        self._calls = calls
        self._starter = starter
        self._deletes = deletes
        self._last_reported: tuple[State, str] | None = None

    async def run(self) -> None:
        """Receive and start batches until a stop is requested, then hand back what was not started."""
        while not self._stop.requested:
            self._wake_up.rearm()
            now = anyio.current_time()
            self._calls.target.limit(self._entitlement.limit * -(-self._terms.batch_size // RECEIVE_LIMIT))
            # Batches first: they use permits up, and what they leave is what may be received.
            self._starter.start_ready(now)
            why_not = self._start_receives(now)
            self._report_activity(why_not, now)
            await self._sleep(why_not, now)
        self._report(State.STOPPING)
        await self._wind_down()

    async def ring_at_stop(self) -> None:
        """Wake :meth:`run` at each step of the stop."""
        await self._stop.until_requested()
        self._wake_up.ring()
        await self._stop.until_hurried()
        self._wake_up.ring()

    def _start_receives(self, now: float) -> NotNow:
        """Carry out what is planned; why no more is."""
        entitlement = self._entitlement
        while isinstance(step := plan(self._situation(now), now), Lend):
            entitlement.reserve(step.reserve)
            entitlement.lend()
            self._waiting.open(now)
        entitlement.reserve(step.reserve)
        for receive in step.receives:
            self._calls.start(receive)
        entitlement.keep(step.keep)
        if step.await_permit:
            entitlement.await_one()
        return step.why_no_more

    def _situation(self, now: float) -> Situation:
        """What the plan is made from. By position: names would double its cost, and one is made at every turn."""
        entitlement, waiting, calls, observed = self._entitlement, self._waiting, self._calls, self._observed
        allowed = entitlement.allowed
        # What it takes to know these two is saved where no receive is justified: then no plan looks at them.
        justified = calls.count < calls.target.target
        return Situation(
            self._terms,
            CallState(calls.target.target, calls.count, calls.asked, calls.resume_at),
            MessageState(
                waiting.count,
                waiting.runnable,
                waiting.ready(now),
                waiting.due_at,
                self._deletes.backlog,
                observed.mean_bytes,
            ),
            PermitState(
                entitlement.reserved,
                entitlement.running,
                entitlement.lent,
                allowed,
                entitlement.obtainable(allowed) if justified else 0,
                entitlement.contended if justified else False,
            ),
            observed.pace.ahead(self._terms.batch_size, allowed),
            observed.careful_until,
            observed.careful_size,
        )

    async def _sleep(self, why_not: NotNow, now: float) -> None:
        """Until something changes, or the next moment that is known."""
        moments = []
        if self._calls.resume_at > now:
            moments.append(self._calls.resume_at)
        if (due_at := self._waiting.due_at) is not None and due_at > now:
            moments.append(due_at)
        if why_not is NotNow.UNDELETED:
            # A delete that is through wakes nobody: it happens too often, and only here would it matter.
            moments.append(now + UNDELETED_LOOK_SECONDS)
        if not moments:
            await self._wake_up.wait()
            return
        with anyio.move_on_at(min(moments)):
            await self._wake_up.wait()

    async def _wind_down(self) -> None:
        """Wait for receives under way, or cut them; then hand back what waits, last what waits behind a busy group.

        In this order, as a receive under way would take at once what is handed back.
        """
        while True:
            self._wake_up.rearm()
            cut_at = self._calls.cut(anyio.current_time())
            if (self._stop.hurried or not self._calls.count) and await self._starter.hand_back():
                continue
            if not self._calls.count and not self._waiting.count:
                return
            with anyio.move_on_at(cut_at):
                await self._wake_up.wait()

    def _report_activity(self, why_not: NotNow, now: float) -> None:
        if now < self._calls.resume_at:
            error, pause = self._calls.failure
            self._report(State.BACKING_OFF, error, pause)
        elif self._calls.count:
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
            self._facts.emit(Doing(RECEIVE_TASK, state, detail, until_seconds))
