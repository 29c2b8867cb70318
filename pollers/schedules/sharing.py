"""Which replica runs which schedule: a lease for each, in a table of their own (docs/replicas.md).

A due time is accepted by the queue first, and written into the table then: a crash in between repeats it, and loses nothing.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.store import ShardCheckpoint
from pollers.leases.errors import store_error
from pollers.leases.items import COUNTER, OWNER, expected
from pollers.leases.keeper import Keeper
from pollers.leases.leases import Leases, Take
from pollers.leases.own_part import Stamp
from pollers.leases.pinning import Pinning
from pollers.leases.replica import Replica
from pollers.leases.store import boot_time, new_owner
from pollers.leases.table import ConditionFailed
from pollers.schedules import rows
from pollers.schedules.deciding import decide
from pollers.schedules.hold import Hold
from pollers.schedules.one_schedule import plan_of
from pollers.schedules.record import Record, change_of, digest_of, read_record, recorded, seen
from pollers.storage.errors import StoreUnreadable, StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskGroup

    from pollers.clocks.clock import Clock
    from pollers.engine.stop import Stop
    from pollers.leases.items import LeaseItem
    from pollers.leases.replica import Change
    from pollers.leases.table import LeaseTable
    from pollers.schedules.memory import Memory
    from pollers.schedules.one_schedule import OneSchedule
    from pollers.state import State

log = structlog.stdlib.get_logger(__name__)

STAMP = Stamp("schedules", "schedules")
"""What leases in the table of schedules say of themselves."""
LOOK_SECONDS = 1.0
"""How often it is looked for schedules to take, beside the looks that find some."""
RETRY_SECONDS = 0.5
TABLE_RETRY_SECONDS = 2.0
"""After how long a table that does not answer is tried again."""


class SharedSchedules:
    """The schedules of this replica's configuration, and those of them that it runs.

    ``table`` gives the lease table, ``failover_seconds`` is how long a replica may be silent. ``clock`` is monotonic.
    """

    def __init__(
        self,
        table: Callable[[], Awaitable[LeaseTable]],
        failover_seconds: float,
        *,
        clock: Callable[[], float] = boot_time,
        rng: random.Random | None = None,
    ) -> None:
        self._table = table
        self._failover = failover_seconds
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, keeps no secret
        self._ones: Mapping[str, OneSchedule] = {}
        self._followed = anyio.Event()
        self._claims = anyio.Event()
        self._sharing: _Sharing | None = None
        self._unreachable: str | None = None

    @property
    def problem(self) -> str | None:
        """Why schedules do not run here, if that is so."""
        return self._unreachable or (self._sharing.problem if self._sharing is not None else None)

    def follow(self, ones: Mapping[str, OneSchedule]) -> None:
        """These are the schedules of the configuration now."""
        for name, one in self._ones.items():
            if one.hold is not None:
                if name not in ones:
                    one.hold.stop.request()
                one.hold.decided()
        self._ones = dict(ones)
        self._followed.set()
        self._claims.set()

    def owner_of(self, name: str) -> str | None:
        """Which replica runs a schedule, as far as is known."""
        return None if self._sharing is None else self._sharing.owner_of(name)

    def is_over(self, name: str) -> bool:
        """Whether the table says that nothing of it is due any more."""
        return self._sharing is not None and self._sharing.is_over(name)

    def record_of(self, name: str) -> Record | None:
        """What the table said of a schedule last."""
        return None if self._sharing is None else self._sharing.record_of(name)

    async def run(self, state: State, clock: Clock, changed: Callable[[], None], stop: Stop) -> None:
        """Take, keep and give back schedules until the stop. ``changed`` is called when one may be looked at that might not before.

        Raises StoreError for a table that is another's, or that may not be used.
        """
        self._claims.set()
        with stop.waiting():
            await self._followed.wait()
            while not self._ones:
                self._followed = anyio.Event()
                await self._followed.wait()
            replica = await self._opened()
        if stop.requested:
            return
        sharing = _Sharing(replica, self, state, clock, changed)
        self._sharing = sharing
        try:
            with stop.running():
                await sharing.run(stop)
        finally:
            self._sharing = None

    @property
    def ones(self) -> Mapping[str, OneSchedule]:
        """The schedules of the configuration."""
        return self._ones

    @property
    def rng(self) -> random.Random:
        """Spreads load."""
        return self._rng

    async def claims_wanted(self) -> None:
        """Until something may have to be taken, or a while has passed."""
        with anyio.move_on_after(LOOK_SECONDS * self._rng.uniform(0.8, 1.2)):
            await self._claims.wait()
        self._claims = anyio.Event()

    async def claim_again(self) -> None:
        """Something may have to be taken."""
        self._claims.set()

    async def _opened(self) -> Replica:
        """A replica with an owner id of its own, once the table answers."""
        while True:
            try:
                replica = await self._open()
            except StoreUnwritable as error:
                if self._unreachable is None:
                    log.error(
                        "schedules do not run: the table by which replicas share them does not answer", error=str(error)
                    )
                self._unreachable = str(error)
            else:
                self._unreachable = None
                return replica
            await anyio.sleep(TABLE_RETRY_SECONDS * self._rng.uniform(0.8, 1.2))

    async def _open(self) -> Replica:
        try:
            table = await self._table()
            await table.ensure()
        except AwsError as error:
            raise store_error(error, "of schedules") from error
        replica = Replica(table, Leases(new_owner(), self._failover, self._rng), STAMP, self._clock)
        await replica.look()
        for item in replica.items.values():
            if item.own.stamp != STAMP:
                whose = f"the mapping {item.own.stamp.mapping}" if item.own.stamp else "another application"
                raise StoreUnreadable(
                    f"the table {table.name} has leases of {whose}, where those of schedules were expected: give "
                    "runtime.checkpoints another TABLE"
                )
        return replica


class _Sharing:
    """One opening of the table."""

    def __init__(
        self,
        replica: Replica,
        whole: SharedSchedules,
        state: State,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._replica = replica
        self._whole = whole
        self._state = state
        self._wall = clock
        self._changed = changed
        self._keeper = Keeper(replica, whole.rng, known_here=self._is_wanted)
        self._pinning = Pinning(replica, clock.time, fresh=False)
        self._judged: dict[str, tuple[tuple[object, ...], bool]] = {}
        self._quiet: dict[str, tuple[int, float]] = {}
        self._warned: set[tuple[str, str]] = set()

    @property
    def problem(self) -> str | None:
        """Why leases cannot be renewed in time, if that is so."""
        late = any(one.hold is not None and not one.hold.lease.in_time for one in self._whole.ones.values())
        return self._keeper.problem if late else None

    def owner_of(self, name: str) -> str | None:
        """See :meth:`SharedSchedules.owner_of`."""
        item = self._replica.items.get(name)
        return None if item is None or item.checkpoint.ended else item.owner

    def is_over(self, name: str) -> bool:
        """See :meth:`SharedSchedules.is_over`."""
        item = self._replica.items.get(name)
        return item is not None and item.checkpoint.ended

    def record_of(self, name: str) -> Record | None:
        """See :meth:`SharedSchedules.record_of`."""
        item = self._replica.items.get(name)
        return None if item is None else read_record(item.raw)

    async def run(self, stop: Stop) -> None:
        """Until the stop, and until every schedule is given back."""
        async with anyio.create_task_group() as keeping:
            keeping.start_soon(self._keeper.run, self._whole.claim_again)
            async with anyio.create_task_group() as holds:
                while not stop.requested:
                    try:
                        await self._claim(holds, stop)
                    except StoreUnwritable as error:
                        log.debug("schedules could not be taken", error=str(error))
                    await stop.unless_requested(self._whole.claims_wanted)
                self._replica.leases.leave()
                self._keeper.renew_again()
            keeping.cancel_scope.cancel()

    # -- taking ----------------------------------------------------------------------------------------------------------

    async def _claim(self, holds: TaskGroup, stop: Stop) -> None:
        ones, items = self._whole.ones, self._replica.items
        missing = [name for name, one in ones.items() if one.schedule.enabled and name not in items]
        if missing:
            await self._pinning.add({name: ShardCheckpoint() for name in missing})
        again = True
        while again and not stop.requested:
            takes = [*self._replica.leases.takes(self._keeper.readable), *self._revivals()]
            takes = [take for take in takes if take.shard_id in ones and ones[take.shard_id].hold is None]
            taken: list[str] = []
            async with anyio.create_task_group() as group:
                for take in takes:
                    group.start_soon(self._take, take, taken, holds, stop)
            again = bool(takes) and len(taken) == len(takes)
        await self._decline()
        await self._retire()
        self._warn_of_others()

    def _is_wanted(self, name: str) -> bool:
        """Whether this configuration has something to run of a schedule, or may have. Judged anew when either has changed."""
        one, item = self._whole.ones.get(name), self._replica.items.get(name)
        if one is None or item is None or not one.schedule.enabled:
            return False
        if not item.checkpoint.ended:
            return True
        key = (item.counter, one.schedule)
        known = self._judged.get(name)
        if known is None or known[0] != key:
            known = self._judged[name] = key, self._has_something_due(one, item)
        return known[1]

    def _has_something_due(self, one: OneSchedule, item: LeaseItem) -> bool:
        """Whether a lease that was ended, because nothing was due any more, is to be taken up again."""
        record = read_record(item.raw)
        if record is None or not record.enabled or record.rule != digest_of(one.schedule):
            return True
        decision = decide(plan_of(one.schedule, record.first_seen), record.memory, self._wall.time())
        return bool(decision.run) or decision.look_at is not None

    def _revivals(self) -> list[Take]:
        """Leases of schedules that were over, disabled or not in the configuration, and that are not any more."""
        items = self._replica.items
        return [
            self._keeper.take_of(name)
            for name in self._whole.ones
            if name in items and items[name].checkpoint.ended and items[name].owner is None and self._is_wanted(name)
        ]

    async def _take(self, take: Take, taken: list[str], holds: TaskGroup, stop: Stop) -> None:
        one, now = self._whole.ones[take.shard_id], int(self._wall.time())
        schedule, records = one.schedule, []

        def change(item: LeaseItem) -> Change:
            records.append(seen(read_record(item.raw), schedule, one.memory, now))
            return change_of(records[-1], STAMP)

        try:
            lease = await self._replica.take(take, change)
        except StoreUnwritable as error:
            log.debug("a schedule could not be taken", schedule=take.shard_id, error=str(error))
            return
        if lease is not None:
            taken.append(take.shard_id)
            one.hold = Hold(lease, schedule, stop.child())
            holds.start_soon(self._keep, one, one.hold, records[-1].memory)

    async def _retire(self) -> None:
        """Schedules that nobody runs and that are not in this configuration: when they come back, they go on from then.

        Not at once: a replica with another configuration may be about to take them.
        """
        for name, item in list(self._replica.items.items()):
            one = self._whole.ones.get(name)
            record = read_record(item.raw)
            if (one is not None and one.schedule.enabled) or item.checkpoint.ended or record is None:
                continue
            if not self._is_quiet(item):
                continue
            await self._let_go(item, change_of(_absent(record), STAMP, ended=True))

    async def _decline(self) -> None:
        """Schedules that were given to this replica, and that it has no use for: whoever has one takes it."""
        replica = self._replica
        for name, item in list(replica.items.items()):
            given = item.owner == replica.leases.me and name not in replica.leases.mine
            if given and not item.checkpoint.ended and not self._is_wanted(name):
                await self._let_go(item, ({}, ()))

    async def _let_go(self, item: LeaseItem, change: Change) -> None:
        """Make a lease free that is nobody's, or only by name this replica's."""
        replica, (put, remove) = self._replica, change
        at = replica.clock()
        try:
            written = await replica.table.update(
                item.shard_id,
                put={**put, COUNTER: {"N": str(item.counter + 1)}},
                remove=(*remove, OWNER),
                expected=expected(item.counter, item.owner),
            )
        except ConditionFailed as failed:
            replica.enter(item.shard_id, failed.item, at)
        except AwsError as error:
            raise store_error(error, replica.table.name) from error
        else:
            replica.enter(item.shard_id, written, at)

    def _is_quiet(self, item: LeaseItem) -> bool:
        """Whether nobody has had a lease for a failover."""
        leases, now = self._replica.leases, self._replica.clock()
        if item.shard_id in leases.mine or leases.elsewhere([item.shard_id]):
            self._quiet.pop(item.shard_id, None)
            return False
        counter, since = self._quiet.setdefault(item.shard_id, (item.counter, now))
        if counter != item.counter:
            self._quiet[item.shard_id] = item.counter, now
            return False
        return now - since >= leases.failover

    def _warn_of_others(self) -> None:
        """A live replica that runs a schedule by another rule has another configuration, or is being replaced."""
        elsewhere = self._replica.leases.elsewhere(list(self._whole.ones))
        for name in sorted(elsewhere):
            record, owner = self.record_of(name), self.owner_of(name) or ""
            rule = digest_of(self._whole.ones[name].schedule)
            if record is not None and record.rule != rule and (name, owner) not in self._warned:
                self._warned.add((name, owner))
                log.warning(
                    "another replica runs a schedule with another expression, zone or start date",
                    schedule=name,
                    owner=owner,
                    table=self._replica.table.name,
                )

    # -- keeping ---------------------------------------------------------------------------------------------------------

    async def _keep(self, one: OneSchedule, hold: Hold, memory: Memory) -> None:
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
            await self._whole.claim_again()

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
        leases = self._replica.leases
        leaving = leases.me if leases.leaving else None
        change = change_of(self._record(one), STAMP, leaving=leaving)
        await self._replica.save(hold.lease, lambda _item: change)
        hold.wrote(changes)
        self._changed()

    async def _give(self, one: OneSchedule, hold: Hold) -> None:
        """To the replica that asked, or has the fewest; to nobody when nothing of it is due any more."""
        name = hold.schedule.name
        ended = not self._is_there(one) or (hold.adopted and one.over) or not one.schedule.enabled
        to = None if ended else self._replica.leases.successor(name)
        change: Change = ({}, ())
        if hold.adopted:
            change = change_of(self._record(one), STAMP, ended=ended)
        await self._replica.give(hold.lease, change, to=to)
        hold.lease.lose()
        self._keeper.look_again()

    def _is_there(self, one: OneSchedule) -> bool:
        return self._whole.ones.get(one.schedule.name) is one

    def _record(self, one: OneSchedule) -> Record:
        now = int(self._wall.time())
        return recorded(one.schedule, one.memory, now, one.under_way, enabled=self._is_there(one))


def _absent(record: Record) -> Record:
    return Record(record.rule, enabled=False, first_seen=record.first_seen, decided=record.decided, runs=record.runs)
