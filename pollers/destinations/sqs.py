"""Failure records to a standard SQS queue: the record is the message's body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import domain_of
from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.destinations.destination import DestinationKind, DestinationUnusable

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import Aws, SqsApi
    from pollers.destinations.destination import Origin
    from pollers.destinations.record import FailureRecord


class QueueDestination:
    """A queue that takes failure records; implements ``Destination``."""

    def __init__(self, arn: Arn, sqs: SqsApi) -> None:
        self._arn = arn
        self._sqs = sqs
        self._url: str | None = None

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return self._arn.text

    async def check(self) -> str | None:
        """See ``Destination.check``."""
        try:
            await self._find()
        except (NotFound, Refused) as error:
            raise DestinationUnusable(
                f"the on-failure queue {self.arn} cannot be used ({error}); create it, or correct destination_config"
            ) from error
        except AccessDenied as error:
            self._url = _usual_url(self._arn)
            return f"whether the on-failure queue {self.arn} exists cannot be asked ({error})"
        return None

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """See ``Destination.deliver``; the event is left out."""
        url = self._url or await self._find()
        await self._sqs.send(url, failure.encode().decode())

    async def _find(self) -> str:
        self._url = await self._sqs.queue_url(self._arn.resource, self._arn.account)
        return self._url


def _usual_url(arn: Arn) -> str:
    """The queue's URL where GetQueueUrl is not permitted (Lambda needs only sqs:SendMessage for a destination)."""
    return f"https://sqs.{arn.region}.{domain_of(arn.region)}/{arn.account}/{arn.resource}"


async def _make(arn: Arn, aws: Aws, _origin: Origin) -> QueueDestination:
    return QueueDestination(arn, await aws.client(services.SQS, arn.region))


QUEUE = DestinationKind(services.SQS.name, "an SQS queue", _make)
