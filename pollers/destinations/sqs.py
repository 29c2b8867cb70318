"""Reports to a standard SQS queue: the report is the message's body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import domain_of
from config.text.targets import Target
from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.destinations.destination import DestinationKind, DestinationUnusable, Messaged
from pollers.destinations.limits import QUEUE_BYTES, check_characters, check_size, message_bytes

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import SqsApi
    from pollers.destinations.destination import Use, Ways


class QueueDestination:
    """A queue that takes reports; implements ``Destination``."""

    def __init__(self, arn: Arn, sqs: SqsApi, use: Use) -> None:
        self._arn = arn
        self._sqs = sqs
        self._use = use
        self._url: str | None = None

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return self._arn.text

    async def check(self) -> str | None:
        """See ``Destination.check``."""
        try:
            self._url = await self._asked()
        except (NotFound, Refused) as error:
            raise DestinationUnusable(
                f"the {self._use.called} queue {self.arn} cannot be used ({error}); create it, or correct {self._use.setting}"
            ) from error
        except AccessDenied as error:
            self._url = _usual_url(self._arn)
            return f"whether the {self._use.called} queue {self.arn} exists cannot be asked ({error})"
        return None

    async def deliver(self, report: Messaged) -> None:
        """See ``Destination.deliver``."""
        message = report.message()
        check_size(message_bytes(message), QUEUE_BYTES, "an SQS queue")
        check_characters(message.body)
        url = self._url = self._url or await self._find()
        try:
            await self._sqs.send(url, message.body, attributes=message.attributes, trace_header=message.trace_header)
        except NotFound:
            self._url = None  # it may be created again, under another URL
            raise

    async def _find(self) -> str:
        """The URL, also where nobody checked the queue before and the role may only send."""
        try:
            return await self._asked()
        except AccessDenied:
            return _usual_url(self._arn)

    async def _asked(self) -> str:
        return await self._sqs.queue_url(self._arn.resource, self._arn.account)


def _usual_url(arn: Arn) -> str:
    """The queue's URL where GetQueueUrl is not permitted (Lambda needs only sqs:SendMessage for a destination)."""
    return f"https://sqs.{arn.region}.{domain_of(arn.region)}/{arn.account}/{arn.resource}"


async def _make(arn: Arn, ways: Ways, use: Use) -> QueueDestination:
    return QueueDestination(arn, await ways.aws.client(services.SQS, arn.region), use)


QUEUE: DestinationKind[Messaged] = DestinationKind(Target.QUEUE, _make)
