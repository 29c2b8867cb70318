"""Failure records to an S3 bucket, one object each, with the whole event as ``payload`` (docs/lambda 4.10)."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio.lowlevel
import orjson

from config import parse_arn
from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.destinations.destination import DestinationKind, DestinationUnusable

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import Aws, S3Api
    from pollers.destinations.destination import Origin
    from pollers.destinations.record import FailureRecord

_PIECE_CHARACTERS = 2 * 1024 * 1024
_MAPPINGS = uuid.UUID("3d0c5b0e-6a55-5d0a-9a54-0f3ad1f1c7a5")


def mapping_uuid(mapping: str, event_source_arn: str) -> uuid.UUID:
    """The mapping's UUID: made from its name and source, so that it stays the same over restarts and machines."""
    return uuid.uuid5(_MAPPINGS, f"{mapping}\n{event_source_arn}")


def object_key(mapping: uuid.UUID, failure: FailureRecord) -> str:
    """``aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random UUID>``, by the record's own time.

    The UUID is a hash of the record, so it is different for different records and the same for the same one: a delivery that is
    repeated because its reply was lost writes the same object again.
    """
    when = datetime.fromtimestamp(failure.timestamp, UTC)
    unique = uuid.UUID(bytes=hashlib.blake2b(failure.encode(), digest_size=16).digest(), version=4)
    return f"aws/lambda/{mapping}/{failure.shard_id}/{when:%Y/%m/%d}/{when:%Y-%m-%dT%H.%M.%S}-{unique}"


async def object_body(failure: FailureRecord, event: bytes) -> bytes:
    """The record with ``payload``, the event as one escaped JSON string.

    The event of an oversized record has up to 14 MB. It is escaped in pieces, so that the event loop is not blocked for long.
    """
    text = event.decode()
    pieces = [failure.encode()[:-1], b',"payload":"']
    for start in range(0, len(text), _PIECE_CHARACTERS):
        pieces.append(orjson.dumps(text[start : start + _PIECE_CHARACTERS])[1:-1])
        await anyio.lowlevel.checkpoint()
    return b"".join((*pieces, b'"}'))


class BucketDestination:
    """A bucket that takes failure records; implements ``Destination``."""

    def __init__(self, arn: Arn, s3: S3Api, mapping: uuid.UUID) -> None:
        self._arn = arn
        self._s3 = s3
        self._mapping = mapping

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return self._arn.text

    async def check(self) -> str | None:
        """See ``Destination.check``. Lambda needs s3:ListBucket too, so a refused request is a fault of the configuration."""
        try:
            await self._s3.check_bucket(self._arn.resource)
        except (NotFound, Refused) as error:
            raise DestinationUnusable(
                f"the on-failure bucket {self.arn} cannot be used ({error}); create it, or correct destination_config"
            ) from error
        except AccessDenied as error:
            raise DestinationUnusable(
                f"the on-failure bucket {self.arn} may not be used ({error}); permit s3:ListBucket and s3:PutObject"
            ) from error
        return None

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """See ``Destination.deliver``."""
        key = object_key(self._mapping, failure)
        await self._s3.put(self._arn.resource, key, await object_body(failure, event))


async def _make(arn: Arn, aws: Aws, origin: Origin) -> BucketDestination:
    """A bucket's ARN names no region, so the region of the source is used."""
    region = parse_arn(origin.event_source_arn).region
    mapping = mapping_uuid(origin.mapping, origin.event_source_arn)
    return BucketDestination(arn, await aws.client(services.S3, region), mapping)


BUCKET = DestinationKind(services.S3.name, "an S3 bucket", _make)
