"""Hands one due run over to the queue: again after failures, and to the dead-letter queue when it is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.destinations.dead_letters import SCHEDULE_DEAD_LETTER
from pollers.destinations.ended import TargetRefuses
from pollers.engine.backoff import Backoff
from pollers.invocations.errors import QueueFull
from pollers.schedules import rows
from pollers.schedules.events import event_of, scheduled_time
from pollers.schedules.identity import request_id
from pollers.schedules.letters import LostRun, letter_of
from pollers.schedules.memory import Outcome, Run
from pollers.schedules.retrying import Failed, GivenUp, after_failure
from pollers.schedules.seams import AlreadyDecided, LeaseOutOfTime
from pollers.storage.errors import StoreError

if TYPE_CHECKING:
    import random
    import sqlite3
    from collections.abc import Callable

    from pollers.clocks.clock import Clock
    from pollers.destinations.post import Post
    from pollers.engine.stop import Stop
    from pollers.schedules.events import Home
    from pollers.schedules.one_schedule import OneSchedule
    from pollers.schedules.seams import EventQueue
    from pollers.state import State

LETTER_SECONDS = (1.0, 300.0)
"""First and longest wait before a dead letter is sent again."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What hand-overs need. ``defined`` tells whether a function is in the configuration.

    ``turns`` bounds how many attempts are made at a time: thousands may be due in the same second.
    """

    state: State
    queue: EventQueue
    post: Post
    clock: Clock
    random: random.Random
    defined: Callable[[str], bool]
    turns: anyio.Semaphore


class HandOver:
    """The run of ``one`` that is due at ``due``. The schedule counts as it was when the run fell due, also after a reload."""

    def __init__(self, one: OneSchedule, due: int, home: Home, around: Surroundings) -> None:
        self._one = one
        self._schedule = one.schedule
        self._due = due
        self._home = home
        self._around = around
        self._hold = one.hold
        self._log = log.bind(schedule=one.schedule.name, due=scheduled_time(due))

    async def run(self, stop: Stop) -> None:
        """Until it is decided what becomes of it, or a stop comes: then the next process finds it undecided."""
        decided = False
        try:
            with stop.running():
                decided = await self._until_decided(stop)
        finally:
            self._one.under_way.discard(self._due)
            if self._hold is not None:
                self._hold.decided()
            self._one.counts.given_back += not decided

    async def _until_decided(self, stop: Stop) -> bool:
        began, attempts = anyio.current_time(), 0
        while True:
            if self._hold is not None and not await self._hold.may_start():
                return False
            attempts += 1
            try:
                async with self._around.turns:
                    event = event_of(self._schedule, self._due, attempts, self._home)
                    failed = await self._attempt(event)
            except LeaseOutOfTime:
                attempts -= 1
                continue
            if failed is None:
                return True
            seconds, chance = anyio.current_time() - began, self._around.random.random()
            follows = after_failure(self._schedule.retry_policy, failed, attempts, seconds, chance)
            if isinstance(follows, GivenUp):
                lost = LostRun(self._schedule, self._due, event, failed, attempts, follows.condition)
                return await self._give_up(lost, stop)
            if attempts == 1:
                self._log.warning("schedule: a run could not be handed over, tried again", error=failed.message)
            await stop.sleep(follows)
            if stop.requested:
                return False

    async def _attempt(self, event: bytes) -> Failed | None:
        """One attempt; why it failed, if it did."""
        function, around = self._schedule.function_name, self._around
        if not around.defined(function):
            return self._failed("ResourceNotFoundException", f"Function not found: {function}", lasting=True)
        run = Run(self._due, int(around.clock.time()), Outcome.ACCEPTED)
        identifier = request_id(self._schedule.name, self._due)
        try:
            await around.queue.accept(function, event, request_id=identifier, also=self._decide_in_time(run))
        except AlreadyDecided:
            self._one.counts.known += 1
            self._log.info("schedule: the run had been decided before")
        except LeaseOutOfTime:
            raise
        except StoreError as error:
            return self._failed("ServiceException", str(error))
        except QueueFull as error:
            return self._failed("TooManyRequestsException", str(error))
        else:
            self._one.counts.accepted += 1
            self._log.info("schedule: run handed over", function=function, request_id=identifier)
        self._one.memory.add(run)
        self._one.problem = None
        return None

    def _failed(self, code: str, message: str, *, lasting: bool = False) -> Failed:
        self._one.problem = message
        return Failed(code, message, lasting)

    def _decide_in_time(self, run: Run) -> Callable[[sqlite3.Connection], None]:
        """As :meth:`_decide`, while nobody else may run the schedule: the disk may have kept this waiting."""
        decide, hold = self._decide(run), self._hold

        def decide_in_time(connection: sqlite3.Connection) -> None:
            if hold is not None and not hold.lease.in_time:
                raise LeaseOutOfTime(f"the lease of schedule {self._schedule.name} was not renewed in time")
            decide(connection)

        return decide_in_time

    def _decide(self, run: Run) -> Callable[[sqlite3.Connection], None]:
        """What is written together with the event."""
        name = self._schedule.name

        def decide(connection: sqlite3.Connection) -> None:
            if not rows.decide(connection, name, run):
                raise AlreadyDecided(f"schedule {name} was due at {run.due} before")

        return decide

    async def _give_up(self, lost: LostRun, stop: Stop) -> bool:
        """Send the dead letter first: a crash in between repeats it, and loses nothing."""
        queue = self._schedule.dead_letter_config.arn
        self._log.error(
            "schedule: a run is given up", error=lost.failed.message, attempts=lost.attempts, dead_letter_queue=queue
        )
        if queue is not None and not await self._send(queue, lost, stop):
            return False
        run = Run(self._due, int(self._around.clock.time()), Outcome.FAILED)
        try:
            await self._around.state.call(self._decide(run))
        except StoreError as error:
            self._log.error("schedule: not kept that a run was given up: a restart tries it again", error=str(error))
        self._one.memory.add(run)
        self._one.counts.failed += 1
        return True

    async def _send(self, queue: str, lost: LostRun, stop: Stop) -> bool:
        """Until the queue has the letter, refuses it, or it is as old as a run may be; False when a stop comes before."""
        letter, first_owed = letter_of(lost, self._home), anyio.current_time()
        waits = Backoff(self._around.random, initial=LETTER_SECONDS[0], maximum=LETTER_SECONDS[1])
        while True:
            try:
                await self._around.post.send(queue, SCHEDULE_DEAD_LETTER, letter)
            except TargetRefuses as error:
                return self._lose_letter(queue, error)
            except AwsError as error:
                wait = waits.next()
                if anyio.current_time() + wait > first_owed + self._schedule.retry_policy.maximum_event_age_in_seconds:
                    return self._lose_letter(queue, error)
                self._one.problem = str(error)
            else:
                return True
            await stop.sleep(wait)
            if stop.requested:
                return False

    def _lose_letter(self, queue: str, error: Exception) -> bool:
        self._one.problem = str(error)
        self._log.error("schedule: a dead letter is lost", error=str(error), dead_letter_queue=queue)
        return True
