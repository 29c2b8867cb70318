"""A checkpoint store that several replicas share, in memory: who has which shard, who asks for one, and whose lease is in time.

Only as much as the engine can tell: no clock, no requests. Leases expire, are asked for and fall out of time when a test says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.store import Lease, Opened, ShardCheckpoint
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from types import TracebackType


class HeldLease(Lease):
    """A lease whose time a test sets, with :meth:`renew` and :meth:`fall_behind`."""

    def __init__(self, shard_id: str, counter: int) -> None:
        super().__init__(shard_id)
        self.counter = counter
        self._renewed = anyio.Event()
        self._renewed.set()

    @property
    def in_time(self) -> bool:
        """See ``Lease.in_time``."""
        return self._renewed.is_set() and not self.lost.is_set()

    async def until_in_time(self) -> None:
        """See ``Lease.until_in_time``."""
        async with anyio.create_task_group() as either:

            async def wait(event: anyio.Event) -> None:
                await event.wait()
                either.cancel_scope.cancel()

            either.start_soon(wait, self._renewed)
            either.start_soon(wait, self.lost)

    def fall_behind(self) -> None:
        """It could not be renewed."""
        self._renewed = anyio.Event()

    def renew(self) -> None:
        """It is renewed again."""
        self._renewed.set()


@dataclass(slots=True)
class Row:
    """One shard: who has it, how often that changed, and who asks for it."""

    checkpoint: ShardCheckpoint
    owner: str | None = None
    counter: int = 0
    asked_by: str | None = None
    named: str | None = None
    lease: HeldLease | None = None


class SharedTable:
    """What the replicas share. ``counts_user_records``: see ``Opened``; ``takes`` and ``written`` are what was asked and saved."""

    def __init__(self, *, counts_user_records: bool = False) -> None:
        self.rows: dict[str, Row] = {}
        self.counts_user_records = counts_user_records
        self.pinned = False
        self.takes: list[tuple[str, tuple[str, ...]]] = []
        self.written: list[tuple[str, str, ShardCheckpoint]] = []
        self.left: list[str] = []
        self.departed: list[str] = []
        self.problem: Exception | None = None
        self._changed = anyio.Event()

    def replica(self, owner: str, most: int = 1_000_000) -> SharedStore:
        """The store as one replica has it, which takes ``most`` shards at most."""
        return SharedStore(self, owner, most)

    def lease(self, shard_id: str) -> HeldLease:
        """The lease of a shard that somebody has."""
        lease = self.rows[shard_id].lease
        assert lease is not None
        return lease

    def ask(self, shard_id: str, by: str) -> None:
        """Another replica asks for a shard."""
        self.rows[shard_id].asked_by = by
        self.lease(shard_id).wanted.set()

    def expire(self, shard_id: str) -> None:
        """The owner does not renew it, and nobody tells the owner."""
        self.rows[shard_id].owner = None
        self.change()

    def change(self) -> None:
        """Every replica looks again."""
        self._changed.set()
        self._changed = anyio.Event()

    async def changed(self) -> None:
        """Wait for a change."""
        await self._changed.wait()


class SharedCheckpoints:
    """Implements ``MappingCheckpoints`` for one replica."""

    def __init__(self, table: SharedTable, owner: str, most: int) -> None:
        self._table = table
        self._owner = owner
        self._most = most
        self._leaving = False

    async def load(self) -> dict[str, ShardCheckpoint]:
        """See ``MappingCheckpoints.load``."""
        await anyio.sleep(0.01)
        return {shard_id: row.checkpoint for shard_id, row in self._table.rows.items()}

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """See ``MappingCheckpoints.pin``."""
        await self._write()
        new = frozenset(shards.keys() - self._table.rows.keys())
        self._add(shards)
        self._table.pinned = True
        return new

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        """See ``MappingCheckpoints.take_leases``."""
        table = self._table
        table.takes.append((self._owner, tuple(shard_ids)))
        await anyio.sleep(0.01)
        taken: dict[str, Lease] = {}
        for shard_id in shard_ids:
            row = table.rows.get(shard_id)
            if row is None or row.owner is not None or row.named not in (None, self._owner) or self._leaving:
                continue
            if sum(other.owner == self._owner for other in table.rows.values()) >= self._most:
                break
            row.owner, row.named, row.asked_by = self._owner, None, None
            row.counter += 1
            taken[shard_id] = row.lease = HeldLease(shard_id, row.counter)
        return taken

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """See ``MappingCheckpoints.save``."""
        await self._write()
        self._require(lease).checkpoint = checkpoint
        self._table.written.append((self._owner, lease.shard_id, checkpoint))

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        """See ``MappingCheckpoints.end``."""
        await self._write()
        self._require(lease).checkpoint = replace(checkpoint, ended=True)
        self._add(children)
        self._table.change()

    async def release(self, leases: Collection[Lease]) -> None:
        """See ``MappingCheckpoints.release``."""
        await self._write()
        for lease in leases:
            row = self._table.rows[lease.shard_id]
            if row.lease is lease and row.owner == self._owner:
                row.owner, row.lease, row.named, row.asked_by = None, None, row.asked_by, None
        self._table.change()

    async def keep(self, changed: Callable[[], Awaitable[None]], trouble: Callable[[str | None], None]) -> None:
        """See ``MappingCheckpoints.keep``."""
        while True:
            await self._table.changed()
            await changed()

    def leave(self) -> None:
        """See ``MappingCheckpoints.leave``."""
        if not self._leaving:
            self._table.left.append(self._owner)
        self._leaving = True

    async def depart(self) -> None:
        """See ``MappingCheckpoints.depart``."""
        self._table.departed.append(self._owner)

    def elsewhere(self, shard_ids: Collection[str]) -> frozenset[str]:
        """See ``MappingCheckpoints.elsewhere``."""
        rows = self._table.rows
        mine = (None, self._owner)
        return frozenset(one for one in shard_ids if one in rows and rows[one].owner not in mine)

    async def forget(self, shard_ids: Collection[str]) -> None:
        """See ``MappingCheckpoints.forget``."""
        for shard_id in shard_ids:
            self._table.rows.pop(shard_id, None)

    def _add(self, shards: Mapping[str, ShardCheckpoint]) -> None:
        for shard_id, checkpoint in shards.items():
            self._table.rows.setdefault(shard_id, Row(checkpoint))

    async def _write(self) -> None:
        await anyio.sleep(0.01)
        if self._table.problem is not None:
            raise self._table.problem

    def _require(self, lease: Lease) -> Row:
        row = self._table.rows[lease.shard_id]
        if row.lease is not lease or row.owner != self._owner:
            raise LeaseLost(f"the lease of shard {lease.shard_id} was taken by another owner")
        return row


class SharedStore:
    """Implements ``CheckpointStore`` for one replica."""

    least_interval_seconds = 0.0

    def __init__(self, table: SharedTable, owner: str, most: int) -> None:
        self._table = table
        self._owner = owner
        self._most = most

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``: takes no lease of anybody's."""
        checkpoints = SharedCheckpoints(self._table, self._owner, self._most)
        return Opened(
            checkpoints,
            fresh=not self._table.pinned,
            counts_user_records=self._table.counts_user_records,
            shared=True,
        )

    async def __aenter__(self) -> SharedStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


REFUSED = StoreUnwritable("the table is throttled")
