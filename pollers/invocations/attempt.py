"""Attempts of one function's events: the function runs, the event's next step is decided, and both are written."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING

import structlog

from handlers.errors import FunctionUnusable
from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from pollers.destinations.ended import Condition
from pollers.invocations import rows
from pollers.invocations.deciding import Again, after, owed
from pollers.invocations.reserve import OF_ANSWERS
from pollers.storage import StoreUnwritable
from pollers.telemetry.async_facts import EventAttempted, EventBegun, EventEnded
from pollers.telemetry.facts import Outcome
from pollers.telemetry.mapping_board import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handlers.function import Result
    from pollers.invocations.event import QueuedEvent
    from pollers.invocations.gate import Gate
    from pollers.invocations.parts import Parts
    from pollers.invocations.seat import Seat
    from pollers.telemetry.async_facts import AsyncFact

LARGE_BYTES = 4096
"""Answers beyond this are kept only where the disk has room for them beside its reserve."""

log = structlog.stdlib.get_logger(__name__)


class Attempts:
    """What a crash leaves, line by line: an event that is marked as running and is put back by the next process, or the next step
    of the event, whole. So the function runs at least once, and reports are only ever owed for an end that is on the disk.
    """

    def __init__(self, function: str, parts: Parts, gate: Gate, due: Callable[[float], None]) -> None:
        self._function = function
        self._parts = parts
        self._books = parts.books.of(function)
        self._gate = gate
        self._due = due
        self.held = 0
        """Begun, and the next step is not on the disk."""

    def _room(self) -> None:
        """The lane looks whether there is something for a permit that came back, or whether nothing is left."""
        self._due(math.inf)

    def began(self, event: QueuedEvent) -> None:
        """An event was marked as running."""
        self.held += 1
        self._books.attempts += 1
        self._books.running += 1
        age = max(0.0, self._parts.clock.time() - event.accepted_at)
        self._books.age_seconds += age
        self._tell(EventBegun((event.request_id,), event.runs, age))

    async def run(self, event: QueuedEvent, seat: Seat) -> None:
        """Run the function once on an event that has begun, and write what follows."""
        result: Result | None = None
        try:
            try:
                with self._parts.stop.running():
                    result = await self._result(event, seat)
            finally:
                self._books.running -= 1
                seat.unuse()
            await self._settle(event, result)
        except StoreUnwritable as error:
            # The stop was hurried. The event is still marked as running, and the next process puts it back.
            log.warning("an attempt's end was not written; it is made again", **self._named(event), error=str(error))
        finally:
            self.held -= 1
            self._room()

    async def _result(self, event: QueuedEvent, seat: Seat) -> Result:
        try:
            return (await seat.caller.run(event.payload, request_id=event.request_id)).result
        except FunctionUnusable as problem:
            return InfrastructureError(str(problem))
        except Exception as problem:
            # One broken function must not stop the events of the others.
            log.error("a function's runner failed", **self._named(event), exc_info=problem)
            return InfrastructureError(f"{type(problem).__name__}: {problem}")

    async def _settle(self, event: QueuedEvent, result: Result | None) -> None:
        """Write the next step. ``result`` None: the attempt was cut short by a hurried stop, and counts as no failure."""
        now = self._parts.clock.time()
        if result is None:
            self._tell(EventAttempted((event.request_id,), Outcome.ABANDONED, "by a stop", 0.0))
            await self._parts.disk.call(partial(rows.again, event=event, due_at=now))
            return
        following = after(event, result, self._parts.settings(self._function), now)
        size = event.size
        self._count(event, result, ran=following.ran)
        # The next event need not wait until this one's end is on the disk: often one write does both.
        self._room()
        wait = following.wait_seconds if isinstance(following, Again) else None
        self._tell(EventAttempted((event.request_id,), _OUTCOMES[type(result)], error_of(result), wait))
        if isinstance(following, Again):
            if event.size > size and not self._parts.books.room(event.size - size):
                event.forget_answer()  # it would be told only if the function never answers again
            due_at = now + following.wait_seconds
            await self._parts.disk.surely(partial(rows.again, event=event, due_at=due_at), self._parts.stop)
            self._parts.books.resized(self._function, event.size - size)
            self._due(due_at)
        else:
            await self.end([event], following.condition, size)

    def _count(self, event: QueuedEvent, result: Result, *, ran: bool) -> None:
        if not isinstance(result, Payload):
            self._books.attempt_failed(error_of(result), self._parts.clock.time())
        if not ran:
            event.runs -= 1
            event.stumbles += 1
            self._books.not_run += 1
            asked = None if isinstance(result, Payload | FunctionError) else result.retry_after_seconds
            self._gate.failed(self._parts.clock.time(), asked)
            return
        event.stumbles = 0
        self._gate.open()
        if isinstance(result, FunctionError):
            event.failures += 1
            self._books.errors += 1
            event.answered(result.document, function_error=True)
        elif isinstance(result, Payload):
            event.answered(result.body, function_error=False)

    async def end(self, events: Sequence[QueuedEvent], condition: Condition, size: int | None = None) -> None:
        """End invocations for good. ``size`` is what a single event took until now, where that has changed."""
        if not events:
            return
        parts = self._parts
        reports = owed(condition, parts.settings(self._function))
        if reports and size is not None and not parts.books.room_for_answers(events[0].size - size):
            # Records that are events of other functions here come back into the queue, each with an answer in it.
            log.warning("an answer is left out of its report, since the queue is full", **self._named(events[0]))
            events[0].forget_answer()
        answers = sum(len(event.response or b"") for event in events) if reports else 0
        room = parts.disk.room_for(answers, OF_ANSWERS) if answers > LARGE_BYTES else None
        write = partial(
            rows.end, events=events, condition=condition, reports=reports, now=parts.clock.time(), room=room
        )
        await parts.disk.surely(write, parts.stop)
        for event in events:
            before = event.size if size is None else size
            parts.books.resized(self._function, (event.size if reports else 0) - before)
            self._books.ended(condition)
            if reports:
                parts.books.reporting(self._function, 1, event.size)
            self._say(event, condition, reported=bool(reports))
            targets = [one.target for one in reports]
            succeeded = condition is Condition.SUCCESS
            self._tell(EventEnded((event.request_id,), condition.value, succeeded, event.runs, targets))
        parts.owe(reports, len(events))

    def _say(self, event: QueuedEvent, condition: Condition, *, reported: bool) -> None:
        """Events that were given up; an error where nothing else is left of one."""
        if condition is Condition.SUCCESS:
            return
        level = logging.WARNING if reported else logging.ERROR
        kept = "" if reported else "; its function has neither an on-failure destination nor a dead-letter queue"
        log.log(level, f"event given up{kept}", **self._named(event), condition=condition.value, runs=event.runs)

    def _tell(self, fact: AsyncFact) -> None:
        self._parts.tell(self._function, fact)

    def _named(self, event: QueuedEvent) -> dict[str, str]:
        return {"function": self._function, "request_id": event.request_id}


_OUTCOMES: dict[type, Outcome] = {
    Payload: Outcome.SUCCESS,
    FunctionError: Outcome.ERROR,
    Throttle: Outcome.THROTTLE,
    InfrastructureError: Outcome.INFRASTRUCTURE,
}


def error_of(result: Result) -> str:
    """What went wrong, in one line of bounded length; empty when nothing did."""
    if isinstance(result, Payload):
        return ""
    return shortened(f"{result.error_type}: {result.message}" if isinstance(result, FunctionError) else result.message)
