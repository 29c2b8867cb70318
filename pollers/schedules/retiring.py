"""Lets go of leases of schedules that are of no use here: those given to this replica, and those that nobody runs any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pollers.aws.errors import AwsError
from pollers.leases.errors import store_error
from pollers.leases.items import COUNTER, OWNER, expected
from pollers.leases.table import ConditionFailed
from pollers.schedules.record import change_of, read_record

if TYPE_CHECKING:
    from pollers.leases.items import LeaseItem
    from pollers.leases.replica import Change, Replica
    from pollers.schedules.followed import Followed
    from pollers.schedules.wanting import Wanting


class Retiring:
    """Writes only to leases that are nobody's, or only by name this replica's: what runs here is not touched."""

    def __init__(self, replica: Replica, followed: Followed, wanting: Wanting) -> None:
        self._replica = replica
        self._followed = followed
        self._wanting = wanting
        self._quiet: dict[str, tuple[int, float]] = {}

    async def decline(self) -> None:
        """Schedules that were given to this replica, and that it has no use for: whoever has one takes it. Raises StoreError."""
        replica = self._replica
        for name, item in list(replica.items.items()):
            given = item.owner == replica.leases.me and name not in replica.leases.mine
            if given and not item.checkpoint.ended and not self._wanting.is_wanted(name):
                await self._let_go(item, ({}, ()))

    async def retire(self) -> None:
        """Schedules that nobody runs and that are not in this configuration: when they come back, they go on from then.

        Not at once: a replica with another configuration may be about to take them. Raises StoreError.
        """
        for name, item in list(self._replica.items.items()):
            one = self._followed.ones.get(name)
            record = read_record(item.raw)
            if (one is not None and one.schedule.enabled) or item.checkpoint.ended or record is None:
                continue
            if not self._is_quiet(item):
                continue
            await self._let_go(item, change_of(replace(record, enabled=False), self._replica.stamp, ended=True))

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
