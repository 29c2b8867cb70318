"""Reports to an S3 bucket, one object each."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from config.text.targets import Target
from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.destinations.destination import DestinationKind, DestinationUnusable, Stored

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import S3Api
    from pollers.destinations.destination import Use, Ways


def dated_key(folder: str, timestamp: float, report: bytes) -> str:
    """``FOLDER/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random UUID>``, by the report's own time.

    The UUID is a hash of the report, so it is different for different reports and the same for the same one.
    """
    when = datetime.fromtimestamp(timestamp, UTC)
    unique = uuid.UUID(bytes=hashlib.blake2b(report, digest_size=16).digest(), version=4)
    return f"{folder}/{when:%Y/%m/%d}/{when:%Y-%m-%dT%H.%M.%S}-{unique}"


class BucketDestination:
    """A bucket that takes reports; implements ``Destination``."""

    def __init__(self, arn: Arn, s3: S3Api, use: Use) -> None:
        self._arn = arn
        self._s3 = s3
        self._use = use

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
                f"the {self._use.called} bucket {self.arn} cannot be used ({error}); create it, or correct {self._use.setting}"
            ) from error
        except AccessDenied as error:
            raise DestinationUnusable(
                f"the {self._use.called} bucket {self.arn} may not be used ({error}); permit s3:ListBucket and s3:PutObject"
            ) from error
        return None

    async def deliver(self, report: Stored) -> None:
        """See ``Destination.deliver``."""
        await self._s3.put(self._arn.resource, report.object_key(), await report.object_body())


async def _make(arn: Arn, ways: Ways, use: Use) -> BucketDestination:
    return BucketDestination(arn, await ways.aws.client(services.S3, ways.region), use)


BUCKET: DestinationKind[Stored] = DestinationKind(Target.BUCKET, _make)
