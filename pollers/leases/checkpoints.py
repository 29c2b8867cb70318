"""One mapping's checkpoints in a lease table that replicas share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.checkpoints.errors import LeaseLost
from pollers.leases.adopting import adopted
from pollers.leases.errors import store_error
from pollers.leases.items import PENDING, STATE_LIMIT_BYTES, children_of, expected, progress
from pollers.leases.owning import give, save
from pollers.leases.table import ConditionFailed
from pollers.leases.taking import take_lease
from pollers.leases.token import SharedLease
from pollers.storage.errors import StoreError, StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from pollers.checkpoints.store import Lease, ShardCheckpoint
    from pollers.leases.items import LeaseItem
    from pollers.leases.keeper import Keeper
    from pollers.leases.leases import Take
    from pollers.leases.pinning import Pinning
    from pollers.leases.replica import Change, Replica

log = structlog.stdlib.get_logger(__name__)

LOOKED_SECONDS = 2.0
"""How old a look at the whole table may be to load from it."""


class SharedCheckpoints:
    """Implements ``MappingCheckpoints`` for one replica."""

    def __init__(self, replica: Replica, pinning: Pinning, keeper: Keeper) -> None:
        self._replica = replica
        self._pinning = pinning
        self._keeper = keeper

    async def load(self) -> dict[str, ShardCheckpoint]:
        """See ``MappingCheckpoints.load``. What is held here is as it was written last."""
        replica = self._replica
        if replica.clock() > replica.looked_at + LOOKED_SECONDS:
            await replica.look()
        return {shard_id: item.checkpoint for shard_id, item in replica.current.items()}

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """See ``MappingCheckpoints.pin``. Not in one step: parents come first, and what a crash leaves out is pinned later."""
        return await self._pinning.pin(shards)

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        """See ``MappingCheckpoints.take_leases``: no more than falls to this replica."""
        taken: dict[str, Lease] = {}
        again = True
        while again and not self._replica.leases.leaving:
            takes = self._held(shard_ids, taken) + self._replica.leases.takes(shard_ids) + self._ended(shard_ids)
            takes = [take for take in takes if take.shard_id not in taken]
            before = len(taken)
            async with anyio.create_task_group() as group:
                for take in takes:
                    group.start_soon(self._take, take, taken)
            again = bool(takes) and len(taken) == before + len(takes)
        return taken

    def _held(self, shard_ids: Collection[str], taken: Mapping[str, Lease]) -> list[Take]:
        """Leases that are mine already: whoever takes one again is its reader, and the one before is not."""
        mine = self._replica.leases.mine
        return [self._keeper.take_of(shard_id) for shard_id in shard_ids if shard_id in mine and shard_id not in taken]

    def _ended(self, shard_ids: Collection[str]) -> list[Take]:
        """Leases of shards whose ends are to be taken back."""
        items = self._replica.items
        return [
            self._keeper.take_of(shard_id)
            for shard_id in shard_ids
            if shard_id in items
            and shard_id not in self._pinning.ended
            and items[shard_id].checkpoint.ended
            and items[shard_id].seen.holder is None
        ]

    async def _take(self, take: Take, taken: dict[str, Lease]) -> None:
        replica = self._replica
        try:
            lease = await take_lease(replica, take, lambda item: adopted(item, replica.stamp, self._pinning.wall))
        except StoreUnwritable as error:
            log.debug("a lease could not be taken", shard=take.shard_id, error=str(error))
            return
        if lease is not None:
            taken[take.shard_id] = lease

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """See ``MappingCheckpoints.save``. Renews the lease as well."""
        self._refuse_large(checkpoint)
        await save(self._replica, _shared(lease), lambda item: self._moved(item, checkpoint))

    def _moved(self, item: LeaseItem, checkpoint: ShardCheckpoint) -> Change:
        kept, text = item.checkpoint, None
        if (
            checkpoint.sequence_number is None
            and kept.sequence_number is None
            and not checkpoint.ended
            and not kept.ended
        ):
            # Nothing is done: the beginning stays in the words in which it was written.
            text = item.raw["checkpoint"]["S"]
        return progress(checkpoint, self._replica.stamp, text=text), PENDING

    def _refuse_large(self, checkpoint: ShardCheckpoint) -> None:
        if checkpoint.window is not None and len(checkpoint.window.state) > STATE_LIMIT_BYTES:
            raise StoreError(
                f"the state of a tumbling window has {len(checkpoint.window.state)} bytes, at most {STATE_LIMIT_BYTES} fit into "
                f"an item of {self._replica.table.name}: keep less in it, or keep checkpoints in sqlite:PATH"
            )

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        """See ``MappingCheckpoints.end``. In two steps, the children first: each may be repeated, and a child waits for its parent.

        The lease is given up with it.
        """
        token, replica = _shared(lease), self._replica
        if replica.tokens.get(token.shard_id) is not token:
            raise LeaseLost(f"the lease of shard {token.shard_id} was taken by another owner, or given up")
        await self._pinning.add(children)
        put = progress(replace(checkpoint, ended=True), replica.stamp)
        await give(replica, token, (put | children_of(children), PENDING))

    async def release(self, leases: Collection[Lease]) -> None:
        """See ``MappingCheckpoints.release``. Each is given to a live replica by name, where there is one."""
        async with anyio.create_task_group() as group:
            refused: list[StoreUnwritable] = []
            for lease in leases:
                group.start_soon(self._release, _shared(lease), refused)
        if refused:
            raise refused[0]

    async def _release(self, token: SharedLease, refused: list[StoreUnwritable]) -> None:
        replica = self._replica
        if replica.tokens.get(token.shard_id) is not token:
            return
        item = replica.items.get(token.shard_id)
        to = None if item is not None and item.checkpoint.ended else replica.leases.successor(token.shard_id)
        try:
            await give(replica, token, to=to)
        except LeaseLost:
            return
        except StoreUnwritable as error:
            replica.leases.keeps(token.shard_id)
            refused.append(error)
            return
        token.lose()

    async def keep(self, changed: Callable[[], Awaitable[None]], trouble: Callable[[str | None], None]) -> None:
        """See ``MappingCheckpoints.keep``. Raises OwnersElsewhere for consumers that are not Headrace and that are at work."""
        await self._keeper.run(changed, trouble)

    def leave(self) -> None:
        """See ``MappingCheckpoints.leave``."""
        self._keeper.leave()

    async def depart(self) -> None:
        """See ``MappingCheckpoints.depart``."""
        await self._keeper.depart()

    def elsewhere(self, shard_ids: Collection[str]) -> frozenset[str]:
        """See ``MappingCheckpoints.elsewhere``."""
        return self._replica.leases.elsewhere(shard_ids)

    async def forget(self, shard_ids: Collection[str]) -> None:
        """See ``MappingCheckpoints.forget``. Leases that another live owner has are left alone, until a later time.

        So are those of shards that have ended lately: a replica that has not seen the end when the lease goes takes it for deleted
        by hand, and puts it back.
        """
        replica = self._replica
        known = frozenset(shard_ids) & replica.items.keys() - replica.leases.elsewhere(shard_ids)
        unseen = {name for name in known if replica.items[name].checkpoint.ended and not replica.leases.quiet(name)}
        for shard_id in sorted(known - unseen):
            at, item = replica.clock(), replica.items[shard_id]
            try:
                await replica.table.delete(shard_id, expected=expected(item.counter, item.owner))
            except ConditionFailed as failed:
                replica.enter(shard_id, failed.item, at)
            except AwsError as error:
                raise store_error(error, replica.table.name) from error
            else:
                replica.enter(shard_id, None, at)

    def fence(self) -> None:
        """No lease of this opening counts any more."""
        for token in list(self._replica.tokens.values()):
            token.lose()
        self._replica.tokens.clear()


def _shared(lease: Lease) -> SharedLease:
    if not isinstance(lease, SharedLease):
        raise TypeError(f"{lease!r} is another store's")
    return lease
