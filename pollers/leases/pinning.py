"""First checkpoints in a lease table: put one by one, by several replicas at the same time perhaps, and yet from one position."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AwsError, Unavailable
from pollers.checkpoints.store import TRIM_HORIZON
from pollers.leases.errors import store_error
from pollers.leases.items import COUNTER, OWNER, expected, new_item, put_back
from pollers.leases.table import KEY, ConditionFailed
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pollers.aws.api import StartAt
    from pollers.checkpoints.store import ShardCheckpoint
    from pollers.leases.items import LeaseItem
    from pollers.leases.replica import Replica
    from pollers.leases.table import Item

log = structlog.stdlib.get_logger(__name__)

AT_ONCE = 16
TRIES = 3


class Pinning:
    """Pins the shards of one mapping. ``fresh``: nothing of the mapping was in the table when it was opened.

    ``ended``: shards that were pinned as ended here, because the table shows that they are done.
    """

    def __init__(self, replica: Replica, wall: Callable[[], float], *, fresh: bool) -> None:
        self._replica = replica
        self.wall = wall
        self.ended: set[str] = set()
        self._fresh = fresh
        self._put_here: dict[str, ShardCheckpoint] = {}

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """Put the leases of these shards where there are none; returns those that were put as they are given. Raises StoreError.

        Parents come before their children, so a shard without a lease was done with if its child has begun, or any after that, and
        its lease has been deleted since. Whoever puts the first lease decides where the first start begins: a replica that comes
        second reads from there too. It has put none as they are given then, even where its own position has the same time: a time
        is rounded, and between the two moments that it stands for something may have been written.
        """
        fresh, self._fresh = self._fresh, False
        rest = {shard_id: shards[shard_id] for shard_id in sorted(shards)}
        first = next(iter(rest)) if fresh and rest else None
        if first is not None:
            await self._put(first, rest.pop(first))
        self.ended |= frozenset() if fresh else self._outlived(shards)
        for generation in _generations(rest):
            shards_now = {
                shard_id: self._as_first(checkpoint) if fresh else self._as_known(shard_id, checkpoint)
                for shard_id, checkpoint in generation.items()
            }
            await self.add(shards_now)
        if fresh:
            await self._clear(shards)
        if first is not None and first not in self._put_here:
            return frozenset()
        return frozenset(shard_id for shard_id in shards if self._put_here.get(shard_id) == shards[shard_id])

    async def add(self, shards: Mapping[str, ShardCheckpoint]) -> None:
        """Put these leases where there are none, some at a time. Raises StoreError."""
        limit = anyio.CapacityLimiter(AT_ONCE)
        refused: list[Exception] = []

        async def put(shard_id: str, checkpoint: ShardCheckpoint) -> None:
            async with limit:
                try:
                    await self._put(shard_id, checkpoint)
                except Exception as error:
                    refused.append(error)

        async with anyio.create_task_group() as group:
            for shard_id, checkpoint in shards.items():
                group.start_soon(put, shard_id, checkpoint)
        if refused:
            raise refused[0]

    def _as_first(self, checkpoint: ShardCheckpoint) -> ShardCheckpoint:
        start = self._start_of(self._replica.current.keys() - self._put_here.keys())
        if start is None or start == checkpoint.start:
            return checkpoint
        # What had ended by our start may have been open at theirs.
        return replace(checkpoint, start=start, ended=False)

    def _as_known(self, shard_id: str, checkpoint: ShardCheckpoint) -> ShardCheckpoint:
        current = self._replica.current
        if shard_id in self.ended:
            return replace(checkpoint, ended=True)
        if checkpoint.start != TRIM_HORIZON or any(parent in current for parent in checkpoint.parents):
            return checkpoint
        # No parent of it is known: the first start was cut off before it came to this shard.
        return replace(checkpoint, start=self._start_of(current) or checkpoint.start)

    def _outlived(self, shards: Mapping[str, ShardCheckpoint]) -> set[str]:
        """Those of these shards that have no lease any more, and before which others have begun: they were done with."""
        current, found = self._replica.current, set[str]()
        after = [item.checkpoint for item in current.values() if _begun(item)]
        while after:
            parents = {parent for one in after for parent in one.parents if parent in shards and parent not in current}
            after = [shards[parent] for parent in parents - found]
            found |= parents
        return found

    def _start_of(self, shard_ids: Iterable[str]) -> StartAt | None:
        """The time from which the first start read these; None when there is none, or it read everything."""
        current = self._replica.current
        starts = [start for shard_id in shard_ids if (start := current[shard_id].own.start) is not None]
        timed = [start for start in starts if start.timestamp is not None]
        return min(timed, key=lambda start: start.timestamp or 0.0, default=None)

    async def _put(self, shard_id: str, checkpoint: ShardCheckpoint) -> None:
        replica = self._replica
        for _ in range(TRIES):
            at, stale = replica.clock(), replica.items.get(shard_id)
            if stale is not None and replica.is_current(stale):
                return
            item = self._again(shard_id) or new_item(shard_id, checkpoint, replica.stamp)
            try:
                if stale is None:
                    await replica.table.add(item)
                    replica.enter(shard_id, item, at)
                else:
                    replica.enter(shard_id, await self._overwrite(stale, checkpoint), at)
                self._put_here[shard_id] = checkpoint
            except ConditionFailed as failed:
                replica.enter(shard_id, failed.item, at)
            except Unavailable:
                await replica.read(shard_id)
            except AwsError as error:
                raise store_error(error, replica.table.name) from error
        found = replica.items.get(shard_id)
        if found is None or not replica.is_current(found):
            raise StoreUnwritable(f"the lease of shard {shard_id} could not be put into {replica.table.name}")

    def _again(self, shard_id: str) -> Item | None:
        """A lease that this replica knew, and that somebody has deleted: as it was, and free."""
        known = self._replica.gone.get(shard_id)
        if known is None or not self._replica.is_current(known):
            return None
        log.warning(
            "the lease of a shard was deleted: it is put back as it was known last",
            table=self._replica.table.name,
            shard=shard_id,
            done_upto=known.checkpoint.sequence_number,
        )
        return put_back(known)

    async def _overwrite(self, stale: LeaseItem, checkpoint: ShardCheckpoint) -> dict[str, dict[str, object]]:
        """Make a lease of another stream, or one that was reset, a new one."""
        put = new_item(stale.shard_id, checkpoint, self._replica.stamp)
        put[COUNTER] = {"N": str(stale.counter + 1)}
        del put[KEY]
        remove = tuple({*stale.raw, OWNER} - put.keys() - {KEY})
        return await self._replica.table.update(
            stale.shard_id, put=put, remove=remove, expected=expected(stale.counter, stale.owner)
        )

    async def _clear(self, shards: Mapping[str, ShardCheckpoint]) -> None:
        """Delete what is left of another stream, or was reset and is not listed any more."""
        replica = self._replica
        for shard_id, item in list(replica.items.items()):
            if shard_id in shards or replica.is_current(item):
                continue
            at = replica.clock()
            try:
                await replica.table.delete(shard_id, expected=expected(item.counter, item.owner))
                replica.enter(shard_id, None, at)
            except ConditionFailed as failed:
                replica.enter(shard_id, failed.item, at)
            except AwsError as error:
                raise store_error(error, replica.table.name) from error


def _begun(item: LeaseItem) -> bool:
    """Whether it was read, or is to be read from a time at which its parents had ended."""
    kept = item.checkpoint
    return kept.ended or kept.sequence_number is not None or kept.start.kind != TRIM_HORIZON.kind


def _generations(shards: Mapping[str, ShardCheckpoint]) -> list[dict[str, ShardCheckpoint]]:
    """The shards in groups, each after that of their parents."""
    found: list[dict[str, ShardCheckpoint]] = []
    left = dict(shards)
    while left:
        ready = {
            shard_id: checkpoint
            for shard_id, checkpoint in left.items()
            if not any(parent in left and parent != shard_id for parent in checkpoint.parents)
        }
        if not ready:
            ready = dict(left)
        found.append(ready)
        for shard_id in ready:
            del left[shard_id]
    return found
