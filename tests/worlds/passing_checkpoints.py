"""Checkpoints in front of others: what a test watches, counts or breaks is overridden, everything else passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from pollers.checkpoints.store import Lease, MappingCheckpoints, ShardCheckpoint


class PassingCheckpoints:
    """Implements ``MappingCheckpoints`` by ``inner``."""

    def __init__(self, inner: MappingCheckpoints) -> None:
        self.inner = inner

    async def load(self) -> dict[str, ShardCheckpoint]:
        """See ``MappingCheckpoints.load``."""
        return await self.inner.load()

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """See ``MappingCheckpoints.pin``."""
        return await self.inner.pin(shards)

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        """See ``MappingCheckpoints.take_leases``."""
        return await self.inner.take_leases(shard_ids)

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """See ``MappingCheckpoints.save``."""
        await self.inner.save(lease, checkpoint)

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        """See ``MappingCheckpoints.end``."""
        await self.inner.end(lease, checkpoint, children)

    async def release(self, leases: Collection[Lease]) -> None:
        """See ``MappingCheckpoints.release``."""
        await self.inner.release(leases)

    async def keep(self, changed: Callable[[], Awaitable[None]], trouble: Callable[[str | None], None]) -> None:
        """See ``MappingCheckpoints.keep``."""
        await self.inner.keep(changed, trouble)

    def leave(self) -> None:
        """See ``MappingCheckpoints.leave``."""
        self.inner.leave()

    async def depart(self) -> None:
        """See ``MappingCheckpoints.depart``."""
        await self.inner.depart()

    def elsewhere(self, shard_ids: Collection[str]) -> frozenset[str]:
        """See ``MappingCheckpoints.elsewhere``."""
        return self.inner.elsewhere(shard_ids)

    async def forget(self, shard_ids: Collection[str]) -> None:
        """See ``MappingCheckpoints.forget``."""
        await self.inner.forget(shard_ids)
