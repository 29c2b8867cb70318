"""Hands messages back to the queue, to be seen again when they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.engine.backoff import Backoff
from pollers.sources.sqs.message import Held, Phase
from pollers.sources.sqs.queue import is_hopeless, is_stale, tens
from pollers.telemetry.facts import Expired, Returned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pollers.aws.api import EntryFailed
    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.heartbeat import Heartbeat

CALLS_AT_MOST = 8
TRIES = 4
"""After that a message simply stays hidden until its visibility timeout runs out."""

RETRY_SECONDS = (0.1, 1.0)

_log = structlog.get_logger(__name__)


class Returns:
    """Gives messages back. Whatever fails here costs time, never a message: they all come back by themselves."""

    def __init__(self, context: QueueContext, heartbeat: Heartbeat) -> None:
        self._queue = context.queue
        self._held = context.held
        self._heartbeat = heartbeat
        self._facts = context.facts
        self._random = context.random

    async def hand_back(
        self, messages: Sequence[Held], seconds: Mapping[str, int | None], reason: str, *, in_order: bool
    ) -> None:
        """Return messages; ``seconds`` says for each id when it is to be seen again (None: leave its visibility alone).

        ``in_order``: one call after the other, as the messages of a FIFO group must not overtake each other.
        """
        for message in messages:
            message.phase = Phase.RETURNING
        await self._heartbeat.until_not_extending(messages)
        # While that was waited for, a message may have been received again, and is then a message like any other.
        messages = [message for message in messages if message.phase is Phase.RETURNING]
        self._leave([message for message in messages if seconds[message.id] is None], reason)
        slices = iter(tens([message for message in messages if seconds[message.id] is not None]))

        async def take_slices() -> None:
            for some in slices:
                await self._change(some, seconds, reason)

        if in_order or len(messages) <= CALLS_AT_MOST:
            await take_slices()
            return
        async with anyio.create_task_group() as group:
            for _ in range(min(CALLS_AT_MOST, -(-len(messages) // 10))):
                group.start_soon(take_slices)

    def expire(self, messages: Iterable[Held], reason: str) -> None:
        """Account for messages whose claim is over already."""
        gone = [message for message in messages if message.phase is not Phase.GONE]
        if gone:
            self._finish(gone)
            self._facts.emit(Expired([message.id for message in gone], reason))

    async def _change(self, messages: Sequence[Held], seconds: Mapping[str, int | None], reason: str) -> None:
        backoff = Backoff(self._random, initial=RETRY_SECONDS[0], maximum=RETRY_SECONDS[1])
        left = list(messages)
        began = anyio.current_time()
        for attempt in range(1, TRIES + 1):
            now = anyio.current_time()
            self.expire((m for m in left if m.lost or m.deadline <= now), "its visibility timeout ran out while held")
            left = [message for message in left if message.phase is Phase.RETURNING]
            if not left:
                return
            # The delay counts from the end of the invocation, however many tries it takes to say so.
            late = int(now - began)
            entries = [(message.handle, max(0, (seconds[message.id] or 0) - late)) for message in left]
            try:
                refused = await self._queue.api.change_visibility(self._queue.url, entries)
            except AwsError as error:
                if is_hopeless(error):
                    _log.warning("messages stay hidden until their visibility timeout runs out", error=str(error))
                    break
            else:
                left = self._note(left, entries, refused, reason)
            if left and attempt < TRIES:
                await anyio.sleep(backoff.next())
        self._leave(left, reason)

    def _note(
        self, messages: list[Held], entries: list[tuple[str, int]], refused: Sequence[EntryFailed], reason: str
    ) -> list[Held]:
        failures = {entry.index: entry for entry in refused}
        stale, again = [], []
        done: dict[int, list[Held]] = {}
        for index, message in enumerate(messages):
            failure = failures.get(index)
            if message.phase is Phase.GONE:
                continue  # received again before the reply came
            if failure is not None and not is_stale(failure):
                again.append(message)
            elif failure is not None:
                stale.append(message)
            else:
                done.setdefault(entries[index][1], []).append(message)
        self.expire(stale, "the receipt handle was no longer valid at the return")
        for delay, some in done.items():
            self._finish(some)
            self._facts.emit(Returned("", [message.id for message in some], delay, reason))
        return again

    def _leave(self, messages: Sequence[Held], reason: str) -> None:
        messages = [message for message in messages if message.phase is not Phase.GONE]
        if messages:
            self._finish(messages)
            self._facts.emit(Returned("", [message.id for message in messages], None, reason))

    def _finish(self, messages: Iterable[Held]) -> None:
        for message in messages:
            message.phase = Phase.GONE
            message.record = b""
            self._held.remove(message)
