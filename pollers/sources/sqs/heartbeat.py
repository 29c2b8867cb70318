"""Extends the visibility of everything held until it is acknowledged: by deadline, ten at a time (docs/design, decision 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AccessDenied, AwsError, NotFound
from pollers.engine.backoff import Backoff
from pollers.sources.sqs.queue import is_stale, tens
from pollers.sources.sqs.visibility import BRIEF_SECONDS, extended_until, extension, visibility_of_receive
from pollers.telemetry.facts import Extended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pollers.aws.api import EntryFailed
    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.message import Held
    from pollers.sources.sqs.visibility import Hold

CALLS_AT_MOST = 8
"""Extensions in flight at a time, when more than ten messages are due."""

RETRY_SECONDS = (0.5, 5.0)

CALL_SECONDS = (4.0, 30.0)
"""Least and most that one extension may take: a third of what is left of the messages' time, so that there is time for another."""

_log = structlog.get_logger(__name__)


class Heartbeat:
    """Watches the deadlines. Without a heartbeat (``enabled`` false) it only notices those that have passed, and lengthens brief
    visibilities once. ``denied``: the service does not let us change any.

    ``needed``: without extensions messages would be seen again while they are handled, so a poller that is denied them must stop.
    """

    def __init__(self, context: QueueContext, hold: Hold, *, needed: bool) -> None:
        self.hold = hold
        self.enabled = context.mapping.visibility.heartbeat
        self.needed = needed
        self.denied = False
        self._queue = context.queue
        self._held = context.held
        self._facts = context.facts
        self._backoff = Backoff(context.random, initial=RETRY_SECONDS[0], maximum=RETRY_SECONDS[1])
        self._failed = False
        self._changed = anyio.Event()
        self._calls = 0
        self._call_over = anyio.Event()
        self._lapsed: Callable[[Sequence[Held]], None] = _ignore

    def visibility_of_receive(self, wait_seconds: int) -> int:
        """For how long a receive that waits ``wait_seconds`` hides its messages."""
        return visibility_of_receive(self.hold, wait_seconds, brief=not self.denied)

    def wake(self) -> None:
        """Look again: something is due earlier than what was known."""
        self._changed.set()

    def follow(self, hold: Hold, *, needed: bool) -> None:
        """The queue's visibility timeout was changed."""
        self.hold = hold
        self.needed = needed
        self.wake()

    async def run(self, lapsed: Callable[[Sequence[Held]], None]) -> None:
        """Extend what is due, until cancelled.

        ``lapsed`` is given messages whose claim is over, so that those not yet started are dropped.
        """
        self._lapsed = lapsed
        while True:
            self._changed = anyio.Event()
            look = self._held.look(anyio.current_time(), self.hold.hold_seconds, heartbeat=self.enabled)
            if look.lapsed:
                self._give_up(look.lapsed)
            if look.extend and not self.denied:
                await self._extend(look.extend)
                await self._pause_after_failure()
            else:
                await self._sleep(look.again_at)

    async def until_not_extending(self, messages: Iterable[Held]) -> None:
        """Wait until no extension of these messages is under way.

        Calls may overtake each other. An extension that arrives after the return would overwrite its retry delay, one that
        arrives after the delete would be refused and look like a lost claim.
        """
        if not self._calls:
            return
        messages = list(messages)
        while any(message.in_extension for message in messages):
            await self._call_over.wait()

    def _give_up(self, messages: Sequence[Held]) -> None:
        for message in messages:
            message.lost = True
        self._lapsed(messages)

    async def _sleep(self, until: float | None) -> None:
        if until is None:
            await self._changed.wait()
            return
        with anyio.move_on_at(until):
            await self._changed.wait()

    async def _pause_after_failure(self) -> None:
        if self._failed:
            self._failed = False
            hold_seconds = (
                min(self.hold.hold_seconds, BRIEF_SECONDS) if self._held.any_brief else self.hold.hold_seconds
            )
            await anyio.sleep(min(self._backoff.next(), hold_seconds / 8))
        else:
            self._backoff.reset()

    async def _extend(self, messages: Sequence[Held]) -> None:
        slices = iter(tens(messages))

        async def take_slices() -> None:
            for some in slices:
                await self._call(some)

        async with anyio.create_task_group() as group:
            for _ in range(min(CALLS_AT_MOST, -(-len(messages) // 10))):
                group.start_soon(take_slices)

    async def _call(self, messages: Sequence[Held]) -> None:
        """One call, for those of ten that still want it."""
        # Asked again for each of ten: since the look a message may have been done, and none is extended before its delete.
        sent_at = anyio.current_time()
        due = [(m, seconds) for m in messages if (seconds := extension(m, sent_at, self.hold.hold_seconds)) is not None]
        if not due:
            return
        entries = [(message.handle, seconds) for message, seconds in due]
        for message, _ in due:
            message.in_extension = True
        self._calls += 1
        least, most = CALL_SECONDS
        left = min(message.deadline for message, _ in due) - sent_at
        try:
            with anyio.fail_after(min(most, max(least, left / 3))):
                refused = await self._queue.api.change_visibility(self._queue.url, entries)
        except (AwsError, TimeoutError) as error:
            for message, _ in due:
                message.extended = True  # or not: nobody can tell, and a return then has to set what it wants
            self._call_failed(error)
        else:
            self._note(due, entries, refused, sent_at)
        finally:
            self._calls -= 1
            for message, _ in due:
                message.in_extension = False
            self._call_over.set()
            self._call_over = anyio.Event()

    def _note(
        self,
        due: Sequence[tuple[Held, int]],
        entries: Sequence[tuple[str, int]],
        refused: Sequence[EntryFailed],
        sent_at: float,
    ) -> None:
        failures = {entry.index: entry for entry in refused}
        gone = []
        for index, (message, seconds) in enumerate(due):
            if message.handle != entries[index][0]:
                # Received again meanwhile: this reply is about a handle that no longer counts.
                continue
            if (failure := failures.get(index)) is None:
                until = extended_until(message, sent_at, seconds, self.hold.hold_seconds)
                message.extended = message.extended or not message.brief
                self._held.moved(message, until)
            elif is_stale(failure):
                gone.append(message)
            else:
                self._failed = True
        self._facts.emit(Extended([message.id for message, _ in due], self.hold.hold_seconds, len(failures)))
        if gone:
            self._give_up(gone)

    def _call_failed(self, error: AwsError | TimeoutError) -> None:
        """Half of the hold is left for further tries. Denied: Lambda does not need this permission, so go on without, if we can."""
        if isinstance(error, NotFound) or (isinstance(error, AccessDenied) and self.needed):
            raise error
        self._failed = True
        if isinstance(error, AccessDenied):
            self.enabled = False
            self.denied = True
            _log.warning("no heartbeat: sqs:ChangeMessageVisibility is denied", queue=self._queue.url, error=str(error))


def _ignore(messages: Sequence[Held]) -> None:
    """Nobody is told before :meth:`Heartbeat.run` says who."""
