"""Kinesis as its reader calls it, with enhanced fan-out."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import thread_time
from typing import TYPE_CHECKING, Any, cast

from pollers.aws.api import Page, Pushed, ShardListing, StartAt, StreamDescription, Wire
from pollers.aws.errors import IteratorExpired, Refused, Trimmed
from pollers.aws.wire import replies
from pollers.aws.wire.event_stream import events
from pollers.aws.wire.passthrough import STREAM
from pollers.aws.wire.plain_records import plain_page
from pollers.aws.wire.replies import believed, once
from pollers.clocks.service import ServiceClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pollers.aws.api import Calls, RepliedCalls

_MILLISECONDS = 1000


class KinesisClient:
    """Implements :class:`pollers.aws.api.FanOutApi`. ``Data`` stays base64 and timestamps numbers."""

    def __init__(self, calls: Calls, sdk: RepliedCalls, service_clock: ServiceClock | None = None) -> None:
        self.service_clock = service_clock or ServiceClock()
        self._calls = calls
        self._sdk = sdk

    async def describe(self, arn: str) -> StreamDescription:
        """See :class:`pollers.aws.api.StreamApi`. Takes a consumer's ARN for its stream's."""
        stream = stream_arn(arn)
        reply = await self._reply("DescribeStreamSummary", {"StreamARN": stream}, stream)
        summary = reply["StreamDescriptionSummary"]
        identity = f"{summary['StreamARN']}@{summary['StreamCreationTimestamp']}"
        hours = summary.get("RetentionPeriodHours")
        return StreamDescription(
            summary["StreamARN"], identity, summary["StreamStatus"], None if hours is None else hours * 3600.0
        )

    async def shards(self, arn: str) -> list[ShardListing]:
        """See :class:`pollers.aws.api.StreamApi`."""
        stream = stream_arn(arn)
        listed: list[ShardListing] = []
        parameters: dict[str, Any] = {"StreamARN": stream}
        while True:
            reply = await self._reply("ListShards", parameters, stream)
            listed += [_listing(shard) for shard in reply["Shards"]]
            token = reply.get("NextToken")
            if not token:
                return listed
            parameters = {"NextToken": token}  # Kinesis refuses a stream beside a token, which implies the stream

    async def iterator(self, arn: str, shard_id: str, start: StartAt) -> str:
        """See :class:`pollers.aws.api.StreamApi`."""
        stream = stream_arn(arn)
        parameters: dict[str, Any] = {"StreamARN": stream, "ShardId": shard_id, "ShardIteratorType": start.kind}
        if start.sequence_number is not None:
            parameters["StartingSequenceNumber"] = start.sequence_number
        if start.timestamp is not None:
            parameters["Timestamp"] = start.timestamp
        try:
            return str((await self._reply("GetShardIterator", parameters, stream))["ShardIterator"])
        except Refused as error:
            if start.sequence_number is not None and error.code == "InvalidArgumentException":
                # Kinesis has no code of its own for a sequence number that it does not know or no longer has.
                raise Trimmed(error.code, error.message, status=error.status, operation=error.operation) from error
            raise

    async def records(self, arn: str, iterator: str, limit: int) -> Page:
        """See :class:`pollers.aws.api.StreamApi`."""
        return _whole_page(await self._get_records(arn, iterator, limit))

    async def sliced_records(self, arn: str, iterator: str, limit: int) -> Page:
        """See :class:`pollers.aws.api.SlicingApi`: plain records in place of ``Wire``; fully decoded records
        where that is not possible.
        """
        body = await self._get_records(arn, iterator, limit)
        plain = plain_page(body)
        if plain is None:
            return _whole_page(body)
        reply, seconds = plain
        if not reply.Records:
            once(body, "Records", "GetRecords")
        return Page(
            cast("list[Wire]", reply.Records),  # only its source reads them, and recognises their type
            reply.NextShardIterator,
            _behind(reply.MillisBehindLatest),
            _children(reply.ChildShards),
            len(body),
            seconds,
        )

    async def _get_records(self, arn: str, iterator: str, limit: int) -> bytes:
        stream = stream_arn(arn)
        parameters = {"ShardIterator": iterator, "Limit": limit, "StreamARN": stream}
        try:
            return await self._calls.call("GetRecords", parameters, about=stream)
        except Refused as error:
            if error.code == "InvalidArgumentException":
                # Our limit and stream are valid, so the iterator is wrong.
                raise IteratorExpired(
                    error.code, error.message, status=error.status, operation=error.operation
                ) from error
            raise

    @asynccontextmanager
    async def subscribe(self, consumer_arn: str, shard_id: str, start: StartAt) -> AsyncIterator[AsyncIterator[Pushed]]:
        """See :class:`pollers.aws.api.FanOutApi`."""
        position: dict[str, Any] = {"Type": start.kind}
        if start.sequence_number is not None:
            position["SequenceNumber"] = start.sequence_number
        if start.timestamp is not None:
            position["Timestamp"] = start.timestamp
        parameters = {"ConsumerARN": consumer_arn, "ShardId": shard_id, "StartingPosition": position}
        response = (await self._sdk.reply("SubscribeToShard", parameters))[STREAM]
        try:
            yield _pushed(events(response.content.iter_any(), "SubscribeToShard"))
        finally:
            response.close()

    async def _reply(self, operation: str, parameters: dict[str, Any], about: str) -> Wire:
        return believed(await self._calls.call(operation, parameters, about=about), replies.KINESIS, operation)


def stream_arn(arn: str) -> str:
    """The stream's ARN, from its own or a consumer's (``.../stream/NAME/consumer/CONSUMER:TIMESTAMP``)."""
    return arn.partition("/consumer/")[0]


async def _pushed(payloads: AsyncIterator[tuple[str, bytes]]) -> AsyncIterator[Pushed]:
    async for kind, payload in payloads:
        if kind != "SubscribeToShardEvent":
            continue
        event = believed(payload, replies.KINESIS, "SubscribeToShard")
        if not event["Records"]:
            once(payload, "Records", "SubscribeToShard")
        yield Pushed(
            event["Records"],
            event.get("ContinuationSequenceNumber"),
            _behind(event.get("MillisBehindLatest")) or 0.0,
            _children(event.get("ChildShards")),
            len(payload),
        )


def _whole_page(body: bytes) -> Page:
    begun = thread_time()
    reply = believed(body, replies.KINESIS, "GetRecords")
    seconds = thread_time() - begun
    if not reply["Records"]:
        once(body, "Records", "GetRecords")
    return Page(
        reply["Records"],
        reply.get("NextShardIterator"),
        _behind(reply.get("MillisBehindLatest")),
        _children(reply.get("ChildShards")),
        len(body),
        seconds,
    )


def _behind(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / _MILLISECONDS


def _children(children: Sequence[Mapping[str, Any]] | None) -> tuple[ShardListing, ...] | None:
    """The children in a reply; None when it has none: some emulators leave them out, or send null, at a shard's end."""
    if children is None:
        return None
    return tuple(ShardListing(child["ShardId"], tuple(child["ParentShards"]), "", None) for child in children)


def _listing(shard: Wire) -> ShardListing:
    numbers = shard["SequenceNumberRange"]
    parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
    return ShardListing(
        shard["ShardId"],
        tuple(parent for parent in parents if parent),
        numbers.get("StartingSequenceNumber") or "",
        numbers.get("EndingSequenceNumber"),
    )
