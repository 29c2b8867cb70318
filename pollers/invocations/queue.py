"""The asynchronous queue: events are accepted onto the disk, and run later (docs/lambda 12; docs/design, decision 13)."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.clocks.clock import Clock, SystemClock
from pollers.invocations import rows
from pollers.invocations.books import Books, QueueSnapshot
from pollers.invocations.disk import Disk
from pollers.invocations.errors import QueueFull
from pollers.invocations.event import OVERHEAD_BYTES, QueuedEvent
from pollers.invocations.lane import Lane
from pollers.invocations.parts import Parts
from pollers.invocations.reporting import Reporter
from pollers.storage import StoreUnwritable
from pollers.supervisor.service import Books as ServiceBooks
from pollers.telemetry.async_facts import EventQueued, untold

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from anyio.abc import TaskGroup

    from config.models import Config
    from pollers.destinations.ended import Deliveries
    from pollers.engine.stop import Stop
    from pollers.functions import FunctionHost
    from pollers.invocations.event import InvokeSettings, Owed
    from pollers.state import State
    from pollers.storage.writer import Operation
    from pollers.telemetry.async_facts import AsyncSink

log = structlog.stdlib.get_logger(__name__)

LIMIT_BYTES = 1024**3
"""1 GiB on the disk. That is 700,000 events of 1 KB: more than most functions work off in the six hours that an event may wait, and
little enough for the disks that containers are given."""

PROBE_SECONDS = 10.0
"""How often a disk that has refused something is tried."""
NO_ROOM = "takes no more events: the disk (runtime.state) has only the room left that those need which are queued"


class AsyncQueue:
    """Takes events for functions and runs them by what their settings say, again where they fail; a service of the supervisor.

    ``settings`` gives how a function is invoked now, also for one that is not configured; ``arn_of`` its unqualified ARN.
    """

    name = "asynchronous queue"

    def __init__(
        self,
        state: State,
        functions: Mapping[str, FunctionHost],
        settings: Callable[[str], InvokeSettings],
        arn_of: Callable[[str], str],
        deliveries: Deliveries,
        *,
        clock: Clock | None = None,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self._functions = functions
        self._settings = settings
        self._arn_of = arn_of
        self._deliveries = deliveries
        self._clock = clock or SystemClock()
        self._books = Books(limit_bytes)
        self._disk = Disk(state, self._books)
        self.tell: AsyncSink = untold
        """Takes what happens to events; to be set before there are any."""
        self._being_written = 0
        self._group: TaskGroup | None = None
        self._parts: Parts | None = None
        self._lanes: dict[str, Lane] = {}
        self._reporters: dict[str, Reporter] = {}

    # -- accepting -----------------------------------------------------------------------------------------------------

    async def accept(
        self,
        function: str,
        event: bytes,
        *,
        request_id: str,
        also: Operation[object] | None = None,
        beyond_limit: bool = False,
    ) -> bool:
        """Take an event for a function, by its name. When this returns, the event is durable; it runs as soon as it can.

        False when an event of this request id is known for the function: it is not queued a second time. ``also`` is written in
        the same transaction, whichever it is, before the event; it runs in the thread of the state. ``beyond_limit``: also when
        there is no room, for the record of an event that takes that event's place in the queue.

        Raises :class:`QueueFull`, and what ``State.call`` raises; then neither was written. That ``event`` is JSON and not too
        large, and that there is such a function, is for the caller to see to. May be called whether the queue runs or not.
        """
        size = len(event) + OVERHEAD_BYTES
        books = self._books
        if not beyond_limit and not books.room(self._being_written + size):
            why = f"holds {books.bytes} bytes and takes {books.limit_bytes} at most (runtime.state)"
            raise self._full(function, len(event), why)
        now = self._clock.time()
        kept = QueuedEvent(0, function, request_id, now, size, payload=event)
        self._being_written += size
        try:
            room = None if beyond_limit else self._disk.room_for(self._being_written)
            fresh = await self._disk.call(partial(_write, event=kept, also=also, room=room))
        finally:
            self._being_written -= size
        if fresh is None:
            self._disk.cramped(NO_ROOM)
            raise self._full(function, len(event), NO_ROOM)
        if not fresh:
            books.of(function).duplicates += 1
            return False
        books.accepted(function, size, now)
        self.tell(function, EventQueued((request_id,), len(event)))
        self._due(function, now)
        return True

    def _full(self, function: str, size: int, why: str) -> QueueFull:
        self._books.of(function).refused += 1
        return QueueFull(
            f"the asynchronous queue {why}: an event of {size} bytes for function {function} was not accepted"
        )

    # -- running -------------------------------------------------------------------------------------------------------

    async def run(self, stop: Stop) -> None:
        """See ``Service.run``. An earlier process's events go on, and so do those of an earlier life that broke down."""
        kept = await self._disk.call(partial(rows.recover, now=self._clock.time()))
        self._go_on_from(kept)
        if kept.interrupted:
            log.warning("attempts that were cut short are made again", events=kept.interrupted)
        self._lanes, self._reporters = {}, {}
        self._parts = Parts(
            self._disk, self._books, self._functions, self._settings, self._clock, stop, self._owe, self.tell
        )
        try:
            async with anyio.create_task_group() as self._group:
                for function in kept.queued:
                    self._due(function, 0.0)
                for target in kept.reports:
                    self._report_to(target)
                await self._watch_disk(stop)
        finally:
            self._group = None
        with suppress(StoreUnwritable):  # then the books are not compared with it; the next process counts
            self._go_on_from(await self._disk.call(rows.count, writes=False))

    async def _watch_disk(self, stop: Stop) -> None:
        """Until the stop: find out that the disk takes writes again, also when nobody has anything to write."""
        while not stop.requested:
            await stop.sleep(PROBE_SECONDS)
            if self._books.problem is not None:
                with suppress(StoreUnwritable):
                    await self._disk.call(rows.probe)
            if self._books.cramped is not None:
                with suppress(StoreUnwritable):
                    if await self._disk.call(self._disk.room_for(OVERHEAD_BYTES), writes=False):
                        self._disk.cramped(None)

    def _go_on_from(self, kept: rows.Kept) -> None:
        differing = self._books.recounted(kept)
        if differing:
            log.error("the books of the asynchronous queue differed from the disk", events=differing)

    def _due(self, function: str, at: float) -> None:
        """Something is due; nothing begins before the queue runs or after it was stopped."""
        if self._group is None or self._parts is None or self._parts.stop.requested:
            return
        lane = self._lanes.get(function)
        if lane is None or lane.done:
            lane = self._lanes[function] = Lane(function, self._parts)
            self._group.start_soon(lane.run)
        lane.due(at)

    def _owe(self, reports: Sequence[Owed], events: int) -> None:
        for one in reports:
            self._books.target(one.target).waiting += events
            self._report_to(one.target)

    def _report_to(self, target: str) -> None:
        if self._group is None or self._parts is None or self._parts.stop.requested:
            return
        reporter = self._reporters.get(target)
        if reporter is None or reporter.done:
            reporter = self._reporters[target] = Reporter(target, self._parts, self._deliveries, self._arn_of)
            self._group.start_soon(reporter.run)
        reporter.due()

    # -- looking at it -------------------------------------------------------------------------------------------------

    def snapshot(self) -> QueueSnapshot:
        """The queue now; cheap."""
        return self._books.snapshot()

    def running(self) -> int:
        """See ``Service.running``: what the function knows of. An attempt whose worker is just starting runs nothing yet."""
        return sum(self._busy(name, books.running) for name, books in self._books.functions.items() if books.running)

    def _busy(self, name: str, attempts: int) -> int:
        host = self._functions.get(name)
        if host is None or host.function is None:
            return attempts
        return min(attempts, host.function.status().busy)

    def held(self) -> int:
        """See ``Service.held``: what is queued is durable, so only attempts are held."""
        return sum(lane.held for lane in self._lanes.values())

    def left(self) -> str:
        """See ``Service.left``. Events whose function is not configured, and targets that take nothing, hold nothing up."""
        waiting = {name: books.queued for name, books in self._books.functions.items() if books.queued}
        for name, events in waiting.items():
            if name in self._functions:
                return f"{events} events of function {name} are in the asynchronous queue"
        for target, standing in self._books.targets.items():
            if standing.waiting and standing.problem is None:
                return f"{standing.waiting} reports are on their way to {target}"
        return ""

    def refusal(self, config: Config) -> str | None:
        """See ``Service.refusal``: it follows any change."""
        return None

    def apply(self, config: Config) -> None:
        """See ``Service.apply``: what could not run may run now."""
        for lane in self._lanes.values():
            lane.look_again()
        for reporter in self._reporters.values():
            reporter.look_again()

    def books(self) -> ServiceBooks:
        """See ``Service.books``."""
        every = self._books.functions.values()
        figures = {
            name: sum(getattr(books, name) for books in every)
            for name in ("found", "accepted", "succeeded", "failed", "dropped", "queued", "reporting")
        }
        return ServiceBooks(self._books.balanced, figures)


def _write(
    connection: sqlite3.Connection,
    event: QueuedEvent,
    also: Operation[object] | None,
    room: Operation[bool] | None,
) -> bool | None:
    """None: there is no ``room``, and nothing was written."""
    if room is not None and not room(connection):
        return None
    if also is not None:
        also(connection)
    return rows.insert(connection, event, event.accepted_at)
