"""Checkpoints in memory: for tests and simulations, with the fencing of the real stores.

What was written is still there when the store is entered again, as with a file: a simulated crash loses only the leases.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.store import CountedLease, Lease, Opened, ShardCheckpoint, SoleOwner
from pollers.storage.errors import StoreBusy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

    from pollers.aws.api import StartAt


@dataclass(slots=True)
class _Stream:
    """One mapping on one stream."""

    pinned: bool = False
    shards: dict[str, ShardCheckpoint] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Mapping:
    """One mapping over all streams that it has read; the newest is the last."""

    streams: dict[str, _Stream] = field(default_factory=dict)
    reset_to: StartAt | None = None
    openings: int = 0


class MemoryCheckpoints(SoleOwner):
    """A mapping's checkpoints in memory; implements ``MappingCheckpoints``."""

    def __init__(self, mapping: _Mapping, stream: _Stream, owner: str) -> None:
        self._mapping = mapping
        self._stream = stream
        self._owner = owner

    async def load(self) -> dict[str, ShardCheckpoint]:
        """See ``MappingCheckpoints.load``."""
        return dict(self._stream.shards)

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """See ``MappingCheckpoints.pin``."""
        new = frozenset(shards.keys() - self._stream.shards.keys())
        self._add(shards)
        self._stream.pinned = True
        self._mapping.reset_to = None
        return new

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        """See ``MappingCheckpoints.take_leases``."""
        stream = self._stream
        taken: dict[str, Lease] = {}
        for shard_id in shard_ids:
            if shard_id in stream.shards:
                _revoke(stream, shard_id)
                stream.counters[shard_id] = stream.counters.get(shard_id, 0) + 1
                taken[shard_id] = stream.leases[shard_id] = CountedLease(
                    shard_id, self._owner, stream.counters[shard_id]
                )
        return taken

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """See ``MappingCheckpoints.save``."""
        self._require(lease)
        self._stream.shards[lease.shard_id] = checkpoint

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        """See ``MappingCheckpoints.end``."""
        self._require(lease)
        self._stream.shards[lease.shard_id] = replace(checkpoint, ended=True)
        self._add(children)

    async def release(self, leases: Collection[Lease]) -> None:
        """See ``MappingCheckpoints.release``."""
        for lease in leases:
            if self._stream.leases.get(lease.shard_id) is lease:
                _revoke(self._stream, lease.shard_id)

    async def forget(self, shard_ids: Collection[str]) -> None:
        """See ``MappingCheckpoints.forget``."""
        for shard_id in shard_ids:
            _revoke(self._stream, shard_id)
            self._stream.shards.pop(shard_id, None)

    def _add(self, shards: Mapping[str, ShardCheckpoint]) -> None:
        for shard_id, checkpoint in shards.items():
            self._stream.shards.setdefault(shard_id, checkpoint)

    def _require(self, lease: Lease) -> None:
        if self._stream.leases.get(lease.shard_id) is not lease:
            raise LeaseLost(f"the lease of shard {lease.shard_id} was taken by another owner")


class MemoryStore:
    """Checkpoints in memory; implements ``CheckpointStore``."""

    least_interval_seconds = 0.0

    def __init__(self) -> None:
        self._mappings: dict[str, _Mapping] = {}
        self._entered = False

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        held = self._mappings.setdefault(mapping, _Mapping())
        held.openings += 1
        for stream in held.streams.values():
            _revoke_all(stream)
        earlier = [other for other, stream in held.streams.items() if other != identity and stream.pinned]
        stream = held.streams.pop(identity, _Stream())
        held.streams[identity] = stream
        checkpoints = MemoryCheckpoints(held, stream, f"memory-{held.openings}")
        if stream.pinned:
            return Opened(checkpoints, fresh=False)
        return Opened(checkpoints, fresh=True, previous_identity=earlier[-1] if earlier else None, start=held.reset_to)

    async def forget(self, mapping: str) -> None:
        """See ``ForgettingStore.forget``."""
        forgotten = self._mappings.pop(mapping, None)
        for stream in forgotten.streams.values() if forgotten is not None else ():
            _revoke_all(stream)

    async def __aenter__(self) -> MemoryStore:
        if self._entered:
            raise StoreBusy("the store in memory has been entered already")
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered = False
        for mapping in self._mappings.values():
            for stream in mapping.streams.values():
                _revoke_all(stream)


def _revoke(stream: _Stream, shard_id: str) -> None:
    lease = stream.leases.pop(shard_id, None)
    if lease is not None:
        lease.lost.set()


def _revoke_all(stream: _Stream) -> None:
    for shard_id in list(stream.leases):
        _revoke(stream, shard_id)
