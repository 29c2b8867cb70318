"""The seam between a stream's engine and where its checkpoints live (docs/design, decision 4).

Leases are fenced, so that a table shared by replicas fits behind this seam as well as a file of one process: every write shows
a :class:`Lease`, and the store refuses a lease whose counter is not the current one. A mapping's checkpoints belong to its name
and to the stream's identity: a stream that was deleted and created again has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio

from pollers.aws.api import StartAt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
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
    """

    sequence_number: str | None = None
    start: StartAt = TRIM_HORIZON
    ended: bool = False
    window: OpenWindow | None = None
    parents: tuple[str, ...] = ()
    ahead: tuple[LanesDone, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """The right to write one shard's checkpoint until another takes it; ``lost`` is set when the store learns so."""

    shard_id: str
    owner: str
    counter: int
    lost: anyio.Event = field(default_factory=anyio.Event, repr=False)


class MappingCheckpoints(Protocol):
    """The checkpoints of one mapping on one stream.

    Every write is durable when its call returns, and did not happen at all when it raises
    (:class:`~pollers.storage.errors.StoreUnwritable`: try again later;
    :class:`~pollers.checkpoints.errors.LeaseLost`: stop). A write whose caller is cancelled happens whole or not.
    Writes made at the same time share the cost of one.
    """

    async def load(self) -> dict[str, ShardCheckpoint]:
        """Every shard that was pinned and not forgotten, also those whose lease another owner holds."""

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> None:
        """Write the first checkpoints of these shards, all or none, leaving alone those that have one.

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
        """Give up leases, so that other owners need not wait until they expire. Leases that are lost already are skipped."""

    async def forget(self, shard_ids: Collection[str]) -> None:
        """Drop the checkpoints of shards that the stream no longer lists and whose children need not wait for them."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A mapping's checkpoints, and how the store found them.

    ``fresh``: nothing was ever pinned on this stream; the starting position must be pinned. ``previous_identity``:
    fresh, and the mapping has read another stream (or an earlier one of the same name) before. ``start``: the position
    of ``headrace checkpoints reset --to``, used in place of the configured one when a fresh mapping is pinned.
    """

    checkpoints: MappingCheckpoints
    fresh: bool
    previous_identity: str | None = None
    start: StartAt | None = None


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


class ForgettingStore(CheckpointStore, Protocol):
    """A store whose mappings come and go while it is open."""

    async def forget(self, mapping: str) -> None:
        """Drop all that is kept of ``mapping``, on whatever stream. For a mapping that has ended and does not come back."""
