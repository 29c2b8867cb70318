"""Failure records to a standard SNS topic: the record is the notification's ``Message``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.destinations.destination import DestinationKind, DestinationUnusable

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import Aws, SnsApi
    from pollers.destinations.destination import Origin
    from pollers.destinations.record import FailureRecord


class TopicDestination:
    """A topic that takes failure records; implements ``Destination``."""

    def __init__(self, arn: str, sns: SnsApi) -> None:
        self._arn = arn
        self._sns = sns

    @property
    def arn(self) -> str:
        """The topic's ARN."""
        return self._arn

    async def check(self) -> str | None:
        """See ``Destination.check``."""
        try:
            await self._sns.check_topic(self._arn)
        except (NotFound, Refused) as error:
            raise DestinationUnusable(
                f"the on-failure topic {self._arn} cannot be used ({error}); create it, or correct destination_config"
            ) from error
        except AccessDenied as error:
            return f"whether the on-failure topic {self._arn} exists cannot be asked ({error})"
        return None

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """See ``Destination.deliver``; the event is left out."""
        await self._sns.publish(self._arn, failure.encode().decode())


async def _make(arn: Arn, aws: Aws, _origin: Origin) -> TopicDestination:
    return TopicDestination(arn.text, await aws.client(services.SNS, arn.region))


TOPIC = DestinationKind(services.SNS.name, "an SNS topic", _make)
