"""Kinesis and DynamoDB Streams in memory behind their wire: the stream engine through the real clients, with mutated replies."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from pollers.aws.api import StartAt
from pollers.aws.errors import AwsError
from pollers.aws.services.dynamodb_streams import DynamoDBStreamsClient
from pollers.aws.services.kinesis import KinesisClient
from pollers.aws.wire.passthrough import STREAM
from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis.source import KinesisSource
from tests.contract.scripted import event
from tests.worlds import virtual_time
from tests.worlds.stream_simulation import Simulation
from tests.worlds.unread_logs import logs_of
from tests.worlds.wire_transport import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from pollers.aws.api import Page, Pushed, ShardListing, StreamDescription
    from pollers.sources.streams.source import StreamSource
    from tests.worlds.memory_streams import MemoryStream


class WireStream:
    """The calls of a stream in memory as its service's JSON; stands for the SDK (:class:`pollers.aws.api.Calls`)."""

    def __init__(self, stream: MemoryStream, transport: Transport) -> None:
        self._stream = stream
        self._transport = transport

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        """See ``Calls``."""
        return await self._transport.exchange(operation, lambda: self._serve(operation, parameters))

    async def _serve(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        stream = self._stream
        arn = asked.get("StreamARN") or asked.get("StreamArn") or stream.stream_arn
        match operation:
            case "DescribeStreamSummary":
                return {"StreamDescriptionSummary": _described(await stream.describe(arn), "ARN", "StreamCreation")}
            case "ListShards":
                return {"Shards": [_shard(shard) for shard in await stream.shards(arn)]}
            case "DescribeStream":
                described = _described(await stream.describe(arn), "Arn", "CreationRequest")
                if "Limit" not in asked:
                    described["Shards"] = [_shard(shard) for shard in await stream.shards(arn)]
                return {"StreamDescription": described}
            case "GetShardIterator":
                number = asked.get("StartingSequenceNumber") or asked.get("SequenceNumber")
                start = StartAt(asked["ShardIteratorType"], number, asked.get("Timestamp"))
                return {"ShardIterator": await stream.iterator(arn, asked["ShardId"], start)}
            case "GetRecords":
                return _page(await stream.records(arn, asked["ShardIterator"], asked["Limit"]))
            case other:
                raise NotImplementedError(other)

    async def reply(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """SubscribeToShard, as the SDK answers it."""
        position = parameters["StartingPosition"]
        start = StartAt(position["Type"], position.get("SequenceNumber"), position.get("Timestamp"))
        context = self._stream.subscribe(parameters["ConsumerARN"], parameters["ShardId"], start)
        return {STREAM: _Response(await context.__aenter__(), self._transport)}


class _Response:
    """An HTTP response whose body is an event stream."""

    def __init__(self, events: AsyncIterator[Pushed], transport: Transport) -> None:
        self._events = events
        self._transport = transport
        self.content = self

    async def iter_any(self) -> AsyncIterator[bytes]:
        """The frames, some of them mutated; a cut one is the last."""
        yield event({}, message_type="event", event_type="initial-response")
        try:
            async for pushed in self._events:
                payload = json.dumps(_pushed(pushed), separators=(",", ":")).encode()
                if not self._transport.due():
                    yield _frame(payload)
                    continue
                for piece in self._mutated(payload):
                    yield piece
                return
        except AwsError as error:
            yield event({"message": error.message}, message_type="exception", exception_type=error.code)

    def _mutated(self, payload: bytes) -> list[bytes]:
        draw, frame = self._transport.random, _frame(payload)
        place = draw.randrange(len(frame))
        return draw.choice(
            (
                [frame[:place]],
                [frame[:place] + bytes([frame[place] ^ (1 << draw.randrange(8))]) + frame[place + 1 :]],
                [_frame(self._transport.body("SubscribeToShard", payload))],
                [event(b"[" * 300, message_type="exception", exception_type="InternalFailureException")],
                [event(b"\xff", message_type="error")],
                [],
            )
        )

    def close(self) -> None:
        """Closed."""


def _frame(payload: bytes) -> bytes:
    return event(payload, message_type="event", event_type="SubscribeToShardEvent")


def _described(stream: StreamDescription, arn: str, created: str) -> dict[str, Any]:
    described: dict[str, Any] = {f"Stream{arn}": stream.arn, "StreamStatus": stream.status}
    described["StreamCreationTimestamp" if created == "StreamCreation" else "CreationRequestDateTime"] = stream.identity
    if stream.retention_seconds is not None:
        described["RetentionPeriodHours"] = stream.retention_seconds / 3600
    return described


def _shard(shard: ShardListing) -> dict[str, Any]:
    named = dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parent_ids, strict=False))
    numbers = {"StartingSequenceNumber": shard.started_at}
    if shard.ended_at is not None:
        numbers["EndingSequenceNumber"] = shard.ended_at
    return {"ShardId": shard.shard_id, **named, "SequenceNumberRange": numbers}


def _page(page: Page) -> dict[str, Any]:
    reply: dict[str, Any] = {"Records": page.records, "NextShardIterator": page.next_iterator}
    if page.behind_seconds is not None:
        reply["MillisBehindLatest"] = int(page.behind_seconds * 1000)
    if page.children is not None:
        reply["ChildShards"] = [_child(child) for child in page.children]
    return reply


def _pushed(pushed: Pushed) -> dict[str, Any]:
    reply: dict[str, Any] = {"Records": pushed.records, "MillisBehindLatest": int(pushed.behind_seconds * 1000)}
    if pushed.continuation is not None:
        reply["ContinuationSequenceNumber"] = pushed.continuation
    if pushed.children is not None:
        reply["ChildShards"] = [_child(child) for child in pushed.children]
    return reply


def _child(child: ShardListing) -> dict[str, Any]:
    return {"ShardId": child.shard_id, "ParentShards": list(child.parent_ids)}


class WireSimulation(Simulation):
    """The same story, told over the wire."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        draw = random.Random(seed + 2)
        self.transport = Transport(random.Random(seed + 3), draw.choice((0.02, 0.1, 0.3)), lambda: self.watch.calm)
        self._sliced = draw.random() < 0.5 and not self.watch.filters

    def _reshard(self) -> None:
        if self.stream.kind == "kinesis":
            super()._reshard()
        else:
            # A shard of DynamoDB has one parent at most, and its wire no place for another.
            self.stream.roll(self.random.choice(self.stream.open_shards()))

    def _source(self) -> StreamSource:
        wire, clock = WireStream(self.stream, self.transport), self.stream.service_clock
        if self.stream.kind == "kinesis":
            client = KinesisClient(wire, wire, clock)  # type: ignore[arg-type] # as much of the SDK as it uses
            return KinesisSource(self.stream.arn, client, records_needed=not self._sliced)
        return DynamoDBSource(self.stream.arn, DynamoDBStreamsClient(wire, clock), items_needed=not self._sliced)


def simulate(seed: int) -> WireSimulation:
    """Run one seed to its end."""

    async def main() -> WireSimulation:
        simulation = WireSimulation(seed)
        await simulation.run()
        return simulation

    with logs_of(seed):
        return virtual_time.run(main, step_limit=1_000_000)
