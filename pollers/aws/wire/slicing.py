"""GetRecords of DynamoDB Streams with the items left as the text that the service sent.

An item's images are most of a reply, and a function wants them exactly as they came: taken apart and put together again they
cost 17 µs a record, cut out of the reply 2.5 µs. What a poller itself asks of a record is decoded as usual.
"""

from __future__ import annotations

from operator import itemgetter
from time import thread_time
from typing import TYPE_CHECKING, Required, TypedDict

import msgspec

from pollers.aws.wire.replies import Identity, Name  # noqa: TC001 - msgspec reads the annotations at run time

if TYPE_CHECKING:
    from collections.abc import Iterable


class Change(TypedDict, total=False):
    """A stream record. A ``Raw`` is JSON text: a slice of the reply, which it keeps alive."""

    ApproximateCreationDateTime: float
    # Required like the number, but msgspec takes no Raw for a required member: it is looked for below.
    Keys: msgspec.Raw
    NewImage: msgspec.Raw
    OldImage: msgspec.Raw
    SequenceNumber: Required[Name]
    SizeBytes: msgspec.Raw
    StreamViewType: msgspec.Raw


class Record(TypedDict, total=False):
    """A record of the reply, as far as Lambda's events have it."""

    dynamodb: Required[Change]
    eventID: Required[Name]
    eventName: Required[Name]
    eventVersion: Required[Name]
    userIdentity: Identity


class Reply(TypedDict, total=False):
    """The reply."""

    Records: Required[list[Record]]
    NextShardIterator: Name | None


_first = itemgetter(0)
_OBJECT = {ord("{")}
_OBJECT_OR_NULL = {ord("{"), ord("n")}
_decode = msgspec.json.Decoder(Reply).decode


def _starts(texts: Iterable[msgspec.Raw]) -> set[int]:
    """The first byte of each, which tells whether it is an object: 0.1 µs each."""
    return set(map(_first, map(memoryview, texts)))  # type: ignore[arg-type] # a Raw is a buffer


def sliced_page(body: bytes) -> tuple[Reply, float] | None:
    """The reply with its items as slices, and the seconds of CPU that it took; None when it is not as expected.

    Then it must be decoded whole, which says what is wrong or copes with it.
    """
    begun = thread_time()
    try:
        reply = _decode(body)
        changes = [record["dynamodb"] for record in reply["Records"]]
        keys = [change["Keys"] for change in changes]
    except (msgspec.DecodeError, RecursionError, KeyError):  # ValidationError is one of the first
        return None
    images = [change["NewImage"] for change in changes if "NewImage" in change]
    images += [change["OldImage"] for change in changes if "OldImage" in change]
    if _starts(keys) - _OBJECT or _starts(images) - _OBJECT_OR_NULL:
        return None
    return reply, thread_time() - begun
