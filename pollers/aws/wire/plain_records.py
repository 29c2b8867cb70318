"""GetRecords of Kinesis, decoded no further than an event needs, where every text of the reply is plain.

A reply without a backslash has no escapes: each of its texts stands in an event just as it stands in the reply, with nothing to be
looked at or spelled anew. Such a page is decoded into records of fixed members, for half of what dictionaries cost.
"""

from __future__ import annotations

from time import thread_time
from typing import TYPE_CHECKING, TypeGuard

import msgspec

from pollers.aws.wire.replies import Child, Count, Name  # noqa: TC001 - msgspec reads the annotations at run time

if TYPE_CHECKING:
    from collections.abc import Sequence


class PlainRecord(msgspec.Struct, frozen=True, gc=False):
    """A record with all of its members, named as the service names them. Its texts need no escapes in JSON."""

    SequenceNumber: Name
    PartitionKey: str
    Data: str
    ApproximateArrivalTimestamp: int | float


class PlainReply(msgspec.Struct):
    """The reply."""

    Records: list[PlainRecord]
    NextShardIterator: Name | None = None
    MillisBehindLatest: Count | None = None
    ChildShards: list[Child] | None = None


def are_plain(records: Sequence[object]) -> TypeGuard[Sequence[PlainRecord]]:
    """Whether these records of one page are plain ones: all of them are, or none."""
    return bool(records) and type(records[0]) is PlainRecord


_decode = msgspec.json.Decoder(PlainReply).decode


def plain_page(body: bytes) -> tuple[PlainReply, float] | None:
    """The reply, and the seconds of CPU that it took; None when it is not plain or not as expected.

    Then it must be decoded whole, which says what is wrong or copes with it.
    """
    begun = thread_time()
    if b"\\" in body:
        return None
    try:
        reply = _decode(body)
    except (msgspec.DecodeError, RecursionError):  # ValidationError is one
        return None
    return reply, thread_time() - begun
