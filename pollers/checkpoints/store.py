"""The seam between a stream's engine and where its checkpoints live (docs/design, decision 4).

Leases are fenced, so that a table shared by replicas fits behind this seam as well as a file of one process: every write shows
a :class:`Lease`, and the store refuses one that another has taken. A mapping's checkpoints belong to its name
and to the stream's identity: a stream that was deleted and created again has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio

from pollers.aws.api import StartAt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from types import TracebackType

TRIM_HORIZON = StartAt("TRIM_HORIZON")


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """An unfinished tumbling window: bounds in seconds since the epoch, and the function's last ``state`` as JSON."""

    start: float
    end: float
    state: bytes


@dataclass(frozen=True, slots=True)
class LanesDone:
    """What the lanes of a shard have done above its checkpoint.

    ``upto`` has a position for each lane, or None: every record of that lane up to there is done. Which lane a record
    belongs to follows from its key and the number of lanes (see :mod:`pollers.sources.streams.records`). So these positions say
    everything, however many records they stand for, and stay valid when the number of lanes changes later.
    """

    upto: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class ShardCheckpoint:
    """How far one shard is done.

    ``sequence_number`` is the position of the last record done (records below it are done too), None before the first: the
    source's own text, which only the source can compare (see :mod:`pollers.sources.streams.positions`). ``start`` is where
    reading began, fixed at the first start; it is used as long as nothing is done. ``ended``: every record of the shard is
    done. ``window`` belongs to exactly this sequence number. ``parents`` as the stream listed them. ``ahead``: what is done
    above the sequence number; one entry for each number of lanes that there was.

    ``user_record``: only with a sequence number whose record is an aggregate (of the Kinesis Producer Library), for stores that
    are shared with its Client Library. On the way to the store: the number, from 0, of the aggregate's last user record; all of
    it is done. As it was loaded: the user record up to which another consumer was done, who may have stopped inside of the
    aggregate, so that the record itself must be looked at again. None: the record is done, whatever it is.
    """

    sequence_number: str | None = None
    start: StartAt = TRIM_HORIZON
    ended: bool = False
    window: OpenWindow | None = None
    parents: tuple[str, ...] = ()
    ahead: tuple[LanesDone, ...] = ()
    user_record: int | None = None


class Lease:
    """The right to read one shard and to write its checkpoint, until another takes it: a token, the same one until the release.

    ``lost`` is set when the store learns that another has it. ``wanted`` is set when another owner asks for the shard: whoever
    reads it finishes the batches that run, writes the checkpoint and releases the lease.
    """

    def __init__(self, shard_id: str) -> None:
        self.shard_id = shard_id
        self.lost = anyio.Event()
        self.wanted = anyio.Event()

    @property
    def in_time(self) -> bool:
        """Whether something may be started under it now: it was renewed so lately that nobody else may have taken it."""
        return not self.lost.is_set()

    async def until_in_time(self) -> None:
        """Return when something may be started again, or when the lease is lost. At once for stores that one process owns."""


class MappingCheckpoints(Protocol):
    """The checkpoints of one mapping on one stream.

    Every write is durable when its call returns, and did not happen at all when it raises
    (:class:`~pollers.storage.errors.StoreUnwritable`: try again later;
    :class:`~pollers.checkpoints.errors.LeaseLost`: stop). A write whose caller is cancelled happens whole or not.
    Writes made at the same time share the cost of one.
    """

    async def load(self) -> dict[str, ShardCheckpoint]:
        """Every shard that was pinned and not forgotten, also those whose lease another owner holds."""

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """Write the first checkpoints of these shards, all or none, leaving alone those that have one.

        Returns those that were written as they are given here: another owner may have been first with the others.

        Afterwards the mapping is not fresh any more (even with no shards), and the position of a reset is used up.
        """

    async def take_leases(self, shard_ids: Collection[str]) -> dict[str, Lease]:
        """Take the leases of pinned shards, leaving out those that are not pinned or have another live owner."""

    async def save(self, lease: Lease, checkpoint: ShardCheckpoint) -> None:
        """Move the shard's checkpoint. Raises LeaseLost when ``lease`` is not the current one."""

    async def end(self, lease: Lease, checkpoint: ShardCheckpoint, children: Mapping[str, ShardCheckpoint]) -> None:
        """Mark the shard ended (whatever ``checkpoint.ended`` says) and pin its children, in one step.

        In two steps, a crash between them could lose the children: an ended shard is not read again. Raises LeaseLost as
        ``save`` does.
        """

    async def release(self, leases: Collection[Lease]) -> None:
        """Give up leases, so that other owners need not wait until they expire. Leases that are lost already are skipped.

        A lease that was ``wanted`` goes to whoever asked for it, and is not taken again here meanwhile.
        """

    async def keep(self, changed: Callable[[], Awaitable[None]], trouble: Callable[[str | None], None]) -> None:
        """Keep the leases that are held, and look what other owners do; runs until it is cancelled, or returns when there are none.

        ``changed`` is awaited when there may be something to take, or when other owners have moved the stream on (a shard ended).
        Renewals wait for nothing, also not for ``changed``. ``trouble`` is told why the table does not answer, and None when it
        does again. Raises StoreError for what waiting does not cure.
        """

    def leave(self) -> None:
        """Take nothing any more: the poller stops. Other owners learn that they need not leave anything for this one."""

    async def depart(self) -> None:
        """Leave nothing behind that other owners would have to wait for: called once, when the last lease has been released.

        What this owner has asked for is not asked for any more, and what was given to it meanwhile goes to another. Takes a second
        at most, and raises nothing: where it does not come about, the others need a little longer.
        """

    def elsewhere(self, shard_ids: Collection[str]) -> frozenset[str]:
        """Those of these shards that another live owner reads, as far as is known."""

    async def forget(self, shard_ids: Collection[str]) -> None:
        """Drop the checkpoints of shards that the stream no longer lists and whose children need not wait for them."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A mapping's checkpoints, and how the store found them.

    ``fresh``: nothing was ever pinned on this stream; the starting position must be pinned. ``previous_identity``:
    fresh, and the mapping has read another stream (or an earlier one of the same name) before. ``start``: the position
    of ``headrace checkpoints reset --to``, used in place of the configured one when a fresh mapping is pinned.
    ``counts_user_records``: the store wants to be told of aggregates, as ``ShardCheckpoint.user_record``.
    ``window_state_bytes``: how large a window's state may be for the store, None where it may have any size.
    ``adopted``: shards whose checkpoints another consumer wrote (the Kinesis Client Library), as it numbers records.
    ``shared``: other owners may have shards, and be asked for them.
    """

    checkpoints: MappingCheckpoints
    fresh: bool
    previous_identity: str | None = None
    start: StartAt | None = None
    counts_user_records: bool = False
    window_state_bytes: int | None = None
    adopted: frozenset[str] = frozenset()
    shared: bool = False


class CheckpointStore(Protocol):
    """Where checkpoints live. Entered before any mapping starts and left after all have stopped (``async with``).

    Entering raises :class:`~pollers.storage.errors.StoreBusy`,
    :class:`~pollers.storage.errors.StoreUnreadable` or :class:`~pollers.storage.errors.StoreUnwritable`.
    """

    @property
    def least_interval_seconds(self) -> float:
        """Least time between two writes of a mapping, for stores whose writes cost money; 0: each is made at once.

        What a crash repeats grows with it (see docs/streams.md).
        """

    async def open(self, mapping: str, identity: str) -> Opened:
        """The checkpoints of ``mapping`` on the stream of this ``identity``.

        Opening a mapping again fences what was opened before: its leases are lost (a replaced poller cannot write).
        """

    async def __aenter__(self) -> CheckpointStore: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class SoleOwner:
    """What ``MappingCheckpoints`` of stores that one process owns have in common: nobody else takes leases."""

    async def keep(self, changed: Callable[[], Awaitable[None]], trouble: Callable[[str | None], None]) -> None:
        """See ``MappingCheckpoints.keep``: there is nothing to keep."""

    def leave(self) -> None:
        """See ``MappingCheckpoints.leave``: nobody needs to know."""

    async def depart(self) -> None:
        """See ``MappingCheckpoints.depart``: there is nothing to leave behind."""

    def elsewhere(self, shard_ids: Collection[str]) -> frozenset[str]:
        """See ``MappingCheckpoints.elsewhere``."""
        return frozenset()


class CountedLease(Lease):
    """A lease whose counter is fixed when it is taken: every write must find it unchanged. ``owner`` is for people."""

    def __init__(self, shard_id: str, owner: str, counter: int) -> None:
        super().__init__(shard_id)
        self.owner = owner
        self.counter = counter


def counter_of(lease: Lease) -> int:
    """The counter of a lease from a store that one process owns. Raises TypeError for another store's."""
    if not isinstance(lease, CountedLease):
        raise TypeError(f"{lease!r} is another store's")
    return lease.counter


class ForgettingStore(CheckpointStore, Protocol):
    """A store whose mappings come and go while it is open."""

    async def forget(self, mapping: str) -> None:
        """Drop all that is kept of ``mapping``, on whatever stream. For a mapping that has ended and does not come back."""
