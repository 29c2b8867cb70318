"""SubscribeToShard's event stream, as the service sends it and as it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.models import Aws
from pollers.aws import services
from pollers.aws.api import StartAt
from pollers.aws.errors import AwsError, ResourceInUse, Throttled, Unavailable
from pollers.aws.services.clients import AwsClients
from tests.contract.scripted import ScriptedService, chunked, event, refusal, scripted_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.aws.api import FanOutApi, Pushed

CONSUMER = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks/consumer/c:1"
RECORD = {"SequenceNumber": "49", "Data": "/wA=", "ApproximateArrivalTimestamp": 1_760_000_000.123, "PartitionKey": "k"}
INITIAL = event({}, message_type="event", event_type="initial-response")


def push(continuation: str | None, *, millis: int = 0, children: list[dict[str, object]] | None = None) -> bytes:
    """An event with one record."""
    body: dict[str, object] = {"Records": [RECORD], "MillisBehindLatest": millis}
    if continuation is not None:
        body["ContinuationSequenceNumber"] = continuation
    if children is not None:
        body["ChildShards"] = children
    return event(
        body, message_type="event", event_type="SubscribeToShardEvent", content_type="application/x-amz-json-1.1"
    )


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    """A service that answers what the test has written."""
    async with scripted_service() as scripted:
        yield scripted


@pytest.fixture
async def kinesis(service: ScriptedService) -> AsyncIterator[FanOutApi]:
    """Its Kinesis."""
    async with AwsClients(Aws(endpoint_url=service.url)) as clients:
        yield await clients.client(services.KINESIS, "us-east-1")


async def subscribed(kinesis: FanOutApi, start: StartAt | None = None) -> list[Pushed]:
    """Everything that one subscription pushes."""
    async with kinesis.subscribe(CONSUMER, "shard", start or StartAt("TRIM_HORIZON")) as events:
        return [pushed async for pushed in events]


async def test_records_are_pushed_as_the_service_sent_them(kinesis: FanOutApi, service: ScriptedService) -> None:
    """Base64 and numbers; how far behind in seconds; where to go on."""
    service.script.append(chunked(INITIAL, push("50", millis=1500), push("51")))
    first, second = await subscribed(kinesis)
    assert first.records == [RECORD]
    assert (first.continuation, first.behind_seconds, first.children) == ("50", 1.5, None)
    assert first.size_bytes > 100
    assert second.continuation == "51"


async def test_the_initial_response_may_be_missing(kinesis: FanOutApi, service: ScriptedService) -> None:
    """An emulator leaves it out; the SDK's own parser would refuse the stream."""
    service.script.append(chunked(push("50")))
    assert [pushed.continuation for pushed in await subscribed(kinesis)] == ["50"]


async def test_events_of_other_kinds_are_passed_over(kinesis: FanOutApi, service: ScriptedService) -> None:
    """What the service may add one day."""
    service.script.append(chunked(event({"new": 1}, message_type="event", event_type="Novelty"), push("50")))
    assert len(await subscribed(kinesis)) == 1


async def test_a_shards_end_has_no_continuation_and_names_the_children(
    kinesis: FanOutApi, service: ScriptedService
) -> None:
    """Both parents of a merge."""
    service.script.append(chunked(INITIAL, push(None, children=[{"ShardId": "c", "ParentShards": ["a", "b"]}])))
    [last] = await subscribed(kinesis)
    assert last.continuation is None
    assert last.children is not None
    assert [(child.shard_id, child.parent_ids) for child in last.children] == [("c", ("a", "b"))]


async def test_a_position_is_sent_as_it_was_given(kinesis: FanOutApi, service: ScriptedService) -> None:
    """Kind, sequence number, timestamp."""
    service.script.extend([chunked(INITIAL), chunked(INITIAL)])
    await subscribed(kinesis, StartAt("AFTER_SEQUENCE_NUMBER", "49"))
    await subscribed(kinesis, StartAt("AT_TIMESTAMP", timestamp=1_760_000_000.0))
    first, second = [request.json["StartingPosition"] for request in service.requests]
    assert first == {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "49"}
    assert second == {"Type": "AT_TIMESTAMP", "Timestamp": 1_760_000_000}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal("ResourceInUseException", "another subscription"), ResourceInUse),
        (refusal("LimitExceededException"), Throttled),
        (chunked(INITIAL, push("50"), end=False), Unavailable),
        (chunked(INITIAL, push("50")[:40], end=False), Unavailable),
        (chunked(INITIAL, push("50")[:40]), Unavailable),
        (chunked(INITIAL, b"\x00" * 40), Unavailable),
        (chunked(INITIAL, event(b"no json", message_type="event", event_type="SubscribeToShardEvent")), Unavailable),
        (
            chunked(event({"message": "m"}, message_type="exception", exception_type="ResourceInUseException")),
            ResourceInUse,
        ),
        (
            chunked(event({"message": "m"}, message_type="exception", exception_type="KMSThrottlingException")),
            Throttled,
        ),
        (
            chunked(event({"message": "m"}, message_type="exception", exception_type="InternalFailureException")),
            Unavailable,
        ),
        (chunked(event(b"", message_type="error", error_code="Unheard", error_message="m")), Unavailable),
    ],
)
async def test_whatever_breaks_a_subscription_has_its_class(
    kinesis: FanOutApi, service: ScriptedService, answer: bytes, kind: type[AwsError]
) -> None:
    """Refused at the start, torn between or within events, garbled, or ended by an exception of the service's."""
    service.script.append(answer)
    with pytest.raises(kind):
        await subscribed(kinesis)


async def test_leaving_a_subscription_closes_its_connection(kinesis: FanOutApi, service: ScriptedService) -> None:
    """In the middle of the stream: the service must not go on pushing."""
    service.script.append(chunked(INITIAL, push("50"), push("51"), end=False))
    async with kinesis.subscribe(CONSUMER, "shard", StartAt("LATEST")) as events:
        async for pushed in events:
            assert pushed.continuation == "50"
            break
    service.script.append(chunked(INITIAL, push("52")))
    assert [pushed.continuation for pushed in await subscribed(kinesis)] == ["52"]
    assert service.connections == 2
