"""Kinesis data streams as a stream source, polled or with enhanced fan-out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.api import SlicingApi
from pollers.aws.wire.plain_records import are_plain
from pollers.destinations.record import BatchInfoForm, milliseconds
from pollers.engine.batching import RECORDS
from pollers.sources.kinesis.aggregates import MARKED, user_records
from pollers.sources.kinesis.events import page_encoder
from pollers.sources.streams.pacing import Pace
from pollers.sources.streams.positions import SEQUENCE_NUMBERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from pollers.aws.api import FanOutApi, Page, Pushed, ShardListing, StartAt, StreamDescription, Wire
    from pollers.aws.errors import AwsError
    from pollers.clocks.service import ServiceClock
    from pollers.events.encoding import PageEncoder

BATCH_INFO = BatchInfoForm("KinesisBatchInfo", milliseconds)
MIB = 1024 * 1024
PACE = Pace(
    idle_seconds=1.0,
    behind_seconds=0.2,
    page_records=10_000,
    # 2 MB/s of data (docs/lambda 4.7); on the wire its base64 takes a third more.
    bytes_per_second=2 * MIB * 4 / 3,
)
_CONSUMER = "/consumer/"


class KinesisSource:
    """A Kinesis stream; implements ``StreamSource``. ``arn`` may be a stream's or a consumer's (enhanced fan-out).

    ``records_needed``: something (a filter) looks into the records, which must then be the JSON that the service sent.
    """

    batch_info = BATCH_INFO
    pace = PACE
    positions = SEQUENCE_NUMBERS
    envelope = RECORDS
    iterators_last = True
    starts_at_timestamps = True

    def __init__(self, arn: str, api: FanOutApi, *, records_needed: bool = True) -> None:
        self.arn = arn
        self.stream_arn, consumer, _ = arn.partition(_CONSUMER)
        self.fan_out = bool(consumer)
        self._api = api
        self._slicing = api if not records_needed and isinstance(api, SlicingApi) else None
        self._encoders = page_encoder(arn)

    @property
    def service_clock(self) -> ServiceClock:
        """See ``StreamSource.service_clock``."""
        return self._api.service_clock

    async def describe(self) -> StreamDescription:
        """See ``StreamSource.describe``."""
        return await self._api.describe(self.stream_arn)

    async def shards(self) -> list[ShardListing]:
        """See ``StreamSource.shards``."""
        return await self._api.shards(self.stream_arn)

    async def iterator(self, shard_id: str, start: StartAt) -> str:
        """See ``StreamSource.iterator``."""
        return await self._api.iterator(self.stream_arn, shard_id, start)

    async def records(self, iterator: str, limit: int) -> Page:
        """See ``StreamSource.records``."""
        if self._slicing is not None:
            return await self._slicing.sliced_records(self.stream_arn, iterator, limit)
        return await self._api.records(self.stream_arn, iterator, limit)

    async def tip(self, shard_id: str) -> None:
        """See ``StreamSource.tip``: the service names no position at the end of a shard."""

    async def history_lost(self, position: str | None, error: AwsError) -> None:
        """See ``StreamSource.history_lost``: reading goes on at the oldest record (docs/design, decision 4)."""

    def subscribe(self, shard_id: str, start: StartAt) -> AbstractAsyncContextManager[AsyncIterator[Pushed]]:
        """See ``StreamSource.subscribe``."""
        return self._api.subscribe(self.arn, shard_id, start)

    def encoder(self, shard_id: str) -> PageEncoder:
        """See ``StreamSource.encoder``."""
        return self._encoders(shard_id)

    def sequence_numbers(self, records: Sequence[Wire]) -> list[str]:
        """See ``StreamSource.sequence_numbers``."""
        if are_plain(records):
            return [record.SequenceNumber for record in records]
        return [record["SequenceNumber"] for record in records]

    def arrivals(self, records: Sequence[Wire], now: float) -> list[float]:
        """See ``StreamSource.arrivals``."""
        if are_plain(records):
            return [record.ApproximateArrivalTimestamp for record in records]
        try:
            return [record["ApproximateArrivalTimestamp"] for record in records]
        except KeyError:
            return [record.get("ApproximateArrivalTimestamp", now) for record in records]

    def user_records(self, records: Sequence[Wire]) -> dict[int, int]:
        """See ``StreamSource.user_records``."""
        # A slice takes less than a call of startswith does: each record comes by here.
        size = len(MARKED)
        if are_plain(records):
            marked = [index for index, record in enumerate(records) if record.Data[:size] == MARKED]
            data = [records[index].Data for index in marked]
        else:
            marked = [index for index, record in enumerate(records) if (record.get("Data") or "")[:size] == MARKED]
            data = [records[index]["Data"] for index in marked]
        counts = map(user_records, data)
        return {index: count for index, count in zip(marked, counts, strict=True) if count is not None}

    def keys(self, records: Sequence[Wire]) -> list[bytes]:
        """The partition keys. A record without one (4.1) has no order to keep: it is spread by its sequence number."""
        if are_plain(records):
            return [(record.PartitionKey or record.SequenceNumber).encode() for record in records]
        try:
            return [record["PartitionKey"].encode() for record in records]
        except (KeyError, AttributeError, UnicodeEncodeError):
            keys = [record.get("PartitionKey") or record["SequenceNumber"] for record in records]
            return [key.encode("utf-8", "surrogatepass") for key in keys]

    async def aclose(self) -> None:
        """See ``StreamSource.aclose``: the client is everybody's."""
