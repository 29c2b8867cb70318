"""Which replica runs which schedule: a lease for each, in a table of their own (docs/replicas.md).

What is seen of it from outside, and the opening of the table. What happens while it is open: :mod:`pollers.schedules.opening`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.leases.errors import store_error
from pollers.leases.leases import Leases
from pollers.leases.own_part import Stamp
from pollers.leases.replica import Replica
from pollers.leases.store import boot_time, new_owner
from pollers.schedules.followed import Followed
from pollers.schedules.opening import Opening
from pollers.storage.errors import StoreUnreadable, StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pollers.clocks.clock import Clock
    from pollers.engine.stop import Stop
    from pollers.leases.table import LeaseTable
    from pollers.schedules.one_schedule import OneSchedule
    from pollers.schedules.record import Record
    from pollers.state import State

log = structlog.stdlib.get_logger(__name__)

STAMP = Stamp("schedules", "schedules")
"""What leases in the table of schedules say of themselves."""
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
        self._followed = Followed(self._rng)
        self._open: Opening | None = None
        self._unreachable: str | None = None

    @property
    def problem(self) -> str | None:
        """Why schedules do not run here, if that is so."""
        return self._unreachable or (self._open.problem if self._open is not None else None)

    def follow(self, ones: Mapping[str, OneSchedule]) -> None:
        """These are the schedules of the configuration now."""
        self._followed.follow(ones)

    def owner_of(self, name: str) -> str | None:
        """Which replica runs a schedule, as far as is known."""
        return None if self._open is None else self._open.owner_of(name)

    def is_over(self, name: str) -> bool:
        """Whether the table says that nothing of it is due any more."""
        return self._open is not None and self._open.is_over(name)

    def record_of(self, name: str) -> Record | None:
        """What the table said of a schedule last."""
        return None if self._open is None else self._open.record_of(name)

    async def run(self, state: State, clock: Clock, changed: Callable[[], None], stop: Stop) -> None:
        """Take, keep and give back schedules until the stop. ``changed`` is called when one may be looked at that might not before.

        Raises StoreError for a table that is another's, or that may not be used.
        """
        await self._followed.claim_again()
        with stop.waiting():
            await self._followed.until_any()
            replica = await self._replica()
        if stop.requested:
            return
        opening = Opening(replica, self._followed, self._rng, state, clock, changed)
        self._open = opening
        try:
            with stop.running():
                await opening.run(stop)
        finally:
            self._open = None

    async def _replica(self) -> Replica:
        """A replica with an owner id of its own, once the table answers."""
        while True:
            try:
                replica = await self._looked()
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

    async def _looked(self) -> Replica:
        """A replica that has seen every lease. Raises StoreError, also for a table that is another's."""
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
