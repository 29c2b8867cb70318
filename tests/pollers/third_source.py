"""A third kind of stream, made up for this suite: what whoever adds a kind of source must write, and that it is enough.

Its positions are resume tokens without an order, its one shard never ends, its events have another envelope than
``{"Records": [...]}``, and its mappings take neither filters nor what streams of many shards take. It names the end of the feed
itself, says how far was read without a record, has iterators that do not outlast a failure, may stop where changes are lost, and is
closed. Neither the stream engine nor the supervisor was told that it exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

import orjson

from config.models import StreamMapping
from pollers.aws.api import AwsService
from pollers.aws.findings import Finding, Level
from pollers.destinations.record import BatchInfoForm, whole_seconds
from pollers.engine.batching import Envelope
from pollers.engine.kind import Names
from pollers.sources.streams.kind import stream_kind, stream_settings
from pollers.sources.streams.pacing import Pace
from pollers.telemetry.payloads import json_member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pollers.aws.api import Aws, Connection, Page, ShardListing, StartAt, StreamDescription, Wire
    from pollers.aws.errors import AwsError
    from pollers.clocks.service import ServiceClock
    from pollers.events.encoding import PageEncoder
    from tests.worlds.memory_feed import MemoryFeed


class FeedMapping(StreamMapping):
    """A change feed to a function."""

    kind: ClassVar[str] = "feed"


class Tokens:
    """Resume tokens: nobody but the service knows which is later; implements ``Positions``."""

    ordered = False
    before_first = ""

    def valid(self, text: str) -> bool:
        """See ``Positions.valid``."""
        return bool(text)

    def identifiers(self, positions: Sequence[str]) -> Sequence[str]:
        """They are what events have as ``_id``."""
        return positions

    def order(self, position: str) -> None:
        """See ``Positions.order``."""


class FeedSource:
    """A change feed; implements ``StreamSource``."""

    batch_info = BatchInfoForm("ChangeFeedBatchInfo", whole_seconds)
    pace = Pace(idle_seconds=1.0, behind_seconds=0.1, page_records=1_000)
    positions = Tokens()
    fan_out = False
    iterators_last = False
    starts_at_timestamps = False

    def __init__(self, arn: str, feed: MemoryFeed) -> None:
        self.arn = arn
        self._feed = feed
        feed.sources += 1
        source = b'{"eventSourceArn":%b,"eventSource":"aws:feed","events":[' % orjson.dumps(arn)
        self.envelope = Envelope(source, b"]}")

    @property
    def service_clock(self) -> ServiceClock:
        """See ``StreamSource.service_clock``."""
        return self._feed.service_clock

    async def describe(self) -> StreamDescription:
        """See ``StreamSource.describe``."""
        return await self._feed.describe()

    async def shards(self) -> list[ShardListing]:
        """See ``StreamSource.shards``."""
        return await self._feed.shards()

    async def iterator(self, shard_id: str, start: StartAt) -> str:
        """See ``StreamSource.iterator``."""
        return await self._feed.iterator(start)

    async def records(self, iterator: str, limit: int) -> Page:
        """See ``StreamSource.records``."""
        return await self._feed.records(iterator, limit)

    async def tip(self, shard_id: str) -> StartAt:
        """See ``StreamSource.tip``."""
        return await self._feed.tip()

    async def history_lost(self, position: str | None, error: AwsError) -> str | None:
        """See ``StreamSource.history_lost``."""
        await self._feed.faults.before("history_lost")
        return f"changes after {position} are lost: {error}" if self._feed.stops_at_gaps else None

    def subscribe(self, shard_id: str, start: StartAt) -> NoReturn:
        """Feeds push nothing."""
        raise NotImplementedError("a feed cannot be subscribed to")

    def encoder(self, shard_id: str) -> PageEncoder:
        """See ``StreamSource.encoder``."""
        return lambda records: [orjson.dumps({"event": record}) for record in records]

    def sequence_numbers(self, records: Sequence[Wire]) -> list[str]:
        """See ``StreamSource.sequence_numbers``."""
        return [record["_id"]["_data"] for record in records]

    def arrivals(self, records: Sequence[Wire], now: float) -> list[float]:
        """See ``StreamSource.arrivals``."""
        return [record.get("wallTime", now) for record in records]

    def user_records(self, records: Sequence[Wire]) -> dict[int, int]:
        """See ``StreamSource.user_records``."""
        return {}

    def keys(self, records: Sequence[Wire]) -> list[bytes]:
        """See ``StreamSource.keys``."""
        return [orjson.dumps(record["documentKey"]) for record in records]

    async def aclose(self) -> None:
        """See ``StreamSource.aclose``."""
        self._feed.sources -= 1
        await self._feed.faults.before("aclose")


def _client(connection: Connection) -> MemoryFeed:
    raise NotImplementedError("there is no such service")


FEEDS: AwsService[MemoryFeed] = AwsService("feeds", "feeds", (), _client)


async def make_source(mapping: FeedMapping, aws: Aws) -> FeedSource:
    """The mapping's feed."""
    return FeedSource(mapping.event_source_arn, await aws.client(FEEDS, mapping.arn.region))


async def examine(mapping: FeedMapping, aws: Aws) -> AsyncIterator[Finding]:
    """Whether the feed is there."""
    await (await aws.client(FEEDS, mapping.arn.region)).describe()
    yield Finding(mapping.name, Level.OK, "the feed is there")


FEED = stream_kind(
    FeedMapping,
    services=lambda _: (FEEDS,),
    make_source=make_source,
    examine=examine,
    settings=stream_settings,
    patterns=None,
    names=Names(
        source=lambda mapping: mapping.arn.resource,
        trace_system="feed",
        form=lambda _: "feed",
        label=lambda _: "FEED",
    ),
    first_payload=json_member("fullDocument"),
)
