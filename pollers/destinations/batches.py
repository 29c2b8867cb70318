"""Destinations of streams: the failure records of discarded batches (docs/lambda 4.10)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio.lowlevel
import orjson

from config import parse_arn
from pollers.destinations.destination import Message, Purpose, Use, Ways, make
from pollers.destinations.s3 import BUCKET, dated_key
from pollers.destinations.sns import TOPIC
from pollers.destinations.sqs import QUEUE

if TYPE_CHECKING:
    from pollers.aws.api import Aws
    from pollers.destinations.destination import Destination
    from pollers.destinations.record import FailureRecord

_PIECE_CHARACTERS = 2 * 1024 * 1024
_MAPPINGS = uuid.UUID("3d0c5b0e-6a55-5d0a-9a54-0f3ad1f1c7a5")


def mapping_uuid(mapping: str, event_source_arn: str) -> uuid.UUID:
    """The mapping's UUID: made from its name and source, so that it stays the same over restarts and machines."""
    return uuid.uuid5(_MAPPINGS, f"{mapping}\n{event_source_arn}")


@dataclass(frozen=True, slots=True)
class BatchReport:
    """The report of a discarded batch. ``event`` is the whole event of the batch; only buckets keep it."""

    failure: FailureRecord
    event: bytes
    mapping: uuid.UUID

    def message(self) -> Message:
        """The record alone."""
        return Message(self.failure.encode().decode())

    def object_key(self) -> str:
        """``aws/lambda/<mapping>/<shard>/`` and the date."""
        folder = f"aws/lambda/{self.mapping}/{self.failure.shard_id}"
        return dated_key(folder, self.failure.timestamp, self.failure.encode())

    async def object_body(self) -> bytes:
        """The record with ``payload``, the event as one escaped JSON string.

        The event of an oversized record has up to 14 MB. It is escaped in pieces, so that the event loop is not blocked for long.
        """
        text = self.event.decode()
        pieces = [self.failure.encode()[:-1], b',"payload":"']
        for start in range(0, len(text), _PIECE_CHARACTERS):
            pieces.append(orjson.dumps(text[start : start + _PIECE_CHARACTERS])[1:-1])
            await anyio.lowlevel.checkpoint()
        return b"".join((*pieces, b'"}'))


BATCH_FAILURE: Purpose[BatchReport] = Purpose(
    Use("on-failure", "destination_config"), "on-failure destinations", (QUEUE, TOPIC, BUCKET)
)


class BatchDestination(Protocol):
    """Where the failure records of one mapping go."""

    @property
    def arn(self) -> str:
        """The ARN, as configured."""

    async def check(self) -> str | None:
        """See :class:`pollers.destinations.destination.Destination`."""

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """Deliver one record. ``event`` is the whole event of the discarded batch; only S3 keeps it.

        Raises :class:`pollers.aws.errors.AwsError`; the checkpoint must not move before the call returned.
        """


class MappingDestination:
    """Implements :class:`BatchDestination` for one mapping."""

    def __init__(self, destination: Destination[BatchReport], mapping: uuid.UUID) -> None:
        self._destination = destination
        self._mapping = mapping

    @property
    def arn(self) -> str:
        """See :class:`BatchDestination`."""
        return self._destination.arn

    async def check(self) -> str | None:
        """See :class:`BatchDestination`."""
        return await self._destination.check()

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """See :class:`BatchDestination`."""
        await self._destination.deliver(BatchReport(failure, event, self._mapping))


async def make_destination(arn: str, aws: Aws, *, mapping: str, event_source_arn: str) -> BatchDestination:
    """The destination of ``mapping``, by the service that its ARN names. A bucket's client is one of the source's region.

    Raises :class:`DestinationUnusable` for an ARN of anything else.
    """
    ways = Ways(aws, parse_arn(event_source_arn).region)
    return MappingDestination(await make(arn, BATCH_FAILURE, ways), mapping_uuid(mapping, event_source_arn))
