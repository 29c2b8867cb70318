"""Takes the leases of schedules that fall to this replica, and those that nobody has had yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.checkpoints.store import ShardCheckpoint
from pollers.leases.pinning import Pinning
from pollers.leases.taking import take_lease
from pollers.schedules.hold import Hold
from pollers.schedules.record import change_of, read_record, seen
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from pollers.clocks.clock import Clock
    from pollers.engine.stop import Stop
    from pollers.leases.items import LeaseItem
    from pollers.leases.keeper import Keeper
    from pollers.leases.leases import Take
    from pollers.leases.replica import Change, Replica
    from pollers.schedules.followed import Followed
    from pollers.schedules.keeping import Keeping
    from pollers.schedules.wanting import Wanting

log = structlog.stdlib.get_logger(__name__)


class Claiming:
    """``keeping`` is what is done with each schedule from the take on."""

    def __init__(
        self,
        replica: Replica,
        keeper: Keeper,
        followed: Followed,
        wanting: Wanting,
        keeping: Keeping,
        clock: Clock,
    ) -> None:
        self._replica = replica
        self._keeper = keeper
        self._followed = followed
        self._wanting = wanting
        self._keeping = keeping
        self._clock = clock
        self._pinning = Pinning(replica, clock.time, fresh=False)

    async def claim(self, holds: TaskGroup, stop: Stop) -> None:
        """Take what falls to this replica now; each schedule is kept by a task of ``holds``. Raises StoreError."""
        ones, items = self._followed.ones, self._replica.items
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

    def _revivals(self) -> list[Take]:
        """Leases of schedules that were over, disabled or not in the configuration, and that are not any more."""
        items = self._replica.items
        return [
            self._keeper.take_of(name)
            for name in self._followed.ones
            if name in items
            and items[name].checkpoint.ended
            and items[name].owner is None
            and self._wanting.is_wanted(name)
        ]

    async def _take(self, take: Take, taken: list[str], holds: TaskGroup, stop: Stop) -> None:
        one, now = self._followed.ones[take.shard_id], int(self._clock.time())
        schedule, records = one.schedule, []

        def change(item: LeaseItem) -> Change:
            records.append(seen(read_record(item.raw), schedule, one.memory, now))
            return change_of(records[-1], self._replica.stamp)

        try:
            lease = await take_lease(self._replica, take, change)
        except StoreUnwritable as error:
            log.debug("a schedule could not be taken", schedule=take.shard_id, error=str(error))
            return
        if lease is not None:
            taken.append(take.shard_id)
            one.hold = Hold(lease, schedule, stop.child())
            holds.start_soon(self._keeping.keep, one, one.hold, records[-1].memory)
