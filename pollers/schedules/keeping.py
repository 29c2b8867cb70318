"""Keeps one schedule that this replica has taken: adopts what the table knows, writes what is decided, and gives the lease back.

A due time is accepted by the queue first, and written into the table then: a crash in between repeats it, and loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.checkpoints.errors import LeaseLost
from pollers.leases.owning import give, save
from pollers.schedules import rows
from pollers.schedules.record import change_of, recorded
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.clocks.clock import Clock
    from pollers.leases.replica import Change, Replica
    from pollers.schedules.followed import Followed
    from pollers.schedules.hold import Hold
    from pollers.schedules.memory import Memory
    from pollers.schedules.one_schedule import OneSchedule
    from pollers.schedules.record import Record
    from pollers.state import State

log = structlog.stdlib.get_logger(__name__)

RETRY_SECONDS = 0.5
"""After how long a write that was refused, by the state or by the table, is tried again."""


class Keeping:
    """What :meth:`keep` needs. ``changed`` is called when a schedule may be looked at that might not before."""

    def __init__(
        self,
        replica: Replica,
        followed: Followed,
        state: State,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._replica = replica
        self._followed = followed
        self._state = state
        self._clock = clock
        self._changed = changed

    async def keep(self, one: OneSchedule, hold: Hold, memory: Memory) -> None:
        """One schedule from the take until it is given or lost."""
        name = hold.schedule.name
        try:
            async with anyio.create_task_group() as watching:
                watching.start_soon(self._watch, hold, hold.lease.wanted)
                watching.start_soon(self._watch, hold, hold.lease.lost)
                watching.start_soon(self._wake_when_stopped, hold)
                if await self._adopt(one, hold, memory):
                    log.debug("schedule: runs here", schedule=name)
                await self._keep_written(one, hold)
                watching.cancel_scope.cancel()
        finally:
            hold.stop.request()
            if one.hold is hold:
                one.hold = None
            self._changed()
            await self._followed.claim_again()

    async def _watch(self, hold: Hold, event: anyio.Event) -> None:
        await event.wait()
        hold.stop.request()

    async def _wake_when_stopped(self, hold: Hold) -> None:
        await hold.stop.until_requested()
        hold.wake()

    async def _adopt(self, one: OneSchedule, hold: Hold, memory: Memory) -> bool:
        """What the table knows goes into the state of this process, where the next due times are decided."""
        name = hold.schedule.name
        while not hold.stop.requested:
            try:
                adopted = await self._state.call(lambda connection: rows.adopt(connection, name, memory))
            except StoreUnwritable as error:
                one.problem = str(error)
                await hold.stop.sleep(RETRY_SECONDS)
                continue
            if one.schedule is not hold.schedule:
                # A reload came in between: taken again, it is seen as it is now.
                hold.stop.request()
                return False
            one.memory, one.look_at, one.problem = adopted, 0, None
            hold.adopted = True
            if adopted.runs.keys() != memory.runs.keys():
                hold.decided()
            self._changed()
            return True
        return False

    async def _keep_written(self, one: OneSchedule, hold: Hold) -> None:
        while not hold.lease.lost.is_set():
            hold.woken = anyio.Event()
            if hold.adopted and one.over:
                hold.stop.request()
            try:
                if hold.stop.requested and not one.under_way:
                    return await self._give(one, hold)
                if not hold.written:
                    await self._write(one, hold)
                    continue
            except LeaseLost:
                return None
            except StoreUnwritable as error:
                log.debug("a schedule's lease could not be written", schedule=hold.schedule.name, error=str(error))
                await anyio.sleep(RETRY_SECONDS)
                continue
            await hold.woken.wait()
        return None

    async def _write(self, one: OneSchedule, hold: Hold) -> None:
        changes = hold.changes
        change = change_of(self._record(one), self._replica.stamp)
        await save(self._replica, hold.lease, lambda _item: change)
        hold.wrote(changes)
        self._changed()

    async def _give(self, one: OneSchedule, hold: Hold) -> None:
        """To the replica that asked, or has the fewest; to nobody when nothing of it is due any more."""
        name = hold.schedule.name
        ended = not self._followed.has(one) or (hold.adopted and one.over) or not one.schedule.enabled
        to = None if ended else self._replica.leases.successor(name)
        change: Change = ({}, ())
        if hold.adopted:
            change = change_of(self._record(one), self._replica.stamp, ended=ended)
        await give(self._replica, hold.lease, change, to=to)
        hold.lease.lose()

    def _record(self, one: OneSchedule) -> Record:
        now = int(self._clock.time())
        return recorded(one.schedule, one.memory, now, one.under_way, enabled=self._followed.has(one))
