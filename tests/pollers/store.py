"""A checkpoint store that tells a witness of every checkpoint when it has been written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tests.worlds.passing_checkpoints import PassingCheckpoints

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from pollers.checkpoints.store import CheckpointStore, Lease, MappingCheckpoints, Opened, ShardCheckpoint


class Witness(Protocol):
    """Told that a checkpoint has been written."""

    def __call__(self, shard_id: str, checkpoint: ShardCheckpoint, *, ended: bool) -> None: ...


class WitnessedStore:
    """A :class:`pollers.checkpoints.store.CheckpointStore` in front of another."""

    def __init__(self, inner: CheckpointStore, witness: Witness) -> None:
        self.least_interval_seconds = 0.0
        self._inner = inner
        self._witness = witness

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        opened = await self._inner.open(mapping, identity)
        return replace(opened, checkpoints=_Checkpoints(opened.checkpoints, self._witness))

    async def __aenter__(self) -> WitnessedStore:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(kind, error, traceback)


class _Checkpoints(PassingCheckpoints):
    """One mapping's checkpoints."""

    def __init__(self, inner: MappingCheckpoints, witness: Witness) -> None:
        super().__init__(inner)
        self._witness = witness

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """See ``MappingCheckpoints.save``."""
        await self.inner.save(lease, checkpoint)
        self._witness(lease.shard_id, checkpoint, ended=False)

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        """See ``MappingCheckpoints.end``."""
        await self.inner.end(lease, checkpoint, children)
        self._witness(lease.shard_id, checkpoint, ended=True)
