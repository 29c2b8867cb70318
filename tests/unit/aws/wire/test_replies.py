"""Every operation against every kind of garbage: an AwsError, or an answer that is right; nothing else, and nothing lost."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pollers.aws.api import BusEvent, StartAt
from pollers.aws.errors import AwsError, Unavailable
from pollers.aws.services.dynamodb_streams import DynamoDBStreamsClient
from pollers.aws.services.events import EventsClient
from pollers.aws.services.kinesis import KinesisClient, _pushed
from pollers.aws.services.sqs import SqsClient
from pollers.aws.wire import replies
from pollers.aws.wire.plain_records import are_plain
from pollers.sources.dynamodb.events import encoder as dynamodb_encoder
from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis import events as kinesis_events
from pollers.sources.kinesis.source import KinesisSource
from tests.worlds.wire_mutations import Mutation, Path, cuts, mutations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/done"
URL = "http://sqs.us-east-1.localhost/000000000000/orders"
SHARD = {
    "ShardId": "shardId-1",
    "ParentShardId": "shardId-0",
    "AdjacentParentShardId": "shardId-2",
    "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "9"},
}
CHILD = {"ShardId": "shardId-3", "ParentShards": ["shardId-1"]}
KINESIS_RECORD = {
    "SequenceNumber": "49590338271490256608559692538361571095921575989136588898",
    "ApproximateArrivalTimestamp": 1545084650.987,
    "Data": "SGVsbG8=",
    "PartitionKey": "1",
}
KINESIS_PAGE = {
    "Records": [KINESIS_RECORD, KINESIS_RECORD],
    "NextShardIterator": "next",
    "MillisBehindLatest": 1500,
    "ChildShards": [CHILD],
}
CHANGE = {
    "ApproximateCreationDateTime": 1545084650,
    "Keys": {"id": {"S": "1"}},
    "NewImage": {"id": {"S": "1"}},
    "OldImage": {"id": {"S": "1"}},
    "SequenceNumber": "111",
    "SizeBytes": 12,
    "StreamViewType": "NEW_AND_OLD_IMAGES",
}
DYNAMODB_RECORD = {
    "eventID": "e",
    "eventName": "REMOVE",
    "eventVersion": "1.1",
    "dynamodb": CHANGE,
    "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
}
MESSAGE = {
    "MessageId": "1",
    "ReceiptHandle": "handle",
    "MD5OfBody": "0cc175b9c0f1b6a831c399e269772661",
    "Body": "a",
    "Attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "MessageGroupId": "g",
        "SequenceNumber": "18849496460467696128",
        "AWSTraceHeader": "Root=1",
    },
    "MessageAttributes": {"colour": {"DataType": "String", "StringValue": "red"}},
    "MD5OfMessageAttributes": "0cc175b9c0f1b6a831c399e269772661",
}
QUEUE_ATTRIBUTES = {
    "VisibilityTimeout": "30",
    "ApproximateNumberOfMessages": "1",
    "ApproximateNumberOfMessagesNotVisible": "2",
    "ApproximateNumberOfMessagesDelayed": "3",
    "RedrivePolicy": '{"maxReceiveCount":3}',
}


class Replies:
    """Calls that are answered with one reply."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        """See :class:`pollers.aws.api.Calls`."""
        return self.body


@dataclass(frozen=True)
class Case:
    """One operation: a whole reply, a call that takes it, and the members that may be missing (``*`` stands for any index)."""

    service: str
    operation: str
    reply: dict[str, Any]
    call: Callable[[bytes], Awaitable[object]]
    optional: frozenset[str] = frozenset()

    def may_lack(self, path: Path) -> bool:
        """Whether the table lets this member be missing."""
        return ".".join("*" if isinstance(step, int) else step for step in path) in self.optional


def sqs(body: bytes) -> SqsClient:
    """A client of SQS that is answered so."""
    return SqsClient(Replies(body))


def kinesis(body: bytes) -> KinesisClient:
    """A client of Kinesis that is answered so."""
    return KinesisClient(Replies(body), None)  # type: ignore[arg-type] # nothing is sent through the SDK


def events(body: bytes) -> EventsClient:
    """A client of EventBridge that is answered so."""
    return EventsClient(Replies(body))


def dynamodb(body: bytes) -> DynamoDBStreamsClient:
    """A client of DynamoDB Streams that is answered so."""
    return DynamoDBStreamsClient(Replies(body))


async def read(source: KinesisSource | DynamoDBSource) -> list[object]:
    """All that a poller asks of a page."""
    page = await source.records("iterator", 10)
    return [
        source.encoder("shard")(page.records),
        source.sequence_numbers(page.records),
        source.arrivals(page.records, 0.0),
        source.keys(page.records),
        page.next_iterator,
        page.behind_seconds,
        page.children,
    ]


async def pushed(body: bytes) -> list[object]:
    """All that a poller asks of an event of a subscription."""

    async def payloads() -> AsyncIterator[tuple[str, bytes]]:
        yield "SubscribeToShardEvent", body

    [event] = [event async for event in _pushed(payloads())]
    encode = kinesis_events.page_encoder(STREAM)("shard")
    return [encode(event.records), event.continuation, event.behind_seconds, event.children]


RECORD_MAY_LACK = {"Records.*.ApproximateArrivalTimestamp", "Records.*.PartitionKey"}
PAGE_MAY_LACK = {"NextShardIterator", "MillisBehindLatest", "ChildShards", *RECORD_MAY_LACK}
SHARD_MAY_LACK = {
    f"Shards.*.{name}"
    for name in (
        "ParentShardId",
        "AdjacentParentShardId",
        "SequenceNumberRange.StartingSequenceNumber",
        "SequenceNumberRange.EndingSequenceNumber",
    )
}
CHANGE_MAY_LACK = {
    f"Records.*.dynamodb.{name}"
    for name in ("ApproximateCreationDateTime", "NewImage", "OldImage", "SizeBytes", "StreamViewType")
}
DYNAMODB_MAY_LACK = {
    "NextShardIterator",
    "Records.*.userIdentity",
    "Records.*.userIdentity.Type",
    "Records.*.userIdentity.PrincipalId",
    *CHANGE_MAY_LACK,
}
MESSAGE_MAY_LACK = {
    f"Messages.*.{name}"
    for name in ("MD5OfBody", "MD5OfMessageAttributes", "Attributes", "MessageAttributes", "MessageAttributes.colour")
} | {"Messages"}

CASES = [
    Case("sqs", "GetQueueUrl", {"QueueUrl": URL}, lambda body: sqs(body).queue_url("orders", "0")),
    Case(
        "sqs",
        "GetQueueAttributes",
        {"Attributes": QUEUE_ATTRIBUTES},
        lambda body: sqs(body).attributes(URL),
        frozenset(
            {
                "Attributes.RedrivePolicy",
                "Attributes.ApproximateNumberOfMessagesNotVisible",
                "Attributes.ApproximateNumberOfMessagesDelayed",
            }
        ),
    ),
    Case(
        "sqs",
        "ReceiveMessage",
        {"Messages": [MESSAGE, MESSAGE]},
        lambda body: sqs(body).receive(URL, maximum=10, wait_seconds=0),
        frozenset(MESSAGE_MAY_LACK),
    ),
    Case(
        "sqs",
        "DeleteMessageBatch",
        {"Successful": [{"Id": "0-0"}], "Failed": [{"Id": "0-1", "Code": "C", "Message": "m", "SenderFault": True}]},
        lambda body: sqs(body).delete(URL, ["a", "b"]),
        frozenset({"Successful", "Failed", "Failed.*.Message", "Failed.*.SenderFault"}),
    ),
    Case(
        "sqs",
        "ChangeMessageVisibilityBatch",
        {"Successful": [{"Id": "0-0"}, {"Id": "0-1"}], "Failed": []},
        lambda body: sqs(body).change_visibility(URL, [("a", 1), ("b", 2)]),
        frozenset({"Successful", "Failed"}),
    ),
    Case(
        "events",
        "PutEvents",
        {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]},
        lambda body: events(body).put(BusEvent(BUS, "lambda", "x", (BUS,), "{}")),
    ),
    Case("events", "DescribeEventBus", {"Arn": BUS}, lambda body: events(body).check_bus(BUS)),
    Case("sqs", "SendMessage", {"MessageId": "1"}, lambda body: sqs(body).send(URL, "x")),
    Case(
        "kinesis",
        "DescribeStreamSummary",
        {
            "StreamDescriptionSummary": {
                "StreamARN": STREAM,
                "StreamStatus": "ACTIVE",
                "StreamCreationTimestamp": 1.5,
                "RetentionPeriodHours": 24,
            }
        },
        lambda body: kinesis(body).describe(STREAM),
        frozenset({"StreamDescriptionSummary.RetentionPeriodHours"}),
    ),
    Case(
        "kinesis",
        "ListShards",
        {"Shards": [SHARD], "NextToken": ""},
        lambda body: kinesis(body).shards(STREAM),
        frozenset({"NextToken", *SHARD_MAY_LACK}),
    ),
    Case(
        "kinesis",
        "GetShardIterator",
        {"ShardIterator": "i"},
        lambda body: kinesis(body).iterator(STREAM, "shard", StartAt("LATEST")),
    ),
    Case(
        "kinesis",
        "GetRecords",
        KINESIS_PAGE,
        lambda body: read(KinesisSource(STREAM, kinesis(body))),
        frozenset(PAGE_MAY_LACK),
    ),
    Case(
        "kinesis",
        "GetRecords",
        KINESIS_PAGE,
        lambda body: read(KinesisSource(STREAM, kinesis(body), records_needed=False)),
        frozenset(PAGE_MAY_LACK),
    ),
    Case(
        "kinesis",
        "SubscribeToShard",
        {
            "Records": [KINESIS_RECORD],
            "ContinuationSequenceNumber": "50",
            "MillisBehindLatest": 0,
            "ChildShards": [CHILD],
        },
        pushed,
        frozenset({"ContinuationSequenceNumber", *PAGE_MAY_LACK}),
    ),
    Case(
        "dynamodb",
        "DescribeStream",
        {
            "StreamDescription": {
                "StreamArn": TABLE,
                "StreamStatus": "ENABLED",
                "CreationRequestDateTime": 1.5,
                "Shards": [SHARD],
            }
        },
        lambda body: dynamodb(body).describe(TABLE),
        frozenset({"StreamDescription.Shards", *(f"StreamDescription.{one}" for one in SHARD_MAY_LACK)}),
    ),
    Case(
        "dynamodb",
        "GetShardIterator",
        {"ShardIterator": "i"},
        lambda body: dynamodb(body).iterator(TABLE, "shard", StartAt("LATEST")),
    ),
    Case(
        "dynamodb",
        "GetRecords",
        {"Records": [DYNAMODB_RECORD], "NextShardIterator": "next"},
        lambda body: read(DynamoDBSource(TABLE, dynamodb(body))),
        frozenset(DYNAMODB_MAY_LACK),
    ),
    Case(
        "dynamodb",
        "GetRecords",
        {"Records": [DYNAMODB_RECORD], "NextShardIterator": "next"},
        lambda body: read(DynamoDBSource(TABLE, dynamodb(body), items_needed=False)),
        frozenset(DYNAMODB_MAY_LACK),
    ),
]


async def answered(case: Case, body: bytes) -> object:
    """What the call makes of a reply: its answer, or the AwsError."""
    try:
        return await case.call(body)
    except AwsError as error:
        return error


def test_the_table_has_every_operation() -> None:
    """Those of services whose replies we read ourselves."""
    ours = {
        "sqs": replies.SQS,
        "events": replies.EVENTS,
        "kinesis": replies.KINESIS,
        "dynamodb": replies.DYNAMODB_STREAMS,
    }
    assert {(case.service, case.operation) for case in CASES} == {
        (service, operation) for service, operations in ours.items() for operation in operations
    }


def named(case: Case) -> str:
    """For the test's name."""
    return f"{case.service} {case.operation}"


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_garbage_is_no_answer(case: Case) -> None:
    """Whatever is made of a reply: it is an error of the service's, or it says the same but for what may be missing."""
    right = await case.call(orjson.dumps(case.reply))
    for mutation in mutations(orjson.dumps(case.reply)):
        answer = await answered(case, mutation.body)
        if isinstance(answer, AwsError):
            assert isinstance(answer, Unavailable), mutation
            assert answer.code == "InvalidReply", mutation
            assert answer.operation == case.operation
            assert not (mutation.path and mutation.name == "dropped" and case.may_lack(mutation.path)), mutation
        else:
            assert answer == right or bearable(case, mutation), (mutation, answer)


UNREAD = ("SizeBytes", "StreamViewType", "AWSTraceHeader", "SentTimestamp", "RedrivePolicy", "NewImage", "OldImage")
"""Members that go into events as they came, or are read by who asks for them."""


def bearable(case: Case, mutation: Mutation) -> bool:
    """Whether another answer is right: a member that may be missing is, or one that nobody here reads is another."""
    path = mutation.path
    if path is None:
        return False
    if mutation.drops and case.may_lack(path):
        return True
    if any(step in UNREAD for step in path) or (case.operation == "ReceiveMessage" and len(path) > 3):
        return True
    below = case.operation.startswith("DescribeStream") and "Shards" in path
    below = below or "Keys" in path[:-1] or (case.operation == "GetQueueAttributes" and mutation.name == "number")
    number = mutation.name in ("number", "fraction", "no number") and path[-1] in (
        "StreamCreationTimestamp",
        "CreationRequestDateTime",
        "ApproximateArrivalTimestamp",
        "ApproximateCreationDateTime",
        "MillisBehindLatest",
        "RetentionPeriodHours",
        "VisibilityTimeout",
    )
    # The last of two members of one name counts, as in every reader of JSON; but never an empty list of records.
    return below or number or (mutation.name == "repeated" and path[-1] != "Records")


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_reply_cut_anywhere_is_no_answer(case: Case) -> None:
    """Also where a proxy has announced the length of what it had."""
    for mutation in cuts(orjson.dumps(case.reply)):
        assert isinstance(await answered(case, mutation.body), Unavailable), mutation


@pytest.mark.parametrize(
    ("case", "other"),
    [pair for pair in itertools.permutations(CASES, 2) if pair[0].reply.keys() != pair[1].reply.keys()],
    ids=lambda case: named(case),
)
async def test_another_operations_reply_is_no_answer(case: Case, other: Case) -> None:
    """Replies of calls whose members have other names; those of equal form are for what they name to tell apart."""
    answer = await answered(case, orjson.dumps(other.reply))
    if case.operation == "ReceiveMessage":
        assert answer == []  # an object without messages is what an empty queue answers
    elif "Records" in other.reply and isinstance(answer, list):
        # A page of Kinesis and an event of a subscription differ in one name: the end that such a page claims is for its reader.
        assert {case.operation, other.operation} == {"GetRecords", "SubscribeToShard"}
    else:
        assert isinstance(answer, Unavailable), answer


async def test_an_empty_object_is_an_answer_of_a_receive_and_of_nothing_else() -> None:
    """SQS leaves the list out when there are no messages."""
    for case in CASES:
        answer = await answered(case, b"{}")
        assert answer == [] if case.operation == "ReceiveMessage" else isinstance(answer, Unavailable), case


async def test_a_fifo_message_names_its_group_and_place() -> None:
    """Without them it would run beside others of its group, or before them."""
    queue = URL + ".fifo"
    bad: tuple[dict[str, object], ...] = (
        {"MessageGroupId": "", "SequenceNumber": "1"},
        {"MessageGroupId": 7, "SequenceNumber": "1"},
        {"MessageGroupId": "g", "SequenceNumber": "x"},
        {"MessageGroupId": "g"},
        {"SequenceNumber": "1"},
        {},
    )
    for attributes in bad:
        body = orjson.dumps({"Messages": [{**MESSAGE, "Attributes": attributes}]})
        with pytest.raises(Unavailable):
            await sqs(body).receive(queue, maximum=1, wait_seconds=0)
    good = orjson.dumps({"Messages": [MESSAGE]})
    assert await sqs(good).receive(queue, maximum=1, wait_seconds=0) == [MESSAGE]


async def test_the_reply_to_another_batch_call_confirms_nothing() -> None:
    """For instance the last one's, which came twice."""
    client = sqs(orjson.dumps({"Successful": [{"Id": "0-0"}]}))
    assert await client.delete(URL, ["a"]) == []
    assert [entry.code for entry in await client.delete(URL, ["b"])] == ["Unconfirmed"]
    assert [entry.code for entry in await client.change_visibility(URL, [("b", 1)])] == ["Unconfirmed"]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5_000])
@pytest.mark.parametrize("key", [b"plain", b"\\ud800"])
async def test_what_is_no_number_is_no_answer(number: bytes, key: bytes) -> None:
    """Whichever decoder reads it: lone surrogates are read by another."""
    body = orjson.dumps(KINESIS_PAGE).replace(b"1545084650.987", number).replace(b'"1"', b'"' + key + b'"')
    for source in (KinesisSource(STREAM, kinesis(body)), KinesisSource(STREAM, kinesis(body), records_needed=False)):
        with pytest.raises(Unavailable):
            await read(source)


async def test_pages_that_nothing_was_done_to_are_taken_by_the_fast_decoders() -> None:
    """The cases above are of both."""
    page = await kinesis(orjson.dumps(KINESIS_PAGE)).sliced_records(STREAM, "i", 1)
    assert are_plain(page.records)
    body = orjson.dumps({"Records": [DYNAMODB_RECORD]})
    sliced = await dynamodb(body).sliced_records(TABLE, "i", 1)
    assert not isinstance(sliced.records[0]["dynamodb"]["Keys"], dict)
    assert dynamodb_encoder(TABLE)("shard")(sliced.records[0])
