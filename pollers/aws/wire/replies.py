"""Which members the reply of each operation must have and which may be missing; said in this one place (docs/design, decision 12).

A reply that says success is believed only when it is a JSON object with the members that are ``Required`` here (of structs: those
without a default), each of its type; a member that is not required may be absent, and null where its type says so. Members that
nobody here reads are not looked at.

What is missing by right:

- ReceiveMessage leaves ``Messages`` out when there are none: ``{}`` is an answer, an empty body is not.
- GetRecords leaves ``NextShardIterator`` out, or null, when a shard has ended; SubscribeToShard ``ContinuationSequenceNumber``.
  That is a claim, for which the reader wants further evidence.
- Batch calls leave out whichever of ``Successful`` and ``Failed`` is empty. An entry that neither mentions has failed.
- PutEvents gives an entry either an id or an error; an entry with neither is not confirmed.
- Listings leave out the token of the next page on the last one, a shard's parents when it has none (any more), and the end of its
  range while it is open.
- A record of Kinesis may have no ``PartitionKey`` (docs/lambda 4.1), and records and messages no time of arrival.

One record of a wrong shape makes its whole page no answer: it is asked for again, with growing delays, and nothing behind it is
read until the service sends it as it should be. Passing over it would lose it.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, Required, TypeAlias, TypedDict

import msgspec
import orjson
from msgspec import Meta

from pollers.aws.errors import INVALID_REPLY, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.aws.api import Wire

Name = Annotated[str, Meta(min_length=1)]
Number = Annotated[str, Meta(pattern=r"\A[0-9]{1,200}\Z")]
"""A sequence number: text, of digits alone."""
Count = Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]
Scalar = str | int | float


class _Url(TypedDict, total=False):
    QueueUrl: Required[Name]


class _Attributes(TypedDict, total=False):
    Attributes: Required[dict[str, Scalar | bool]]


# What comes with each message is looked at as structs: a third of what dictionaries cost, which would be made anew.
class MessageAttribute(msgspec.Struct, gc=False):
    """What the sender has added to a message."""

    DataType: str | None = None
    StringValue: str | None = None
    BinaryValue: str | None = None


class Message(msgspec.Struct, gc=False):
    """A message as it is received."""

    MessageId: Name
    ReceiptHandle: Name
    Body: str
    MD5OfBody: str | None = None
    Attributes: dict[str, Scalar] | None = None
    MessageAttributes: dict[str, MessageAttribute] | None = None
    MD5OfMessageAttributes: str | None = None


class _Messages(msgspec.Struct, gc=False):
    Messages: list[Message] | None = None


class _Done(msgspec.Struct, gc=False):
    Id: Name


class _Refused(msgspec.Struct, gc=False):
    Id: Name
    Code: Name
    Message: str | None = None
    SenderFault: bool | None = None


class _Batch(msgspec.Struct, gc=False):
    Successful: list[_Done] | None = None
    Failed: list[_Refused] | None = None


class _Sent(TypedDict, total=False):
    MessageId: Required[Name]


class _PutEntry(TypedDict, total=False):
    EventId: str | None
    ErrorCode: str | None
    ErrorMessage: str | None


class _PutEntries(TypedDict, total=False):
    FailedEntryCount: Required[Annotated[int, Meta(ge=0)]]
    Entries: Required[list[_PutEntry]]


class _Bus(TypedDict, total=False):
    Arn: Required[Name]


class _Summary(TypedDict, total=False):
    StreamARN: Required[Name]
    StreamStatus: Required[Name]
    # Part of a stream's identity: were it missing once, its checkpoints would be taken for another stream's.
    StreamCreationTimestamp: Required[Scalar]
    RetentionPeriodHours: Count | None


class _StreamSummary(TypedDict, total=False):
    StreamDescriptionSummary: Required[_Summary]


class _Range(TypedDict, total=False):
    StartingSequenceNumber: Number | None
    EndingSequenceNumber: Number | None


class _Shard(TypedDict, total=False):
    ShardId: Required[Name]
    ParentShardId: str | None
    AdjacentParentShardId: str | None
    SequenceNumberRange: Required[_Range]


class _ShardPage(TypedDict, total=False):
    Shards: Required[list[_Shard]]
    NextToken: str | None


class _Iterator(TypedDict, total=False):
    ShardIterator: Required[Name]


class KinesisRecord(TypedDict, total=False):
    """A record of Kinesis."""

    SequenceNumber: Required[Name]
    Data: Required[str]
    PartitionKey: str | None
    ApproximateArrivalTimestamp: int | float


class Child(TypedDict, total=False):
    """A child: it continues a shard that has ended."""

    ShardId: Required[Name]
    ParentShards: Required[list[Name]]


class _KinesisPage(TypedDict, total=False):
    Records: Required[list[KinesisRecord]]
    NextShardIterator: Name | None
    MillisBehindLatest: Count | None
    ChildShards: list[Child] | None


class _Event(TypedDict, total=False):
    Records: Required[list[KinesisRecord]]
    ContinuationSequenceNumber: Number | None
    MillisBehindLatest: Count | None
    ChildShards: list[Child] | None


class _Description(TypedDict, total=False):
    StreamArn: Required[Name]
    StreamStatus: Required[Name]
    CreationRequestDateTime: Required[Scalar]
    Shards: list[_Shard] | None
    LastEvaluatedShardId: str | None


class _Stream(TypedDict, total=False):
    StreamDescription: Required[_Description]


class Identity(TypedDict, total=False):
    """Which service made the change, if it was not a user."""

    Type: str | None
    PrincipalId: str | None


class _Change(TypedDict, total=False):
    SequenceNumber: Required[Name]
    # Objects, which their client looks at: here every attribute of theirs would be copied.
    Keys: Required[Any]
    NewImage: Any
    OldImage: Any
    ApproximateCreationDateTime: int | float


class _DynamoDBRecord(TypedDict, total=False):
    dynamodb: Required[_Change]
    eventID: Required[Name]
    eventName: Required[Name]
    eventVersion: Required[Name]
    userIdentity: Identity | None


class _DynamoDBPage(TypedDict, total=False):
    Records: Required[list[_DynamoDBRecord]]
    NextShardIterator: Name | None


Replies: TypeAlias = "Mapping[str, Any]"
"""What the operations of one service must answer with, by operation. A service that is not here has its own beside its client."""

SQS: Final[Replies] = {
    "GetQueueUrl": _Url,
    "GetQueueAttributes": _Attributes,
    "ReceiveMessage": _Messages,
    "DeleteMessageBatch": _Batch,
    "ChangeMessageVisibilityBatch": _Batch,
    "SendMessage": _Sent,
}
KINESIS: Final[Replies] = {
    "DescribeStreamSummary": _StreamSummary,
    "ListShards": _ShardPage,
    "GetShardIterator": _Iterator,
    "GetRecords": _KinesisPage,
    "SubscribeToShard": _Event,
}
DYNAMODB_STREAMS: Final[Replies] = {
    "DescribeStream": _Stream,
    "GetShardIterator": _Iterator,
    "GetRecords": _DynamoDBPage,
}
SNS: Final[Replies] = {"Publish": _Sent, "GetTopicAttributes": _Attributes}
"""It answers in XML, which the SDK reads."""
EVENTS: Final[Replies] = {"PutEvents": _PutEntries, "DescribeEventBus": _Bus}


def believed(body: bytes, replies: Replies, operation: str) -> Wire:
    """The JSON object of a successful reply, as the service sent it. Raises Unavailable when it cannot be believed."""
    try:
        value = _parsed(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"the reply is not JSON: {error}", operation) from error
    return checked(value, replies, operation)


def checked(value: object, replies: Replies, operation: str) -> Wire:
    """The same for a reply that has been decoded. Takes 0.2 µs a record."""
    if not isinstance(value, dict):
        raise invalid(f"the reply is no JSON object but {type(value).__name__}", operation)
    try:
        msgspec.convert(value, replies[operation])
    except (msgspec.ValidationError, RecursionError) as error:
        raise invalid(f"the reply has not what it should: {error}", operation) from error
    return value


def once(body: bytes, member: str, operation: str) -> None:
    """Raises Unavailable when an object in ``body`` has this member twice: whatever is read, something else is lost.

    For what says that there is nothing: a list in front of an empty one of the same name would be passed over.
    """
    if body.count(b'"%b"' % member.encode()) < 2:
        return
    try:
        json.loads(body, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        raise invalid(str(error), operation) from error


def invalid(message: str, operation: str) -> Unavailable:
    """The error for a reply that cannot be believed: a failed call, to be tried again."""
    return Unavailable(INVALID_REPLY, message, operation=operation)


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the reply has a member twice")
    return members


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - JSON of any kind
    """The value; orjson refuses escapes of lone surrogates, on which a stream with such a record would be stuck for ever."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body, parse_constant=_refused, parse_float=_finite)


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is beyond any number")
    return number
