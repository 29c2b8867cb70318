"""DynamoDB Streams as its reader calls it."""

from __future__ import annotations

from time import thread_time
from typing import TYPE_CHECKING, Any

from pollers.aws.api import Page, ShardListing, StartAt, StreamDescription, Wire
from pollers.aws.errors import IteratorExpired, Refused
from pollers.aws.wire import replies
from pollers.aws.wire.replies import believed, invalid, once
from pollers.aws.wire.slicing import sliced_page
from pollers.clocks.service import ServiceClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.aws.api import Calls

_IMAGE = (dict, type(None))
RETENTION_SECONDS = 24 * 3600.0
"""Of every DynamoDB stream (docs/lambda 4.7)."""


class DynamoDBStreamsClient:
    """Implements :class:`pollers.aws.api.StreamApi`. Attribute values stay typed."""

    def __init__(self, calls: Calls, service_clock: ServiceClock | None = None) -> None:
        self.service_clock = service_clock or ServiceClock()
        self._calls = calls

    async def describe(self, arn: str) -> StreamDescription:
        """See :class:`pollers.aws.api.StreamApi`. Two streams of one table have ARNs with different labels."""
        described = (await self._reply("DescribeStream", {"StreamArn": arn, "Limit": 1}))["StreamDescription"]
        identity = f"{described['StreamArn']}@{described['CreationRequestDateTime']}"
        return StreamDescription(described["StreamArn"], identity, described["StreamStatus"], RETENTION_SECONDS)

    async def shards(self, arn: str) -> list[ShardListing]:
        """See :class:`pollers.aws.api.StreamApi`."""
        listed: list[ShardListing] = []
        parameters: dict[str, Any] = {"StreamArn": arn}
        while True:
            described = (await self._reply("DescribeStream", parameters))["StreamDescription"]
            listed += [_listing(shard) for shard in described.get("Shards") or ()]
            last = described.get("LastEvaluatedShardId")
            if not last:
                return listed
            parameters = {"StreamArn": arn, "ExclusiveStartShardId": last}

    async def iterator(self, arn: str, shard_id: str, start: StartAt) -> str:
        """See :class:`pollers.aws.api.StreamApi`."""
        parameters: dict[str, Any] = {"StreamArn": arn, "ShardId": shard_id, "ShardIteratorType": start.kind}
        if start.sequence_number is not None:
            parameters["SequenceNumber"] = start.sequence_number
        return str((await self._reply("GetShardIterator", parameters))["ShardIterator"])

    async def records(self, arn: str, iterator: str, limit: int) -> Page:
        """See :class:`pollers.aws.api.StreamApi`. The service does not say how far behind the reader is."""
        body = await self._get_records(iterator, limit)
        return _page(body, *_whole_page(body))

    async def sliced_records(self, arn: str, iterator: str, limit: int) -> Page:
        """See :class:`pollers.aws.api.SlicingApi`. A reply that has another form is decoded fully."""
        body = await self._get_records(iterator, limit)
        reply, seconds = sliced_page(body) or _whole_page(body)
        return _page(body, reply, seconds)

    async def _get_records(self, iterator: str, limit: int) -> bytes:
        try:
            return await self._calls.call("GetRecords", {"ShardIterator": iterator, "Limit": limit})
        except Refused as error:
            if error.code == "ValidationException":
                # Our limit is valid, so the iterator is wrong.
                raise IteratorExpired(
                    error.code, error.message, status=error.status, operation=error.operation
                ) from error
            raise

    async def _reply(self, operation: str, parameters: dict[str, Any]) -> Wire:
        return believed(await self._calls.call(operation, parameters), replies.DYNAMODB_STREAMS, operation)


def _whole_page(body: bytes) -> tuple[Wire, float]:
    begun = thread_time()
    reply = believed(body, replies.DYNAMODB_STREAMS, "GetRecords")
    for record in reply["Records"]:
        change = record["dynamodb"]
        keys = change["Keys"]
        if type(keys) is not dict or not all(type(key) is dict for key in keys.values()):
            raise invalid("the keys of an item are no object of attribute values", "GetRecords")
        if not isinstance(change.get("NewImage"), _IMAGE) or not isinstance(change.get("OldImage"), _IMAGE):
            raise invalid("the image of an item is no object", "GetRecords")
    return reply, thread_time() - begun


def _page(body: bytes, reply: Mapping[str, Any], seconds: float) -> Page:
    if not reply["Records"]:
        once(body, "Records", "GetRecords")
    return Page(
        reply["Records"],
        reply.get("NextShardIterator"),
        None,
        size_bytes=len(body),
        decode_seconds=seconds,
    )


def _listing(shard: Wire) -> ShardListing:
    numbers = shard["SequenceNumberRange"]
    parent = shard.get("ParentShardId")
    return ShardListing(
        shard["ShardId"],
        (parent,) if parent else (),
        numbers.get("StartingSequenceNumber") or "",
        numbers.get("EndingSequenceNumber"),
    )
