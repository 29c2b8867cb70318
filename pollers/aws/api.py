"""The calls that pollers make, as protocols: aiobotocore behind them in production, in-memory services in ``tests/``.

Records come as the JSON that the service sent (docs/design, decision 1): a ``Wire`` is a decoded JSON object, never altered.
Every call raises :class:`pollers.aws.errors.AwsError` and nothing else for what the service or the network does.
A call may be cancelled only where a lost reply does no harm (a receive only by a stop, see :mod:`pollers.sources.sqs.receiving`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from pollers.clocks.service import ServiceClock

Wire: TypeAlias = dict[str, Any]

ClientT = TypeVar("ClientT")
"""The protocol of a service's client."""
OwnClientT = TypeVar("OwnClientT", covariant=True)


@dataclass(frozen=True, slots=True)
class EntryFailed:
    """One entry of a batch call was refused. ``index`` is its position in the call."""

    index: int
    code: str
    message: str
    sender_fault: bool


@dataclass(frozen=True, slots=True)
class MessageAttribute:
    """An attribute that a message is sent with. ``value`` is never empty: SQS and SNS refuse that."""

    data_type: str
    """``String`` or ``Number``."""
    value: str


NO_ATTRIBUTES: Mapping[str, MessageAttribute] = MappingProxyType({})


class SqsApi(Protocol):
    """SQS in one region, at one endpoint."""

    async def queue_url(self, name: str, owner: str) -> str:
        """The queue's URL (GetQueueUrl with QueueOwnerAWSAccountId)."""

    async def attributes(self, url: str) -> dict[str, str]:
        """GetQueueAttributes with All."""

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        """ReceiveMessage with all attributes: at most 10 ``maximum``, long poll of at most 20 ``wait_seconds``."""

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        """DeleteMessageBatch, 1 to 10 handles; what failed."""

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        """ChangeMessageVisibilityBatch, 1 to 10 (handle, seconds); what failed."""

    async def send(
        self,
        url: str,
        body: str,
        *,
        attributes: Mapping[str, MessageAttribute] = NO_ATTRIBUTES,
        trace_header: str | None = None,
    ) -> None:
        """SendMessage, for destinations and dead-letter queues. ``trace_header``: the system attribute AWSTraceHeader."""


@dataclass(frozen=True, slots=True)
class ShardListing:
    """One shard of a page: its id, its parents still named, and its range of sequence numbers (``ended_at`` None: open)."""

    shard_id: str
    parent_ids: tuple[str, ...]
    started_at: str
    ended_at: str | None


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """A stream as its service describes it. ``identity`` changes when the stream is deleted and created again.

    ``retention_seconds``: how long records are kept (Kinesis: RetentionPeriodHours of DescribeStreamSummary; DynamoDB
    Streams: 24 hours), None when the service did not say.
    """

    arn: str
    identity: str
    status: str
    retention_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class StartAt:
    """A position in a shard. ``kind`` is TRIM_HORIZON, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER.

    ``sequence_number`` is the service's own string; ``timestamp`` is seconds since the epoch.
    """

    kind: str
    sequence_number: str | None = None
    timestamp: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One reply of GetRecords. ``next_iterator`` None: the shard has ended. ``children`` None: the reply did not say.

    ``size_bytes`` is the reply's length on the wire, ``decode_seconds`` how long decoding it held the event loop.
    ``continuation``: the position up to which everything has been read, if that lies behind the last record; None: it does not.
    """

    records: list[Wire]
    next_iterator: str | None
    behind_seconds: float | None
    children: tuple[ShardListing, ...] | None = None
    size_bytes: int = 0
    decode_seconds: float = 0.0
    continuation: str | None = None


class StreamApi(Protocol):
    """Kinesis or DynamoDB Streams in one region, at one endpoint."""

    @property
    def service_clock(self) -> ServiceClock:
        """The service's own clock, as its replies show it."""

    async def describe(self, arn: str) -> StreamDescription:
        """The stream's identity and status."""

    async def shards(self, arn: str) -> list[ShardListing]:
        """Every shard that the stream lists, over all pages."""

    async def iterator(self, arn: str, shard_id: str, start: StartAt) -> str:
        """A shard iterator. Raises Trimmed or NotFound when the position or the shard no longer exists."""

    async def records(self, arn: str, iterator: str, limit: int) -> Page:
        """GetRecords."""


@runtime_checkable
class SlicingApi(Protocol):
    """A stream whose records can be read without decoding them fully."""

    async def sliced_records(self, arn: str, iterator: str, limit: int) -> Page:
        """GetRecords, decoded only as far as its source needs: items as JSON text (:mod:`pollers.aws.wire.slicing`), or
        records with fixed members (:mod:`pollers.aws.wire.plain_records`)."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """One event of an enhanced fan-out subscription. ``continuation`` None: the shard has ended."""

    records: list[Wire]
    continuation: str | None
    behind_seconds: float
    children: tuple[ShardListing, ...] | None = None
    size_bytes: int = 0


class FanOutApi(StreamApi, Protocol):
    """Kinesis, with enhanced fan-out."""

    def subscribe(
        self, consumer_arn: str, shard_id: str, start: StartAt
    ) -> AbstractAsyncContextManager[AsyncIterator[Pushed]]:
        """SubscribeToShard. The iterator ends with the subscription (five minutes), or raises Unavailable when it is torn."""


class DynamoDBApi(Protocol):
    """DynamoDB's tables in one region, at one endpoint."""

    async def reply(self, operation: str, parameters: Mapping[str, Any], *, seconds: float) -> Wire:
        """One call, with its parameters and its reply as they are on the wire: attribute values typed, binary ones in base64.

        Raises Unavailable when there is no reply within ``seconds``; a write may have taken place then. Raises
        :class:`pollers.aws.errors.ConditionUnmet` for a condition that does not hold.
        """


class SnsApi(Protocol):
    """SNS in one region, at one endpoint."""

    async def publish(
        self, topic_arn: str, message: str, *, attributes: Mapping[str, MessageAttribute] = NO_ATTRIBUTES
    ) -> None:
        """Publish."""

    async def check_topic(self, topic_arn: str) -> None:
        """Raises NotFound or AccessDenied when the topic cannot be used (GetTopicAttributes)."""


class S3Api(Protocol):
    """S3 at one endpoint."""

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """PutObject."""

    async def check_bucket(self, bucket: str) -> None:
        """Raises NotFound or AccessDenied when the bucket cannot be used (HeadBucket)."""


class FunctionsApi(Protocol):
    """Lambda in one region, at one endpoint, as far as functions are invoked asynchronously."""

    async def invoke_event(self, function_arn: str, event: bytes) -> None:
        """Invoke with InvocationType ``Event``: the service has taken the event over when this returns."""

    async def check_function(self, function_arn: str) -> None:
        """Raises NotFound or AccessDenied when the function cannot be used (GetFunctionConfiguration)."""


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event for an EventBridge bus. ``detail`` is JSON as text."""

    bus_arn: str
    source: str
    detail_type: str
    resources: tuple[str, ...]
    detail: str


class EventsApi(Protocol):
    """EventBridge in one region, at one endpoint."""

    async def put(self, event: BusEvent) -> None:
        """PutEvents with one entry. An entry that failed in a successful reply is an error like any other."""

    async def check_bus(self, bus_arn: str) -> None:
        """Raises NotFound or AccessDenied when the bus cannot be used (DescribeEventBus)."""


class Calls(Protocol):
    """One JSON service, in one region, at one endpoint."""

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        """Make one call, once, without retries. Raises :class:`pollers.aws.errors.AwsError`.

        ``about`` is the ARN that the call is about, for services whose endpoint depends on it; ``wait_seconds`` how long
        the service itself may wait before it answers (a long poll).
        """


class RepliedCalls(Calls, Protocol):
    """Calls through the SDK, which also give whole replies, such as streams of events."""

    @property
    def service_clock(self) -> ServiceClock:
        """The service's own clock, as its replies show it."""

    async def reply(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The SDK's whole reply. Raises :class:`pollers.aws.errors.AwsError`."""


class Connection(Protocol):
    """What the client of a service sends its calls through: one region, one endpoint."""

    @property
    def sdk(self) -> RepliedCalls:
        """Calls through the SDK, which can do everything."""

    def direct(self) -> Calls:
        """Calls without the SDK, for frequent calls; JSON services only. Call this once for each client."""


@dataclass(frozen=True, slots=True)
class AwsService(Generic[OwnClientT]):
    """A service of AWS: its names, and how its client is made."""

    name: str
    """Its name in the SDK."""
    host: str
    """The beginning of its endpoints' host names on AWS."""
    endpoint_options: tuple[str, ...]
    """The members of ``aws.endpoint_urls`` that may give its endpoint; the first that is given counts."""
    make_client: Callable[[Connection], OwnClientT]
    """Makes its client. It imports the client when it is called: a command that calls no AWS service imports no SDK."""


class Aws(Protocol):
    """Every client, one for each service, region and endpoint, made before polling starts and closed together."""

    async def client(self, service: AwsService[ClientT], region: str) -> ClientT:
        """The client of ``service`` in ``region``; the same one each time."""
