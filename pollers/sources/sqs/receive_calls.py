"""The ReceiveMessage calls under way: how many are justified, when the next may be made, and how a stop ends them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import AwsError, Throttled
from pollers.engine.backoff import Backoff
from pollers.sources.sqs.queue import is_hopeless
from pollers.sources.sqs.scaling import ReceiveTarget
from pollers.telemetry.facts import Polled, PollFailed

if TYPE_CHECKING:
    from pollers.aws.api import Wire
    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.entitlement import Entitlement
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.intake import Intake
    from pollers.sources.sqs.planning import Receive
    from pollers.sources.sqs.waiting import Waiting

STOPPED_SECONDS = 1.3
"""So long after it was sent a receive is cut by a stop, once no invocation runs: one that is busy would have come back by then."""

BACKOFF_SECONDS = (0.5, 20.0)
OVER_LIMIT_SECONDS = 5.0
"""The queue has too many messages in flight: that passes with deletes, ours or others'."""


class ReceiveCalls:
    """Makes receives, each in a task of its own.

    ``count`` are under way and asked for ``asked`` messages in all; ``target`` says how many are justified. After a failure none is
    to be made before ``resume_at``; ``failure`` is what went wrong, and for how many seconds it stops receives.
    """

    def __init__(
        self,
        context: QueueContext,
        waiting: Waiting,
        entitlement: Entitlement,
        heartbeat: Heartbeat,
        intake: Intake,
    ) -> None:
        self._context = context
        self._queue = context.queue
        self._facts = context.facts
        self._stop = context.stop
        self._waiting = waiting
        self._entitlement = entitlement
        self._heartbeat = heartbeat
        self._intake = intake
        self._backoff = Backoff(context.random, initial=BACKOFF_SECONDS[0], maximum=BACKOFF_SECONDS[1])
        self._sent_at: dict[anyio.CancelScope, float] = {}
        self.target = ReceiveTarget()
        self.count = 0
        self.asked = 0
        self.resume_at = -math.inf
        self.failure = ("", 0.0)

    def start(self, receive: Receive) -> None:
        """Make this receive."""
        self.count += 1
        self.asked += receive.maximum
        self._context.spawn(self._receive, receive)

    def cut(self, now: float) -> float:
        """Cut what has been under way for long enough, unless invocations still run; when the next is to be cut.

        What a cut one may have taken comes back soon by itself: long polls ask for a brief visibility.
        """
        if self._entitlement.running and not self._stop.hurried:
            return math.inf
        next_at = math.inf
        for scope, sent_at in self._sent_at.items():
            if self._stop.hurried or sent_at + STOPPED_SECONDS <= now:
                scope.cancel()
            else:
                next_at = min(next_at, sent_at + STOPPED_SECONDS)
        return next_at

    async def _receive(self, receive: Receive) -> None:
        try:
            await self._call(receive)
        finally:
            if receive.on_loan and not self._waiting.count and not self.count:
                self._entitlement.end_loan()
            self._context.wake_up.ring()

    async def _call(self, receive: Receive) -> None:
        """One ReceiveMessage. Only a stop cuts it: a reply that nobody reads is messages hidden for nothing."""
        sent_at = anyio.current_time()
        hidden_seconds = self._heartbeat.visibility_of_receive(receive.wait_seconds)
        brief = hidden_seconds < self._heartbeat.hold.hold_seconds
        wires = None
        # Not a scope of the stop itself, which would cut it at once: messages may be on their way already.
        scope = anyio.CancelScope()
        self._sent_at[scope] = sent_at
        try:
            if not self._stop.requested:
                with scope:
                    wires = await self._queue.api.receive(
                        self._queue.url,
                        maximum=receive.maximum,
                        wait_seconds=receive.wait_seconds,
                        visibility_seconds=hidden_seconds,
                    )
        except AwsError as error:
            self._failed(error)
        finally:
            del self._sent_at[scope]
            self.count -= 1
            self.asked -= receive.maximum
        if wires is not None:
            self._returned(receive, wires, sent_at, hidden_seconds, brief=brief)

    def _returned(
        self, receive: Receive, wires: list[Wire], sent_at: float, hidden_seconds: int, *, brief: bool
    ) -> None:
        self._backoff.reset()
        self.target.returned(receive.maximum, len(wires))
        self._facts.emit(Polled("", len(wires)))
        if wires:
            self._intake.take(wires, sent_at, hidden_seconds, brief=brief)

    def _failed(self, error: AwsError) -> None:
        if is_hopeless(error):
            self._facts.emit(PollFailed("", str(error), 0.0))
            raise error
        now = anyio.current_time()
        if now < self.resume_at:
            # One outage, however many receives were under way: they all fail, and the delay is to grow once.
            return
        pause = self._backoff.next()
        if error.code == "OverLimit":
            pause = max(pause, OVER_LIMIT_SECONDS)
        self.resume_at = now + pause
        self.failure = (str(error), pause)
        self.target.failed()
        self._facts.emit(PollFailed("", str(error), pause, throttled=isinstance(error, Throttled)))
