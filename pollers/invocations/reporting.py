"""Reports of ended invocations, one task for each target, so that one that is down holds up no other."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.destinations.ended import AcceptedEvent, EndedInvocation, Role, TargetRefuses
from pollers.invocations import rows
from pollers.invocations.deciding import report_again
from pollers.invocations.gate import Gate
from pollers.storage import StoreUnwritable
from pollers.telemetry.async_facts import ReportDelivered, ReportFailed
from pollers.telemetry.mapping_board import shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.destinations.ended import Deliveries
    from pollers.invocations.books import TargetStanding
    from pollers.invocations.parts import Parts
    from pollers.invocations.rows import Report
    from pollers.telemetry.async_facts import AsyncFact

log = structlog.stdlib.get_logger(__name__)

MOST_AT_ONCE = 4
"""Reports that are delivered to one target at a time. Each may hold an event of 1 MB and an answer of 6 MB."""
DELIVERY_SECONDS = 60.0
"""After which a delivery counts as failed."""
LOOK_SECONDS = 10.0


class Reporter:
    """Delivers the reports of one target until none is left, or until the stop; ``done`` as a lane's."""

    def __init__(self, target: str, parts: Parts, deliveries: Deliveries, arn_of: Callable[[str], str]) -> None:
        self.done = False
        self._target = target
        self._parts = parts
        self._deliveries = deliveries
        self._arn_of = arn_of
        self._gate = Gate()
        self._changed = anyio.Event()

    @property
    def _standing(self) -> TargetStanding:
        return self._parts.books.target(self._target)

    def due(self) -> None:
        """There are reports."""
        self._changed.set()

    def look_again(self) -> None:
        """The configuration has changed."""
        self._gate.open()
        self._changed.set()

    async def run(self) -> None:
        """Deliver what is due, until nothing is owed."""
        stop = self._parts.stop
        try:
            while not stop.requested and self._standing.waiting:
                self._changed = anyio.Event()
                seconds = await self._turn()
                if seconds > 0:
                    with stop.waiting(), anyio.move_on_after(min(seconds, LOOK_SECONDS)):
                        await self._changed.wait()
        finally:
            self.done = True

    async def _turn(self) -> float:
        """Deliver what is due; seconds until there may be more."""
        now = self._parts.clock.time()
        if closed := self._gate.closed_for(now):
            return closed
        look = partial(rows.reports, target=self._target, now=now, most=MOST_AT_ONCE)
        try:
            found, next_due = await self._parts.disk.call(look, writes=False)
        except StoreUnwritable:
            return LOOK_SECONDS
        if not found:
            return math.inf if next_due is None else max(0.0, next_due - now)
        async with anyio.create_task_group() as group:
            for report in found:
                group.start_soon(self._deliver, report)
        return 0.0

    async def _deliver(self, report: Report) -> None:
        delivered = False
        try:
            with self._parts.stop.running():
                with anyio.fail_after(DELIVERY_SECONDS):
                    await self._deliveries.deliver(Role(report.role), self._target, self._ended(report))
                delivered = True
        except TargetRefuses as refusal:
            await self._give_up(report, str(refusal))
        except TimeoutError:
            await self._failed(report, f"no answer within {DELIVERY_SECONDS:g} s")
        except Exception as problem:
            # Whatever it is, the report is not lost by it, and other targets' reports go on.
            await self._failed(report, str(problem) or type(problem).__name__)
        if delivered:
            await self._delivered(report)

    async def _delivered(self, report: Report) -> None:
        standing = self._standing
        if standing.problem is not None:
            log.info("a target takes reports again", target=self._target)
            standing.problem = standing.since = None
        self._gate.open()
        self._tell(report, ReportDelivered((report.event.request_id,), self._target))
        if await self._forget(report):
            self._parts.books.of(report.event.function).reported += 1

    async def _failed(self, report: Report, problem: str) -> None:
        now = self._parts.clock.time()
        standing = self._standing
        if standing.problem is None:
            standing.since = now
            log.warning("a report cannot be delivered and is tried again", **self._named(report), error=problem)
        standing.problem = problem
        self._gate.failed(now)
        wait = report_again(report.ended_at, report.tries + 1, now)
        if wait is None:
            await self._give_up(report, problem)
            return
        self._tell(report, ReportFailed((report.event.request_id,), self._target, shortened(problem), wait))
        try:
            await self._parts.disk.call(partial(rows.report_later, report=report, due_at=now + wait))
        except StoreUnwritable:
            return  # it stays due, behind the gate

    async def _give_up(self, report: Report, problem: str) -> None:
        log.error("a report is given up", **self._named(report), condition=report.condition.value, error=problem)
        self._tell(report, ReportFailed((report.event.request_id,), self._target, shortened(problem)))
        if await self._forget(report):
            self._parts.books.of(report.event.function).given_up(Role(report.role))

    async def _forget(self, report: Report) -> bool:
        """Write that a report is done with; False when a hurried stop came first: the next process delivers it again."""
        parts, function = self._parts, report.event.function
        try:
            forgotten = await parts.disk.surely(partial(rows.reported, report=report), parts.stop)
        except StoreUnwritable as error:
            log.warning(
                "a report's delivery was not written; it is made again", **self._named(report), error=str(error)
            )
            return False
        self._standing.waiting -= 1
        if forgotten:
            parts.books.reporting(function, -1, -report.event.size)
            parts.books.resized(function, -report.event.size)
        return True

    def _ended(self, report: Report) -> EndedInvocation:
        event = report.event
        accepted = AcceptedEvent(
            event.request_id, event.function, self._arn_of(event.function), event.payload, event.accepted_at
        )
        return EndedInvocation(
            accepted, report.condition, event.runs, report.ended_at, event.response, event.function_error
        )

    def _tell(self, report: Report, fact: AsyncFact) -> None:
        self._parts.tell(report.event.function, fact)

    def _named(self, report: Report) -> dict[str, str]:
        return {
            "target": self._target,
            "role": report.role,
            "function": report.event.function,
            "request_id": report.event.request_id,
        }
