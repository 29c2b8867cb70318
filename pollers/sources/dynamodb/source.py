"""DynamoDB Streams as a stream source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

import orjson
from msgspec import Raw

from pollers.aws.api import SlicingApi
from pollers.destinations.record import BatchInfoForm, whole_seconds
from pollers.engine.batching import RECORDS
from pollers.sources.dynamodb.events import encoder
from pollers.sources.streams.pacing import Pace
from pollers.sources.streams.positions import SEQUENCE_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.aws.api import Page, ShardListing, StartAt, StreamApi, StreamDescription, Wire
    from pollers.aws.errors import AwsError
    from pollers.clocks.service import ServiceClock
    from pollers.events.encoding import PageEncoder

BATCH_INFO = BatchInfoForm("DDBStreamBatchInfo", whole_seconds)
PACE = Pace(idle_seconds=0.25, behind_seconds=0.05, page_records=1_000)


class DynamoDBSource:
    """A DynamoDB table's stream; implements ``StreamSource``.

    ``items_needed``: something (a filter) looks into the items. Otherwise they stay the text that the service sent.
    """

    batch_info = BATCH_INFO
    pace = PACE
    positions = SEQUENCE_NUMBERS
    envelope = RECORDS
    iterators_last = True
    fan_out = False
    # The API's AT_TIMESTAMP is too new to rely on, and mappings do not offer it (docs/lambda 4.2).
    starts_at_timestamps = False

    def __init__(self, arn: str, api: StreamApi, *, items_needed: bool = True) -> None:
        self.arn = arn
        self._api = api
        self._slicing = api if not items_needed and isinstance(api, SlicingApi) else None
        self._encoders = encoder(arn)

    @property
    def service_clock(self) -> ServiceClock:
        """See ``StreamSource.service_clock``."""
        return self._api.service_clock

    async def describe(self) -> StreamDescription:
        """See ``StreamSource.describe``."""
        return await self._api.describe(self.arn)

    async def shards(self) -> list[ShardListing]:
        """See ``StreamSource.shards``."""
        return await self._api.shards(self.arn)

    async def iterator(self, shard_id: str, start: StartAt) -> str:
        """See ``StreamSource.iterator``."""
        return await self._api.iterator(self.arn, shard_id, start)

    async def records(self, iterator: str, limit: int) -> Page:
        """See ``StreamSource.records``."""
        if self._slicing is not None:
            return await self._slicing.sliced_records(self.arn, iterator, limit)
        return await self._api.records(self.arn, iterator, limit)

    async def tip(self, shard_id: str) -> None:
        """See ``StreamSource.tip``: the service names no position at the end of a shard."""

    async def history_lost(self, position: str | None, error: AwsError) -> None:
        """See ``StreamSource.history_lost``: reading goes on at the oldest record (docs/design, decision 4)."""

    def subscribe(self, shard_id: str, start: StartAt) -> NoReturn:
        """DynamoDB streams cannot be subscribed to."""
        raise NotImplementedError("DynamoDB Streams has no enhanced fan-out")

    def encoder(self, shard_id: str) -> PageEncoder:
        """See ``StreamSource.encoder``."""
        encode = self._encoders(shard_id)
        return lambda records: list(map(encode, records))

    def sequence_numbers(self, records: Sequence[Wire]) -> list[str]:
        """See ``StreamSource.sequence_numbers``."""
        return [record["dynamodb"]["SequenceNumber"] for record in records]

    def arrivals(self, records: Sequence[Wire], now: float) -> list[float]:
        """See ``StreamSource.arrivals``: whole seconds (docs/lambda 5.3)."""
        return [record["dynamodb"].get("ApproximateCreationDateTime") or now for record in records]

    def user_records(self, records: Sequence[Wire]) -> dict[int, int]:
        """See ``StreamSource.user_records``: there are none."""
        return {}

    def keys(self, records: Sequence[Wire]) -> list[bytes]:
        """The items' keys (partition and sort key), whatever order the service names their attributes in."""
        return [_key(record["dynamodb"]) for record in records]

    async def aclose(self) -> None:
        """See ``StreamSource.aclose``: the client is everybody's."""


def _key(change: Wire) -> bytes:
    """The item's key; a record without one is spread by its sequence number."""
    keys = change.get("Keys") or change["SequenceNumber"]
    if type(keys) is Raw:
        keys = json.loads(bytes(keys))
    try:
        return orjson.dumps(keys, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # text that is not Unicode
        return json.dumps(keys, sort_keys=True).encode()
