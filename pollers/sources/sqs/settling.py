"""After an invocation: decides which messages are deleted and which go back to the queue, and when those are seen again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import anyio

from pollers.sources.sqs.outcome import BEHIND, SeenAgain
from pollers.sources.sqs.visibility import retry_delay_seconds, seconds_to_hide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.deleting import Deletes
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.message import Held
    from pollers.sources.sqs.outcome import BatchOutcome
    from pollers.sources.sqs.returns import Returns


class Settling:
    """Settles the batches of a standard queue: each message for itself. (FIFO queues have :class:`GroupSettling`.)

    To settle a message is to end our part in it, one way or the other. :class:`Deletes` deletes, later and together with others;
    :class:`Returns` hands back, and that is waited for here.
    """

    in_order: ClassVar[bool] = False
    """Whether messages must be handed back one call after the other."""

    def __init__(self, context: QueueContext, heartbeat: Heartbeat, deletes: Deletes, returns: Returns) -> None:
        self._policy = context.mapping.visibility
        self._heartbeat = heartbeat
        self._deletes = deletes
        self._returns = returns

    async def settle(self, batch: Sequence[Held], outcome: BatchOutcome) -> None:
        """Settle one batch, as it turned out."""
        self._deletes.put(outcome.done)
        if outcome.failed:
            seconds = self._seconds_of_failed(outcome.failed, outcome.seen_again)
            await self._returns.hand_back(outcome.failed, seconds, outcome.reason, in_order=self.in_order)

    async def hand_back(self, messages: Sequence[Held], reason: str) -> None:
        """Return messages that were never started, to be seen at once."""
        now = anyio.current_time()
        seconds = {message.id: seconds_to_hide(message, now, self._heartbeat.hold, 0) for message in messages}
        await self._returns.hand_back(messages, seconds, reason, in_order=self.in_order)

    async def hand_back_overtaking(self, overtaking: Sequence[tuple[Held, float]]) -> None:
        """Return messages that came before one ahead of them in their group, to be seen no earlier than that."""
        now = anyio.current_time()
        seconds: dict[str, int | None] = {
            message.id: seconds_to_hide(message, now, self._heartbeat.hold, math.ceil(until - now))
            for message, until in overtaking
        }
        await self._returns.hand_back([message for message, _ in overtaking], seconds, BEHIND, in_order=self.in_order)

    async def fail(self, messages: Sequence[Held], reason: str) -> None:
        """Return messages as failed, so that the queue's redrive policy counts them out."""
        seconds = self._seconds_of_failed(messages, SeenAgain.BY_POLICY)
        await self._returns.hand_back(messages, seconds, reason, in_order=self.in_order)

    def _seconds_of_failed(self, failed: Sequence[Held], seen_again: SeenAgain) -> dict[str, int | None]:
        """For each id in how many seconds it is to be seen again; None: leave its visibility alone."""
        now = anyio.current_time()
        return {
            message.id: seconds_to_hide(message, now, self._heartbeat.hold, self._delay(message, seen_again))
            for message in failed
        }

    def _delay(self, message: Held, seen_again: SeenAgain) -> int | None:
        match seen_again:
            case SeenAgain.AT_ONCE:
                return 0
            case SeenAgain.AFTER_TIMEOUT:
                return None
            case SeenAgain.BY_POLICY:
                return retry_delay_seconds(self._policy.retry_delay, message.receive_count)
