"""Runs schedules: looks at the clock, decides, and hands due runs over to the functions' asynchronous queue."""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.clocks.clock import Clock, SystemClock
from pollers.schedules import rows
from pollers.schedules.events import home_of, scheduled_time
from pollers.schedules.handing_over import HandOver, Surroundings
from pollers.schedules.memory import AHEAD_SECONDS, Outcome, Run
from pollers.schedules.one_schedule import Counts, OneSchedule
from pollers.storage.errors import StoreUnwritable
from pollers.supervisor.service import Books

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.abc import TaskGroup

    from config.models import Config
    from pollers.destinations.post import Post
    from pollers.engine.stop import Stop
    from pollers.schedules.deciding import Decision
    from pollers.schedules.events import Home
    from pollers.schedules.seams import EventQueue
    from pollers.schedules.sharing import SharedSchedules
    from pollers.state import State

log = structlog.stdlib.get_logger(__name__)

LOOK_SECONDS = 10.0
"""The clock is looked at this often at least: it may be set, and a machine that slept has not counted the seconds."""
LATE_LOOK_SECONDS = 0.5
"""As long as a lease could not be renewed in time."""
JUMP_SECONDS = 30.0
"""A clock that went further than this beside the time that really passed is worth a line in the log."""
AT_ONCE = 20
"""So many attempts to hand over are made at a time, and no schedule is looked at while they are: thousands may be due in the same
second."""
UNDER_WAY_AT_MOST = 100
"""Runs of one schedule that may wait for a queue without room; of the others the last one is made up for."""


class Schedules:
    """Every schedule of the configuration; a :class:`pollers.supervisor.service.Service`.

    With ``sharing``, replicas have the same ones, and this one runs those whose leases it has.

    A due time is decided once, whatever happens: the same transaction says so in which the queue accepts the event. A kill before
    leaves a due time that the next process finds undecided, a kill after leaves an event in the queue.
    """

    name = "schedules"

    def __init__(
        self,
        config: Config,
        state: State,
        queue: EventQueue,
        post: Post,
        *,
        clock: Clock | None = None,
        seed: random.Random | None = None,
        sharing: SharedSchedules | None = None,
    ) -> None:
        self._config = config
        self._sharing = sharing
        self._state = state
        self._clock = clock or SystemClock()
        seed = seed or random.Random()  # noqa: S311 - jitter, not secrets
        self._around = Surroundings(
            state,
            queue,
            post,
            self._clock,
            seed,
            defined=lambda function: function in self._config.functions,
            turns=anyio.Semaphore(AT_ONCE),
        )
        self.problem: str | None = None
        """Why nothing can be decided, if that is so."""
        self._schedules: dict[str, OneSchedule] = {}
        self._gone: list[OneSchedule] = []
        self._gone_counts = Counts()
        self._last_look = 0.0
        self._changed = anyio.Event()
        self._seen: Config | None = None

    async def run(self, stop: Stop) -> None:
        """See :class:`pollers.supervisor.service.Service`: what is not handed over stays undecided."""
        self._seen = None
        async with anyio.create_task_group() as group:
            if self._sharing is not None:
                group.start_soon(self._sharing.run, self._state, self._clock, self._changed_set, stop)
            while not stop.requested:
                before = self._clock.time() - anyio.current_time()
                try:
                    if self._seen is not self._config:
                        await self._see()
                    await self._look(group, stop)
                except StoreUnwritable as error:
                    self._look_again(error)
                else:
                    self.problem = None
                await self._sleep(stop)
                self._say_jump(self._clock.time() - anyio.current_time() - before)
            # What has been sent to the disk is waited for; whoever waits for anything else has seen the stop.

    def schedules(self) -> Iterator[OneSchedule]:
        """Each schedule as it stands, for whoever shows it."""
        yield from self._schedules.values()

    @property
    def sharing(self) -> SharedSchedules | None:
        """How replicas share them, if they do."""
        return self._sharing

    # -- what the supervisor asks ----------------------------------------------------------------------------------------

    def running(self) -> int:
        """None: functions are called by the queue."""
        return 0

    def held(self) -> int:
        """Nothing: what is not handed over is still undecided."""
        return 0

    def left(self) -> str:
        """Nothing: something is always due later."""
        return ""

    def refusal(self, config: Config) -> str | None:
        """Every change of a schedule can be followed."""
        return None

    def apply(self, config: Config) -> None:
        """Follow the changed schedules, as soon as their first sight is durable."""
        self._config = config
        self._changed.set()

    def books(self) -> Books | None:
        """Every due time that was seen is accounted for."""
        ones = [*self._schedules.values(), *self._gone]
        if not ones and not self._gone_counts.due:
            return None
        counts = Counts()
        for each in (self._gone_counts, *(one.counts for one in ones)):
            counts.add(each)
        under_way = sum(len(one.under_way) for one in ones)
        return Books(counts.due == counts.decided + under_way, {**asdict(counts), "under_way": under_way})

    # -- looking ---------------------------------------------------------------------------------------------------------

    async def _see(self) -> None:
        """Make durable which schedules there are, and take over what is known of them."""
        config, now = self._config, int(self._clock.time())
        memories = await self._state.call(lambda connection: rows.see(connection, config.schedules, now))
        old, self._schedules = self._schedules, {}
        for name, memory in memories.items():
            one = old.pop(name, None) or OneSchedule(config.schedules[name], memory)
            # The same object goes on: what is being handed over enters its outcome there.
            one.schedule, one.memory, one.look_at = config.schedules[name], memory, 0
            self._schedules[name] = one
        self._gone += old.values()
        self._add_up()
        if self._sharing is not None:
            self._sharing.follow(self._schedules)
        elif memories and (self._seen is None or not self._seen.schedules):
            log.info(
                "schedules run in this process: another one with the same configuration and a runtime.state of its own runs "
                "them as well",
                schedules=len(memories),
            )
        self._seen = config

    def _add_up(self) -> None:
        """Keep the counts of schedules that have left the configuration."""
        for one in [one for one in self._gone if not one.under_way]:
            self._gone.remove(one)
            self._gone_counts.add(one.counts)

    def _look_again(self, error: StoreUnwritable) -> None:
        """Nothing was decided, so nothing is lost: the same follows at the next look."""
        if self.problem is None:
            log.error("schedules cannot be written: what is not written does not run", error=str(error))
        self.problem = str(error)
        for one in self._schedules.values():
            one.look_at = int(self._clock.time() + LOOK_SECONDS)

    async def _look(self, group: TaskGroup, stop: Stop) -> None:
        now = self._clock.time()
        set_back = now < self._last_look
        if set_back and any(one.memory.decided > now + AHEAD_SECONDS for one in self._schedules.values()):
            await self._see()
        self._last_look = now
        here = [one for one in self._schedules.values() if self._runs_here(one)]
        looked_at = [one for one in here if one.to_be_looked_at(now, set_back=set_back)]
        home = home_of(self._config)
        for one in looked_at:
            # There may be thousands, and the time goes on meanwhile.
            await self._turn(stop)
            if stop.requested:
                return
            await self._look_at(one, self._clock.time(), home, group, stop)

    async def _look_at(self, one: OneSchedule, now: float, home: Home, group: TaskGroup, stop: Stop) -> None:
        if not self._runs_here(one):
            return
        room = UNDER_WAY_AT_MOST - len(one.under_way)
        if room <= 0:
            one.look_at = int(now + LOOK_SECONDS)
            return
        decision = one.look(now)
        if decision.missed_since is not None:
            await self._pass_over(one, decision, int(now))
        if len(decision.run) > room:
            one.look_at = int(now + LOOK_SECONDS)
        for due in decision.run[:room]:
            one.under_way.add(due)
            one.counts.due += 1
            group.start_soon(HandOver(one, due, home, self._around).run, stop if one.hold is None else one.hold.stop)
        if one.hold is not None and one.over:
            one.hold.wake()

    def _runs_here(self, one: OneSchedule) -> bool:
        """Whether its due times may be decided here now."""
        return self._sharing is None or (one.hold is not None and one.hold.ready)

    def _changed_set(self) -> None:
        self._changed.set()

    async def _turn(self, stop: Stop) -> None:
        """Until few attempts are being made, or a stop; others have a turn in any case.

        A task for each of thousands of runs that are due in the same second would hold up the event loop: while they begin, and
        while Python looks for garbage among them.
        """
        with stop.waiting():
            async with self._around.turns:
                return

    async def _pass_over(self, one: OneSchedule, decision: Decision, now: int) -> None:
        """Say what was missed, and enter what does not run, so that it is said once."""
        name = one.schedule.name
        runs = [Run(due, now, Outcome.MISSED) for due in decision.missed]
        if runs:
            decided = await self._state.call(lambda connection: sum(rows.decide(connection, name, run) for run in runs))
            for run in runs:
                one.memory.add(run)
            one.counts.due += len(runs)
            one.counts.missed += decided
            one.counts.known += len(runs) - decided
            if one.hold is not None:
                one.hold.decided()
        log.warning(
            "schedule: runs were missed",
            schedule=name,
            since=scheduled_time(decision.missed_since or now),
            until=scheduled_time(decision.missed_until or now),
            policy=one.schedule.missed,
            runs_now=scheduled_time(decision.made_up) if decision.made_up is not None else None,
        )

    async def _sleep(self, stop: Stop) -> None:
        """Until something follows, the configuration changes, a stop, or it is time to look at the clock again."""
        here = [one for one in self._schedules.values() if self._runs_here(one)]
        looks = [one.look_at for one in here if one.look_at is not None]
        # A lease that is renewed again says nothing, and one that is late is not looked at.
        late = any(one.hold is not None and not one.hold.lease.in_time for one in self._schedules.values())
        longest = LATE_LOOK_SECONDS if late else LOOK_SECONDS
        wait = min([longest, *([] if self.problem else [look - self._clock.time() for look in looks])])
        with stop.waiting(), anyio.move_on_after(max(0.0, wait)):
            await self._changed.wait()
        if self._changed.is_set():
            self._changed = anyio.Event()

    def _say_jump(self, seconds: float) -> None:
        if abs(seconds) > JUMP_SECONDS:
            log.warning(
                "the clock was set, or the machine slept: schedules follow the clock", forward_seconds=round(seconds, 1)
            )
