"""What goes wrong around a simulated stream mapping: calls that fail or whose replies are lost, a store that refuses, crashes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import CredentialsExpired, IteratorExpired, Throttled, Unavailable
from pollers.checkpoints import MemoryStore, StoreUnwritable
from pollers.checkpoints.store import Opened
from tests.worlds.passing_checkpoints import PassingCheckpoints

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

    from pollers.aws.api import Page, Pushed, ShardListing, Wire
    from pollers.checkpoints.store import CheckpointStore, Lease, MappingCheckpoints, ShardCheckpoint
    from tests.worlds.stream_watch import Watch


class RandomFaults:
    """Faults of a stream's calls; none while it is calm."""

    def __init__(self, watch: Watch, rate: float) -> None:
        self._watch = watch
        self._rate = rate

    async def before(self, operation: str) -> None:
        """Take some time; perhaps fail before anything has happened."""
        chance = self._watch.random
        await anyio.sleep(chance.choice((0.001, 0.02, 0.2)))
        if self._watch.calm or chance.random() >= self._rate:
            return
        if operation == "records" and chance.random() < 0.3:
            raise IteratorExpired("ExpiredIteratorException", "too old, it says")
        raise chance.choice(
            (
                Throttled("ProvisionedThroughputExceededException", "slow down"),
                Unavailable("InternalFailure", "try again"),
                CredentialsExpired("ExpiredTokenException", "expired"),
            )
        )

    async def after(self, operation: str) -> None:
        """Perhaps lose the reply."""
        if not self._watch.calm and self._watch.random.random() < self._rate:
            await anyio.sleep(1.0)
            raise Unavailable("ConnectionClosed", f"the reply of {operation} was lost")


class FalseEnds:
    """Replies that lack what says that the shard goes on, and perhaps their records; none while it is calm.

    ``rate`` is how often such a spell begins; it lasts for some replies. A long one that also took the records from the beginning
    of a shard that has ended could not be told from the end of an empty one. Nor could a page that the service has cut short
    behind the last record read, where it does not tell how much there is behind that: so none of those lies.
    """

    def __init__(self, watch: Watch, rate: float) -> None:
        self._watch = watch
        self._rate = rate
        self._left = 0
        self._truths = 0
        self._short = True

    def page(self, page: Page) -> Page:
        """A reply to GetRecords."""
        untold = page.behind_seconds is None and self._watch.stream.cut_short
        if untold or not self._due():
            return page
        return replace(page, next_iterator=None, children=self._children(), records=self._records(page))

    def event(self, pushed: Pushed) -> Pushed:
        """An event of a subscription."""
        if not self._due():
            return pushed
        return replace(pushed, continuation=None, children=self._children(), records=self._records(pushed))

    def _due(self) -> bool:
        if self._watch.calm:
            return False
        if not self._left and self._truths > 20 and self._watch.random.random() < self._rate:
            self._left, self._truths = self._watch.random.choice((1, 1, 2, 3, 10)), 0
            self._short = self._left < 4
        if not self._left:
            self._truths += 1
            return False
        self._left -= 1
        return True

    def _children(self) -> tuple[ShardListing, ...] | None:
        return self._watch.random.choice((None, ()))

    def _records(self, reply: Page | Pushed) -> list[Wire]:
        return self._watch.random.choice((reply.records, [])) if self._short else reply.records


class Disk:
    """What the store of a simulation is written to: full or slow for a while, and now and then the reply of a write is lost."""

    def __init__(self, watch: Watch, rate: float) -> None:
        self._watch = watch
        self._rate = rate
        self._full_until = self._slow_until = float("-inf")

    async def before(self) -> None:
        """A write begins: it takes its time, or is refused and has not happened."""
        chance, now = self._watch.random, anyio.current_time()
        if self._watch.calm:
            await anyio.sleep(0.001)
            return
        if chance.random() < self._rate / 4:
            self._full_until = now + chance.choice((0.1, 5.0, 60.0))
        if chance.random() < self._rate / 4:
            self._slow_until = now + chance.choice((1.0, 30.0))
        slow = now < self._slow_until
        await anyio.sleep(chance.choice((0.5, 4.0) if slow else (0.0, 0.001, 0.05)))
        if now < self._full_until or chance.random() < self._rate:
            raise StoreUnwritable("the disk is full")

    async def after(self) -> None:
        """A write has happened; perhaps nobody learns of it."""
        chance = self._watch.random
        await anyio.sleep(chance.choice((0.0, 0.01)))
        if not self._watch.calm and chance.random() < self._rate / 2:
            raise StoreUnwritable("the reply was lost")


class WatchedStore:
    """The store of a simulation: checks every checkpoint, on a :class:`Disk`."""

    least_interval_seconds = 0.0

    def __init__(self, watch: Watch, rate: float, inner: CheckpointStore | None = None) -> None:
        self.inner = inner or MemoryStore()
        self._watch = watch
        self._disk = Disk(watch, rate)

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        opened = await self.inner.open(mapping, identity)
        watched = WatchedCheckpoints(opened.checkpoints, self._watch, self._disk)
        return Opened(watched, opened.fresh, opened.previous_identity, opened.start)

    async def __aenter__(self) -> WatchedStore:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.inner.__aexit__(kind, error, traceback)


class WatchedCheckpoints(PassingCheckpoints):
    """One mapping's checkpoints in a :class:`WatchedStore`."""

    def __init__(self, inner: MappingCheckpoints, watch: Watch, disk: Disk) -> None:
        super().__init__(inner)
        self._watch = watch
        self._disk = disk

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """See ``MappingCheckpoints.pin``."""
        await anyio.sleep(0.001)
        self._watch.pin()
        return await self.inner.pin(shards)

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        """See ``MappingCheckpoints.take``."""
        await self._disk.before()
        return await self.inner.take_leases(shard_ids)

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """See ``MappingCheckpoints.save``."""
        await self._disk.before()
        self._watch.check_checkpoint(lease.shard_id, checkpoint, ended=False)
        await self.inner.save(lease, checkpoint)
        self._watch.wrote(lease.shard_id, checkpoint, ended=False)
        await self._disk.after()

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        """See ``MappingCheckpoints.end``."""
        await self._disk.before()
        self._watch.check_checkpoint(lease.shard_id, checkpoint, ended=True)
        await self.inner.end(lease, checkpoint, children)
        self._watch.wrote(lease.shard_id, checkpoint, ended=True)
        await self._disk.after()

    async def forget(self, shard_ids: Collection[str]) -> None:
        """See ``MappingCheckpoints.forget``."""
        await self._disk.before()
        await self.inner.forget(shard_ids)
