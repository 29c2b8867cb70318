"""After an invocation: deletes what is done, returns what failed, and with a FIFO group what stood behind it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from pollers.sources.sqs.batch_deletes import Settlement
from pollers.sources.sqs.groups import Lanes
from pollers.sources.sqs.outcome import Outcome, SeenAgain
from pollers.sources.sqs.visibility import (
    RECEIVE_SLACK_SECONDS,
    in_order_of_group,
    retry_delay_seconds,
    seconds_to_hide,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from config.models import Visibility
    from pollers.sources.sqs.deleting import Deletes
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.message import Held
    from pollers.sources.sqs.returns import Returns
    from pollers.sources.sqs.waiting import Waiting

BEHIND = "behind a message of its group that was not handled"
STOPPING = "the poller is stopping"


class Settling:
    """Settles batches.

    Until ``careful_until`` FIFO receives ask for no more than ``careful_size`` messages, as many as the batch that failed had:
    whatever is received behind it only goes back, and comes nearer to the dead-letter queue without ever being run.
    """

    def __init__(
        self,
        policy: Visibility,
        waiting: Waiting,
        heartbeat: Heartbeat,
        deletes: Deletes,
        returns: Returns,
        wake: Callable[[], None],
    ) -> None:
        self._policy = policy
        self._waiting = waiting
        self._heartbeat = heartbeat
        self._deletes = deletes
        self._returns = returns
        self._wake = wake
        self.careful_until = 0.0
        self.careful_size = 1

    async def settle(self, batch: Sequence[Held], outcome: Outcome) -> None:
        """Acknowledge one batch."""
        if isinstance(self._waiting, Lanes):
            await self._settle_groups(self._waiting, batch, outcome)
            return
        self._deletes.put(outcome.done)
        if outcome.failed:
            await self._returns.back(
                outcome.failed, self._plan(outcome.failed, outcome), outcome.reason, in_order=False
            )

    async def hand_back(self, messages: Sequence[Held], reason: str) -> None:
        """Return messages that were never started, to be seen at once."""
        now = anyio.current_time()
        seconds = {message.id: seconds_to_hide(message, now, self._heartbeat.hold, 0) for message in messages}
        in_order = isinstance(self._waiting, Lanes)
        await self._returns.back(messages, seconds, reason, in_order=in_order)

    async def hand_back_overtaking(self, overtaking: Sequence[tuple[Held, float]]) -> None:
        """Return messages that came before one ahead of them in their group, to be seen no earlier than that."""
        now = anyio.current_time()
        seconds: dict[str, int | None] = {
            message.id: seconds_to_hide(message, now, self._heartbeat.hold, math.ceil(until - now))
            for message, until in overtaking
        }
        await self._returns.back([message for message, _ in overtaking], seconds, BEHIND, in_order=True)

    async def fail(self, messages: Sequence[Held], reason: str) -> None:
        """Return messages as failed, so that the queue's redrive policy counts them out."""
        in_order = isinstance(self._waiting, Lanes)
        await self._returns.back(messages, self._plan(messages, Outcome(failed=[*messages])), reason, in_order=in_order)

    def _plan(self, failed: Sequence[Held], outcome: Outcome) -> dict[str, int | None]:
        now = anyio.current_time()
        return {
            message.id: seconds_to_hide(message, now, self._heartbeat.hold, self._delay(message, outcome.seen_again))
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

    async def _settle_groups(self, lanes: Lanes, batch: Sequence[Held], outcome: Outcome) -> None:
        """Deletes first, as the next of a group may run only when what was before it is gone from the queue."""
        groups = dict.fromkeys(message.group for message in batch)
        try:
            settlement = Settlement(outcome.done)
            self._deletes.put(outcome.done)
            undeleted = await settlement.wait()
            broken = dict.fromkeys(message.group for message in [*outcome.failed, *undeleted])
            for group in [group for group in groups if group not in broken]:
                del groups[group]
                lanes.release(group)
            self._wake()
            await self._return_groups(lanes, list(broken), outcome, undeleted)
        except Exception:
            self._release(lanes, groups)
            raise
        self._release(lanes, groups)

    def _release(self, lanes: Lanes, groups: Iterable[str | None]) -> None:
        """Not when we are cancelled: then nothing may start any more."""
        for group in groups:
            lanes.release(group)
        self._wake()

    async def _return_groups(
        self, lanes: Lanes, groups: Sequence[str | None], outcome: Outcome, undeleted: Sequence[Held]
    ) -> None:
        """What failed, then all that waits behind it, none to be seen before the one ahead of it."""
        now = anyio.current_time()
        plan = self._plan(outcome.failed, outcome)
        not_before = dict.fromkeys(groups, -math.inf)
        for message in undeleted:
            not_before[message.group] = max(not_before[message.group], message.deadline + RECEIVE_SLACK_SECONDS)
        for group in groups:
            line = [message for message in outcome.failed if message.group == group]
            plan_of_line, not_before[group] = in_order_of_group(line, now, plan, not_before[group])
            plan |= plan_of_line
        behind = [message for group in groups for message in lanes.behind(group)]
        if behind and outcome.failed and outcome.seen_again is not SeenAgain.AT_ONCE:
            self.careful_until = now + 2 * self._heartbeat.hold.timeout_seconds
            self.careful_size = len(outcome.failed) + len(outcome.done)
        for message in reversed(outcome.failed):
            seconds = plan[message.id]
            lanes.hide(message, message.deadline if seconds is None else now + seconds, now)
        await self._returns.back(outcome.failed, plan, outcome.reason, in_order=True)
        await self._returns.back(behind, self._plan_behind(behind, not_before), BEHIND, in_order=True)

    def _plan_behind(self, behind: Sequence[Held], not_before: dict[str | None, float]) -> dict[str, int | None]:
        now = anyio.current_time()
        plan = {message.id: seconds_to_hide(message, now, self._heartbeat.hold, 0) for message in behind}
        for group in dict.fromkeys(message.group for message in behind):
            line = [message for message in behind if message.group == group]
            plan_of_line, not_before[group] = in_order_of_group(line, now, plan, not_before[group])
            plan |= plan_of_line
        return plan
