"""Deletes what is done: ten at a time, from all batches. Each entry is tried until it is confirmed or its claim has run out."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import AwsError
from pollers.engine.backoff import Backoff
from pollers.engine.stop import Stop
from pollers.sources.sqs.message import Held, Phase
from pollers.sources.sqs.queue import ENTRIES_AT_MOST, is_hopeless, is_stale
from pollers.sources.sqs.visibility import BRIEF_MARGIN_SECONDS
from pollers.telemetry.facts import Deleted, DeleteRetried, Expired

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pollers.aws.api import EntryFailed
    from pollers.sources.sqs.context import QueueContext, Spawn
    from pollers.sources.sqs.heartbeat import Heartbeat

CALLS_AT_MOST = 16
"""Deletes in flight at a time. When they are all busy, what is done gathers into full tens."""

LINGER_SECONDS = 0.005
"""How long fewer than ten wait for others to go with them."""

LAST_TRIES = 4
"""Tries that are left to a delete once the poller is stopping."""

RETRY_SECONDS = (0.1, 5.0)
LAST_RETRY_SECONDS = 0.3
"""Longest wait between tries once the poller is stopping: what is confirmed before the end does not come again."""


class Deletes:
    """The messages that are done and to be deleted. ``spawn`` starts a call, in a task that may outlive the work on messages.

    A message is confirmed as deleted only when the service said so before its visibility timeout ran out: after that a delete
    that "succeeds" may have deleted nothing, so the message is counted as expired.
    """

    def __init__(self, context: QueueContext, heartbeat: Heartbeat, spawn: Spawn) -> None:
        self._queue = context.queue
        self._held = context.held
        self._heartbeat = heartbeat
        self._facts = context.facts
        self._random = context.random
        self._spawn = spawn
        self._prompt = context.mapping.fifo
        self._pending: deque[Held] = deque()
        self._calls = 0
        self._in_calls = 0
        self._work = anyio.Event()
        self._idle = anyio.Event()
        # Not the poller's: deletes go on as before until the last invocation has finished.
        self._closing = Stop()

    @property
    def backlog(self) -> int:
        """How many messages are done and not yet deleted."""
        return len(self._pending) + self._in_calls

    def put(self, messages: Iterable[Held]) -> None:
        """Delete these, soon."""
        for message in messages:
            message.phase = Phase.DELETING
            message.record = b""
            self._pending.append(message)
        self._start(ENTRIES_AT_MOST)
        if self._pending:
            self._work.set()

    async def run(self) -> None:
        """Send what is fewer than ten and has nothing to wait for, until cancelled."""
        while True:
            await self._work.wait()
            # A FIFO group waits for its deletes, so there nothing lingers.
            if not (self._prompt or self._closing.requested):
                await anyio.sleep(LINGER_SECONDS)
            self._work = anyio.Event()
            self._start(1)

    async def flush(self) -> None:
        """Wait until everything is deleted or given up; tries are bounded from now on."""
        self._closing.request()
        self._start(1)
        while self.backlog:
            self._idle = anyio.Event()
            await self._idle.wait()

    def _start(self, at_least: int) -> None:
        pending = self._pending
        while len(pending) >= at_least and pending and self._calls < CALLS_AT_MOST:
            messages = [pending.popleft() for _ in range(min(ENTRIES_AT_MOST, len(pending)))]
            self._calls += 1
            self._in_calls += len(messages)
            self._spawn(self._delete, messages)

    async def _delete(self, messages: list[Held]) -> None:
        try:
            await self._delete_all(messages)
        except Exception:
            self._abandon([message for message in messages if message.phase is Phase.DELETING])
            self._call_ended()
            raise
        self._call_ended()

    def _abandon(self, messages: Sequence[Held]) -> None:
        """A fault of ours, which stops the poller: nobody is to wait for these. They are still held, and handed back at the end."""
        self._in_calls -= len(messages)
        for message in messages:
            if message.batch_deletes is not None:
                message.batch_deletes.note(message, deleted=False)

    def _call_ended(self) -> None:
        """Start the next one, or say that there is none."""
        self._calls -= 1
        self._start(1 if self._closing.requested or self._prompt else ENTRIES_AT_MOST)
        if self._pending:
            self._work.set()
        if not self.backlog:
            self._idle.set()

    async def _delete_all(self, messages: list[Held]) -> None:
        left = await self._attempt(messages)
        if not left:
            return
        backoff = Backoff(self._random, initial=RETRY_SECONDS[0], maximum=RETRY_SECONDS[1])
        tries = 0
        while left:
            await self._pause(backoff.next())
            tries += self._closing.requested
            if tries >= LAST_TRIES:
                self._expire(left, "could not be deleted before the stop")
                return
            left = await self._attempt(left)

    async def _pause(self, seconds: float) -> None:
        """Between two tries; a stop cuts it short."""
        if self._closing.requested:
            await anyio.sleep(min(seconds, LAST_RETRY_SECONDS))
        else:
            await self._closing.sleep(seconds)

    async def _attempt(self, messages: list[Held]) -> list[Held]:
        """One call; what is to be tried again."""
        await self._heartbeat.until_not_extending(messages)
        handles = [message.handle for message in messages]
        for message in messages:
            message.in_delete = True
        refused = None
        try:
            with anyio.CancelScope(deadline=self._cut_at(messages)):
                refused = await self._queue.api.delete(self._queue.url, handles)
        except AwsError as error:
            if is_hopeless(error):
                self._expire(messages, f"could not be deleted: {error}")
                raise
            return self._again(messages, str(error))
        finally:
            for message in messages:
                message.in_delete = False
        if refused is None:
            return self._again(messages, "no reply while the messages were hidden but briefly")
        return self._note(messages, handles, refused)

    def _cut_at(self, messages: Sequence[Held]) -> float:
        """While its reply is awaited nothing lengthens a visibility; a brief one would run out. Deleting twice does no harm."""
        moment = min((m.deadline for m in messages if m.brief), default=math.inf) - BRIEF_MARGIN_SECONDS / 2
        return moment if moment > anyio.current_time() else math.inf

    def _note(self, messages: list[Held], handles: list[str], refused: Sequence[EntryFailed]) -> list[Held]:
        now = anyio.current_time()
        failures = {entry.index: entry for entry in refused}
        deleted, expired, again, received_anew = [], [], [], []
        for index, message in enumerate(messages):
            failure = failures.get(index)
            if message.handle != handles[index]:
                # Received again while the call was under way: only the newest handle deletes it.
                received_anew.append(message)
            elif failure is not None and not is_stale(failure):
                again.append(message)
            elif failure is not None or message.lost or message.deadline <= now:
                # A standard queue answers with success for an expired handle and deletes nothing.
                expired.append(message)
            else:
                deleted.append(message)
        if deleted:
            self._finish(deleted, deleted=True)
            self._facts.emit(Deleted([message.id for message in deleted]))
        if expired:
            self._expire(expired, "the receipt handle was no longer valid at the delete")
        if again:
            again = self._again(again, next(iter(failures.values())).code)
        return again + received_anew

    def _again(self, messages: list[Held], error: str) -> list[Held]:
        now = anyio.current_time()
        over = [message for message in messages if message.lost or message.deadline <= now]
        if over:
            self._expire(over, f"its visibility timeout ran out before it could be deleted: {error}")
        left = [message for message in messages if message.phase is Phase.DELETING]
        if left:
            self._facts.emit(DeleteRetried([message.id for message in left], error))
            self._heartbeat.wake()
        return left

    def _expire(self, messages: Sequence[Held], reason: str) -> None:
        self._finish(messages, deleted=False)
        self._facts.emit(Expired([message.id for message in messages], reason))

    def _finish(self, messages: Sequence[Held], *, deleted: bool) -> None:
        self._in_calls -= len(messages)
        for message in messages:
            message.phase = Phase.GONE
            self._held.remove(message)
            if message.batch_deletes is not None:
                message.batch_deletes.note(message, deleted=deleted)
