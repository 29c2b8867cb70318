"""After an invocation on a FIFO queue: a group goes on when what was ahead is deleted, or back with all that stood behind it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import anyio

from pollers.sources.sqs.batch_deletes import BatchDeletes
from pollers.sources.sqs.outcome import BEHIND, SeenAgain
from pollers.sources.sqs.settling import Settling
from pollers.sources.sqs.visibility import RECEIVE_SLACK_SECONDS, in_order_of_group, seconds_to_hide

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.deleting import Deletes
    from pollers.sources.sqs.groups import MessageGroups
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.message import Held
    from pollers.sources.sqs.outcome import BatchOutcome
    from pollers.sources.sqs.returns import Returns


class GroupSettling(Settling):
    """Settles the batches of a FIFO queue, whose groups are busy until then."""

    in_order: ClassVar[bool] = True

    def __init__(
        self,
        context: QueueContext,
        heartbeat: Heartbeat,
        deletes: Deletes,
        returns: Returns,
        groups: MessageGroups,
    ) -> None:
        super().__init__(context, heartbeat, deletes, returns)
        self._context = context
        self._groups = groups

    async def settle(self, batch: Sequence[Held], outcome: BatchOutcome) -> None:
        """Deletes first, as the next of a group may run only when what was before it is gone from the queue."""
        # Groups without a failure go on as soon as their deletes are through; the others when all of theirs is back.
        busy = dict.fromkeys(message.group for message in batch)
        try:
            deletes = BatchDeletes(outcome.done)
            self._deletes.put(outcome.done)
            undeleted = await deletes.wait()
            broken = dict.fromkeys(message.group for message in [*outcome.failed, *undeleted])
            for group in [group for group in busy if group not in broken]:
                del busy[group]
                self._groups.release(group)
            self._context.wake_up.ring()
            # Nothing broken is the rule, and to return nothing would take a twentieth of what such a batch costs.
            if broken:
                await self._return_groups(list(broken), outcome, undeleted)
        except Exception:
            self._release(busy)
            raise
        self._release(busy)

    def _release(self, groups: Iterable[str | None]) -> None:
        # Never called when we are cancelled: a crash must not start anything any more.
        for group in groups:
            self._groups.release(group)
        self._context.wake_up.ring()

    async def _return_groups(
        self, groups: Sequence[str | None], outcome: BatchOutcome, undeleted: Sequence[Held]
    ) -> None:
        """What failed, then all that waits behind it, none to be seen before the one ahead of it."""
        now = anyio.current_time()
        seconds = self._seconds_of_failed(outcome.failed, outcome.seen_again)
        not_before = dict.fromkeys(groups, -math.inf)
        for message in undeleted:
            # Done, but not deleted: it comes again by itself, and what is behind it must not come before.
            not_before[message.group] = max(not_before[message.group], message.deadline + RECEIVE_SLACK_SECONDS)
        self._put_in_order(outcome.failed, now, seconds, not_before)
        behind = [message for group in groups for message in self._groups.behind(group)]
        if behind and outcome.failed and outcome.seen_again is not SeenAgain.AT_ONCE:
            # Each of these has used up a receive without being run. As large a receive as the batch that failed reads none in vain.
            self._context.observed.be_careful(
                len(outcome.failed) + len(outcome.done), now + 2 * self._heartbeat.hold.timeout_seconds
            )
        for message in reversed(outcome.failed):
            delay = seconds[message.id]
            self._groups.hide(message, message.deadline if delay is None else now + delay, now)
        await self._returns.hand_back(outcome.failed, seconds, outcome.reason, in_order=self.in_order)
        await self._return_behind(behind, not_before)

    async def _return_behind(self, behind: Sequence[Held], not_before: dict[str | None, float]) -> None:
        # A new now: returning those that failed took a while, and each delay counts from its own call.
        now = anyio.current_time()
        seconds = {message.id: seconds_to_hide(message, now, self._heartbeat.hold, 0) for message in behind}
        self._put_in_order(behind, now, seconds, not_before)
        await self._returns.hand_back(behind, seconds, BEHIND, in_order=self.in_order)

    def _put_in_order(
        self,
        messages: Sequence[Held],
        now: float,
        seconds: dict[str, int | None],
        not_before: dict[str | None, float],
    ) -> None:
        """Change ``seconds`` so that none is seen before the one ahead of it, and note in ``not_before`` when its last is."""
        for group in dict.fromkeys(message.group for message in messages):
            members = [message for message in messages if message.group == group]
            in_order, not_before[group] = in_order_of_group(members, now, seconds, not_before[group])
            seconds |= in_order
