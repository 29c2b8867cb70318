"""One opening of the table of schedules: the leases that this replica takes, keeps and gives back meanwhile, and what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.leases.keeper import Keeper
from pollers.schedules.claiming import Claiming
from pollers.schedules.keeping import Keeping
from pollers.schedules.record import digest_of, read_record
from pollers.schedules.retiring import Retiring
from pollers.schedules.wanting import Wanting
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from pollers.clocks.clock import Clock
    from pollers.engine.stop import Stop
    from pollers.leases.replica import Replica
    from pollers.schedules.followed import Followed
    from pollers.schedules.record import Record
    from pollers.state import State

log = structlog.stdlib.get_logger(__name__)


class Opening:
    """``replica`` has an owner id that nobody had before. ``changed``: see :class:`pollers.schedules.keeping.Keeping`."""

    def __init__(
        self,
        replica: Replica,
        followed: Followed,
        rng: random.Random,
        state: State,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._replica = replica
        self._followed = followed
        wanting = Wanting(followed, replica.items, clock)
        self._keeper = Keeper(replica, rng, known_here=wanting.is_wanted)
        keeping = Keeping(replica, followed, state, clock, changed)
        self._claiming = Claiming(replica, self._keeper, followed, wanting, keeping, clock)
        self._retiring = Retiring(replica, followed, wanting)
        self._warned: set[tuple[str, str]] = set()

    @property
    def problem(self) -> str | None:
        """Why leases cannot be renewed in time, if that is so."""
        late = any(one.hold is not None and not one.hold.lease.in_time for one in self._followed.ones.values())
        return self._keeper.problem if late else None

    def owner_of(self, name: str) -> str | None:
        """Which replica runs a schedule, as far as is known."""
        item = self._replica.items.get(name)
        return None if item is None or item.checkpoint.ended else item.owner

    def is_over(self, name: str) -> bool:
        """Whether the table says that nothing of it is due any more."""
        item = self._replica.items.get(name)
        return item is not None and item.checkpoint.ended

    def record_of(self, name: str) -> Record | None:
        """What the table said of a schedule last."""
        item = self._replica.items.get(name)
        return None if item is None else read_record(item.raw)

    async def run(self, stop: Stop) -> None:
        """Until the stop, and until every schedule is given back."""
        async with anyio.create_task_group() as keeping:
            keeping.start_soon(self._keeper.run, self._followed.claim_again)
            async with anyio.create_task_group() as holds:
                while not stop.requested:
                    try:
                        await self._look(holds, stop)
                    except StoreUnwritable as error:
                        log.debug("schedules could not be taken", error=str(error))
                    await stop.unless_requested(self._followed.claims_wanted)
                self._keeper.leave()
            await self._keeper.depart()
            keeping.cancel_scope.cancel()

    async def _look(self, holds: TaskGroup, stop: Stop) -> None:
        await self._claiming.claim(holds, stop)
        await self._retiring.decline()
        await self._retiring.retire()
        self._warn_of_others()

    def _warn_of_others(self) -> None:
        """A live replica that runs a schedule by another rule has another configuration, or is being replaced."""
        elsewhere = self._replica.leases.elsewhere(list(self._followed.ones))
        for name in sorted(elsewhere):
            record, owner = self.record_of(name), self.owner_of(name) or ""
            rule = digest_of(self._followed.ones[name].schedule)
            if record is not None and record.rule != rule and (name, owner) not in self._warned:
                self._warned.add((name, owner))
                log.warning(
                    "another replica runs a schedule with another expression, zone or start date",
                    schedule=name,
                    owner=owner,
                    table=self._replica.table.name,
                )
