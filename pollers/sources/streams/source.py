"""The seam between the stream engine and a stream source: all that kinds of streams do differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from pollers.aws.api import Page, Pushed, ShardListing, StartAt, StreamDescription, Wire
    from pollers.aws.errors import AwsError
    from pollers.clocks.service import ServiceClock
    from pollers.destinations import BatchInfoForm
    from pollers.engine.batching import Envelope
    from pollers.events.encoding import PageEncoder
    from pollers.sources.streams.pacing import Pace
    from pollers.sources.streams.positions import Positions


class StreamSource(Protocol):
    """One stream, for one mapping. Calls raise :class:`pollers.aws.errors.AwsError`.

    Columns of records line up with the records asked about.
    """

    @property
    def batch_info(self) -> BatchInfoForm:
        """How on-failure records tell of its batches."""

    @property
    def arn(self) -> str:
        """The mapping's ARN, as events and on-failure records name the source."""

    @property
    def pace(self) -> Pace:
        """How fast it may be read."""

    @property
    def positions(self) -> Positions:
        """How the positions of records compare."""

    @property
    def envelope(self) -> Envelope:
        """What stands around the records in an event."""

    @property
    def fan_out(self) -> bool:
        """Whether shards are subscribed to instead of polled."""

    @property
    def starts_at_timestamps(self) -> bool:
        """Whether reading can begin at a time; if not, it begins at the trim horizon and older records are passed over."""

    @property
    def service_clock(self) -> ServiceClock:
        """What time it is for the service, by its own replies."""

    @property
    def iterators_last(self) -> bool:
        """Whether an iterator can be used again after a call with it has failed. If not, it is made anew at the first failure."""

    async def describe(self) -> StreamDescription:
        """The stream's identity and status."""

    async def shards(self) -> list[ShardListing]:
        """Every shard that the stream lists."""

    async def iterator(self, shard_id: str, start: StartAt) -> str:
        """A shard iterator."""

    async def records(self, iterator: str, limit: int) -> Page:
        """The next records."""

    async def tip(self, shard_id: str) -> StartAt | None:
        """The position at which the shard ends now, where the source can name one; None: LATEST is kept as a time.

        Called at a mapping's first start at LATEST, before anything is read. What comes behind the position is read, also after a
        restart. The kind is AFTER_SEQUENCE_NUMBER. Of several replicas that start first together, the one that pins a shard first
        decides for that shard: a source of several shards begins at one time in all of them only where ends are kept as a time.
        """

    async def history_lost(self, position: str | None, error: AwsError) -> str | None:
        """What is done when what follows ``position`` has left the stream unread. None: reading goes on with what is left.

        ``position`` is the last one that was read, None where nothing was; ``error`` says that it is gone
        (:class:`pollers.aws.errors.Trimmed`). A gap that is read over is reported. A text says why it may not be: the mapping
        then stops with it, and at each later start as well, until its checkpoints are reset; the text says so.
        """

    def subscribe(self, shard_id: str, start: StartAt) -> AbstractAsyncContextManager[AsyncIterator[Pushed]]:
        """Have records pushed, where ``fan_out``."""

    def encoder(self, shard_id: str) -> PageEncoder:
        """What makes the bytes of the Lambda event records of records of this shard, all of one page."""

    def sequence_numbers(self, records: Sequence[Wire]) -> list[str]:
        """The records' positions, as the service spells them."""

    def arrivals(self, records: Sequence[Wire], now: float) -> list[float]:
        """When the records arrived, in seconds since the epoch; ``now`` where a record does not say."""

    def user_records(self, records: Sequence[Wire]) -> dict[int, int]:
        """How many user records those of these records have that are aggregates, by their index; empty where there are none."""

    def keys(self, records: Sequence[Wire]) -> list[bytes]:
        """What decides a record's lane: records of equal keys stay in order."""

    async def aclose(self) -> None:
        """Give up what belongs to this source alone. The last call, once, when its poller has ended, however it did."""
