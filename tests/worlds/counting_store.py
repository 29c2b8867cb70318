"""A checkpoint store that counts its writes, and may be slow or refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from pollers.checkpoints import LeaseLost, MemoryStore, StoreUnwritable
from pollers.checkpoints.store import Opened

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

    from pollers.checkpoints.store import Lease, MappingCheckpoints, ShardCheckpoint


class CountingStore:
    """A store in memory that counts writes and refuses them with ``problem``.

    It says that the lease of ``lost`` is, and that other owners have ``withheld``; ``released`` are those that were given back.
    An end is on its disk ``end_seconds`` before it says so.
    """

    def __init__(self) -> None:
        self.least_interval_seconds = 0.0
        self.inner = MemoryStore()
        self.saves = 0
        self.seconds = 0.002
        self.end_seconds = 0.0
        self.released: list[str] = []
        self.problem: StoreUnwritable | None = None
        self.lost: str | None = None
        self.withheld: set[str] = set()
        self.checkpoints: MappingCheckpoints

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        opened = await self.inner.open(mapping, identity)
        self.checkpoints = opened.checkpoints
        checkpoints: Any = _Counting(opened.checkpoints, self)
        return Opened(checkpoints, opened.fresh, opened.previous_identity, opened.start)

    async def __aenter__(self) -> CountingStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class _Counting:
    def __init__(self, inner: Any, store: CountingStore) -> None:  # noqa: ANN401 - any checkpoints
        self._inner = inner
        self._store = store

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever is not watched
        return getattr(self._inner, name)

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        taken: dict[str, Lease] = await self._inner.take_leases(set(shard_ids) - self._store.withheld)
        return taken

    async def release(self, leases: Collection[Lease]) -> None:
        self._store.released.extend(lease.shard_id for lease in leases)
        await self._inner.release(leases)

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        self._check(lease)
        self._store.saves += 1
        await anyio.sleep(self._store.seconds)
        await self._inner.save(lease, checkpoint)

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        self._check(lease)
        await self._inner.end(lease, checkpoint, children)
        await anyio.sleep(self._store.end_seconds)

    def _check(self, lease: Lease) -> None:
        if self._store.problem is not None:
            raise self._store.problem
        if self._store.lost == lease.shard_id:
            raise LeaseLost("taken")
