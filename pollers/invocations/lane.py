"""One function's events: they are begun when they are due and the function has room, however many there are.

Nothing of the queue is in memory but what runs: each look at the disk begins as many events as there are permits.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.destinations.ended import Condition
from pollers.invocations import rows
from pollers.invocations.attempt import Attempts
from pollers.invocations.deciding import too_old_before
from pollers.invocations.gate import Gate
from pollers.invocations.reserve import OF_ATTEMPTS
from pollers.invocations.rows import Look, Sought
from pollers.invocations.seat import Seat
from pollers.storage import StoreUnwritable

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from pollers.functions import FunctionHost
    from pollers.invocations.parts import Parts

log = structlog.stdlib.get_logger(__name__)

PERMIT_SECONDS = 1.0
"""How long a permit is waited for at a time: between the waits, events that have become too old are ended."""
LOOK_SECONDS = 10.0
"""The longest time between two looks: the clock may jump, and a function may come back."""
LOOK_AGAIN_SECONDS = 1.0
"""The shortest time between two looks at events that cannot be begun, whatever happens: only their ages may have changed."""
LEAST_SECONDS = 0.02
MOST_AT_ONCE = 16
"""Events that one write begins."""


class Lane:
    """Runs until its function has no event left, or until the stop; ``done`` then says that it takes notice of nothing more."""

    def __init__(self, function: str, parts: Parts) -> None:
        self.done = False
        self._function = function
        self._parts = parts
        self._books = parts.books.of(function)
        self._gate = Gate()
        self._attempts = Attempts(function, parts, self._gate, self.due)
        self._seat: Seat | None = None
        self._seats: list[Seat] = []
        self._next_due = 0.0
        self._looked_at = 0.0
        self._changed = anyio.Event()

    @property
    def held(self) -> int:
        """Attempts that have begun, and whose end is not on the disk."""
        return self._attempts.held

    def due(self, at: float) -> None:
        """An event is due at ``at``, or an attempt has ended, which may give room to the next."""
        self._next_due = min(self._next_due, at)
        self._changed.set()

    def look_again(self) -> None:
        """The configuration has changed."""
        self._gate.open()
        self.due(0.0)

    async def run(self) -> None:
        """Run what is due, until nothing is queued."""
        stop = self._parts.stop
        try:
            async with anyio.create_task_group() as group:
                while not stop.requested and self._books.queued:
                    self._changed = anyio.Event()
                    seconds = await self._turn(group)
                    if seconds > 0:
                        self._rise_if_idle()
                        with stop.waiting(), anyio.move_on_after(min(seconds, LOOK_SECONDS)):
                            await self._changed.wait()
                # Before anything is awaited: what is accepted from now on needs another lane.
                self.done = True
        finally:
            self.done = True
            self._attempts.held = 0  # no task is left; one that was cancelled before it began has counted nothing
            for seat in self._seats:
                seat.leave()

    def _rise_if_idle(self) -> None:
        seat = self._seat
        if seat is not None and not seat.used:
            seat.give_up()
            self._seat = None

    async def _turn(self, group: TaskGroup) -> float:
        """Begin what can be begun; seconds until there may be more."""
        now = self._parts.clock.time()
        host = self._parts.functions.get(self._function)
        refused = host is not None and host.reserved == 0
        permits = 0
        if host is not None and not refused:
            if self._next_due <= now and not self._gate.closed_for(now) and not self._held_back():
                permits = await self._permits(host)
            if not permits and 0 <= self._parts.clock.time() - self._looked_at < LOOK_AGAIN_SECONDS:
                return min(LOOK_AGAIN_SECONDS, self._until_due())
        try:
            found = await self._look(permits, refused=refused)
        except StoreUnwritable:
            self._release(permits)
            return LOOK_SECONDS
        except BaseException:
            self._release(permits)
            raise
        self._begin(found, permits, group)
        if found.over:
            with suppress(StoreUnwritable):  # only when a hurried stop came first; they are ended by the next process
                await self._end(found, refused=refused)
            return 0.0
        return self._wait(found, permits)

    def _until_due(self) -> float:
        wait = self._next_due - self._parts.clock.time()
        return wait if wait > 0 else LOOK_AGAIN_SECONDS

    def _held_back(self) -> bool:
        """Whether ends of this function would need room on the disk that there is not.

        Answers may be much larger than events. While targets take nothing, what they are owed would fill the disk; and a disk
        that has no room for answers may have some for beginnings, whose answers would fill the memory.
        """
        if self._parts.disk.stuck:
            return True
        return self._parts.books.overfull and self._owes()

    def _owes(self) -> bool:
        settings = self._parts.settings(self._function)
        return bool(settings.on_success or settings.on_failure or settings.dead_letters)

    async def _look(self, permits: int, *, refused: bool) -> Look:
        now = self._looked_at = self._parts.clock.time()
        old = too_old_before(self._parts.settings(self._function), now)
        room = self._parts.disk.room_for(0, OF_ATTEMPTS) if permits and self._owes() else None
        sought = Sought(self._function, now, permits, old, refused, room=room)
        found = await self._parts.disk.call(partial(rows.look, sought=sought), writes=permits > 0)
        self._next_due = math.inf if found.next_due is None else found.next_due
        self._books.oldest_at = found.oldest
        return found

    async def _permits(self, host: FunctionHost) -> int:
        """Permits for events that may be due; 0 when the function has no room, or cannot be used."""
        seat = self._sit(host)
        claim, stop = seat.claim, self._parts.stop
        if not await self._usable(seat):
            return 0
        permits = int(claim.try_acquire())
        if not permits:
            with stop.waiting(), anyio.move_on_after(PERMIT_SECONDS):
                await claim.acquire()
                permits = 1
        while 0 < permits < min(MOST_AT_ONCE, self._books.queued - self.held) and claim.try_acquire():
            permits += 1
        return permits

    async def _usable(self, seat: Seat) -> bool:
        """Whether the function can be had. No event is begun on one that cannot, so none is counted."""
        try:
            with self._parts.stop.waiting(), anyio.move_on_after(LOOK_SECONDS):
                await seat.caller.function()
                return True
        except Exception as problem:
            self._gate.failed(self._parts.clock.time())
            log.warning("events wait for a function that cannot be used", function=self._function, error=str(problem))
        return False

    def _sit(self, host: FunctionHost) -> Seat:
        if self._seat is not None and self._seat.host is not host:
            self._seat.give_up()
            self._seat = None
        if self._seat is None:
            self._seat = Seat(host)
            self._seats = [*(seat for seat in self._seats if not seat.left), self._seat]
        return self._seat

    def _begin(self, found: Look, permits: int, group: TaskGroup) -> None:
        """Start what the look has begun; permits that are left over go back."""
        seat = self._seat
        if seat is not None:
            for event in found.begun:
                seat.use()
                self._attempts.began(event)
                group.start_soon(self._attempts.run, event, seat)
        self._release(permits - len(found.begun))

    def _release(self, permits: int) -> None:
        for _ in range(permits):
            if self._seat is not None:
                self._seat.claim.release()

    async def _end(self, found: Look, *, refused: bool) -> None:
        """End events without another attempt."""
        old = too_old_before(self._parts.settings(self._function), self._parts.clock.time())
        aged = [event for event in found.over if event.accepted_at < old]
        others = [event for event in found.over if event.accepted_at >= old]
        await self._attempts.end(aged, Condition.EVENT_AGE_EXCEEDED)
        if refused:
            await self._attempts.end(others, Condition.ZERO_RESERVED_CONCURRENCY)

    def _wait(self, found: Look, permits: int) -> float:
        """Seconds until the next look, unless something happens before."""
        now = self._parts.clock.time()
        if closed := self._gate.closed_for(now):
            return closed
        if self._function not in self._parts.functions:
            return LOOK_SECONDS
        if found.cramped:
            return LOOK_AGAIN_SECONDS
        if found.begun and len(found.begun) == permits:
            return 0.0
        if self._next_due <= now:
            # There is no room: a permit is waited for in the next turn.
            return LEAST_SECONDS
        return self._next_due - now
