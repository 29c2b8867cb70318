"""Checkpoints in one SQLite file, written by one process (the default store)."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pollers.checkpoints import openings, rows
from pollers.checkpoints.errors import LeaseLost
from pollers.checkpoints.session import SqliteSession
from pollers.checkpoints.store import CountedLease, Lease, Opened, ShardCheckpoint, SoleOwner, counter_of
from pollers.clocks.clock import Clock, SystemClock
from pollers.storage.errors import StoreError
from pollers.storage.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from types import TracebackType


class _Leases:
    """The leases that this process believes to hold, by stream and shard."""

    def __init__(self) -> None:
        self._held: dict[int, dict[str, Lease]] = {}

    def grant(self, stream: int, lease: Lease) -> Lease:
        """Enter ``lease`` in the place of an earlier one."""
        self.revoke(stream, (lease.shard_id,))
        self._held.setdefault(stream, {})[lease.shard_id] = lease
        return lease

    def revoke(self, stream: int, shard_ids: Iterable[str] | None = None) -> None:
        """Tell the holders of these shards' leases (None: of all) that they have lost them."""
        held = self._held.get(stream, {})
        for shard_id in list(held if shard_ids is None else shard_ids):
            lease = held.pop(shard_id, None)
            if lease is not None:
                lease.lost.set()

    def revoke_all(self) -> None:
        """Tell every holder."""
        for stream in self._held:
            self.revoke(stream)


class SqliteCheckpoints(SoleOwner):
    """One mapping's checkpoints on one stream; implements ``MappingCheckpoints``."""

    def __init__(self, writer: Writer, leases: _Leases, clock: Clock, stream: int, owner: str) -> None:
        self._writer = writer
        self._leases = leases
        self._clock = clock
        self._stream = stream
        self._owner = owner

    async def load(self) -> dict[str, ShardCheckpoint]:
        """See ``MappingCheckpoints.load``."""
        return await self._writer.call(partial(rows.load, stream=self._stream))

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """See ``MappingCheckpoints.pin``."""
        return await self._writer.call(
            partial(rows.pin, stream=self._stream, shards=dict(shards), now=self._clock.time())
        )

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        """See ``MappingCheckpoints.take_leases``."""
        take = partial(rows.take_leases, stream=self._stream, shard_ids=tuple(shard_ids), owner=self._owner)
        counters = await self._writer.call(take)
        return {
            shard_id: self._leases.grant(self._stream, CountedLease(shard_id, self._owner, counter))
            for shard_id, counter in counters.items()
        }

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """See ``MappingCheckpoints.save``."""
        await self._write(lease, checkpoint, {})

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        """See ``MappingCheckpoints.end``."""
        await self._write(lease, replace(checkpoint, ended=True), dict(children))

    async def release(self, leases: Collection[Lease]) -> None:
        """See ``MappingCheckpoints.release``."""
        counters = {lease.shard_id: counter_of(lease) for lease in leases if not lease.lost.is_set()}
        await self._writer.call(partial(rows.release, stream=self._stream, counters=counters))
        self._leases.revoke(self._stream, counters)

    async def forget(self, shard_ids: Collection[str]) -> None:
        """See ``MappingCheckpoints.forget``."""
        forgotten = tuple(shard_ids)
        await self._writer.call(partial(rows.forget, stream=self._stream, shard_ids=forgotten))
        self._leases.revoke(self._stream, forgotten)

    async def _write(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        if lease.lost.is_set():
            raise LeaseLost(f"the lease of shard {lease.shard_id} was taken by another owner")
        save = partial(
            rows.save_and_add,
            stream=self._stream,
            shard_id=lease.shard_id,
            counter=counter_of(lease),
            checkpoint=checkpoint,
            children=children,
            now=self._clock.time(),
        )
        try:
            await self._writer.call(save)
        except LeaseLost:
            self._leases.revoke(self._stream, (lease.shard_id,))
            raise


class SqliteStore:
    """One file; implements ``CheckpointStore``. Its folder is made where there is none.

    All I/O is done by a thread, in transactions that concurrent writers share: the event loop never waits for the disk.
    """

    least_interval_seconds = 0.0

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._path = Path(os.path.realpath(path))
        self._clock = clock or SystemClock()
        self._writer: Writer | None = None
        self._leases = _Leases()
        self._streams: dict[str, set[int]] = {}

    @property
    def path(self) -> Path:
        """The file, links resolved: two names of one file have one lock."""
        return self._path

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        if self._writer is None:
            raise StoreError(f"{self._path} is not open")
        now = self._clock.time()
        find = partial(openings.open_stream, mapping=mapping, identity=identity, now=now)
        opening = await self._writer.call(find)
        streams = self._streams.setdefault(mapping, set())
        for stream in streams:
            self._leases.revoke(stream)  # the transaction has fenced them; this tells their holders at once
        streams.add(opening.stream)
        owner = f"process {os.getpid()}, opening {opening.number}"
        checkpoints = SqliteCheckpoints(self._writer, self._leases, self._clock, opening.stream, owner)
        return Opened(checkpoints, opening.fresh, opening.previous_identity, opening.start)

    async def forget(self, mapping: str) -> None:
        """See ``ForgettingStore.forget``."""
        if self._writer is None:
            raise StoreError(f"{self._path} is not open")
        await self._writer.call(partial(openings.forget_mapping, mapping=mapping))
        for stream in self._streams.pop(mapping, ()):
            self._leases.revoke(stream)

    async def __aenter__(self) -> SqliteStore:
        if self._writer is not None:
            raise StoreError(f"{self._path} has been entered already")
        writer = Writer(SqliteSession(self._path), f"checkpoints {self._path.name}")
        await writer.start()
        self._writer = writer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.stop()
        self._leases.revoke_all()
