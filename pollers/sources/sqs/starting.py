"""Starts the batches that are ready, and takes out what must not or cannot be run: that is settled without an invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.sources.sqs.message import Phase
from pollers.sources.sqs.outcome import LAPSED, STOPPING, BatchOutcome, SeenAgain, oversized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.entitlement import Entitlement
    from pollers.sources.sqs.invoking import Invoker
    from pollers.sources.sqs.message import Held
    from pollers.sources.sqs.settling import Settling
    from pollers.sources.sqs.waiting import Waiting


class Starter:
    """Turns what waits into invocations, one permit each."""

    def __init__(
        self,
        context: QueueContext,
        waiting: Waiting,
        entitlement: Entitlement,
        settling: Settling,
        invoker: Invoker,
    ) -> None:
        self._waiting = waiting
        self._entitlement = entitlement
        self._limits = context.limits
        self._settling = settling
        self._invoker = invoker
        self._spawn = context.spawn

    def start_ready(self, now: float) -> None:
        """Start every batch that is ready and has a permit."""
        while self._waiting.ready(now) and self._entitlement.start():
            self._start(self._waiting.take(now), now)

    def drop_lapsed(self, messages: Sequence[Held]) -> None:
        """The claim on these is over. Those that wait are dropped, with what waits behind them; what runs is left to its end."""
        unsound = self._waiting.discard([message for message in messages if message.phase is Phase.WAITING])
        if unsound:
            self._settle_lapsed(unsound)

    async def hand_back(self) -> bool:
        """Return what waits, but for what waits behind a busy group; False if there was nothing."""
        if not (drained := self._waiting.drain()):
            return False
        await self._settling.hand_back(drained, STOPPING)
        return True

    def _start(self, batch: list[Held], now: float) -> None:
        # The deadlines are looked at here once more: the heartbeat may have been late, and nobody else stands before the function.
        lapsed = [message for message in batch if message.lost or message.deadline <= now]
        if lapsed:
            batch = self._without(batch, lapsed)
        elif not self._limits.deliverable(len(batch[0].record)):
            # Only in a FIFO group: it fails in its turn. Anywhere else it would have failed on arrival.
            self._spawn(self._settling.settle, batch, BatchOutcome(failed=batch, reason=oversized(batch)))
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
        self._settle_lapsed(unsound)
        gone = set(unsound)
        return [message for message in batch if message not in gone]

    def _settle_lapsed(self, messages: list[Held]) -> None:
        outcome = BatchOutcome(failed=messages, reason=LAPSED, seen_again=SeenAgain.AT_ONCE)
        self._spawn(self._settling.settle, messages, outcome)
