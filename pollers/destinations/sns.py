"""Reports to a standard SNS topic: the report is the notification's ``Message``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.targets import Target
from pollers.aws import services
from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.destinations.destination import DestinationKind, DestinationUnusable, Messaged
from pollers.destinations.limits import TOPIC_BYTES, check_size, message_bytes

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import SnsApi
    from pollers.destinations.destination import Use, Ways


class TopicDestination:
    """A topic that takes reports; implements ``Destination``."""

    def __init__(self, arn: str, sns: SnsApi, use: Use) -> None:
        self._arn = arn
        self._sns = sns
        self._use = use

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
                f"the {self._use.called} topic {self._arn} cannot be used ({error}); create it, or correct {self._use.setting}"
            ) from error
        except AccessDenied as error:
            return f"whether the {self._use.called} topic {self._arn} exists cannot be asked ({error})"
        return None

    async def deliver(self, report: Messaged) -> None:
        """See ``Destination.deliver``."""
        message = report.message()
        check_size(message_bytes(message), TOPIC_BYTES, "an SNS topic")
        await self._sns.publish(self._arn, message.body, attributes=message.attributes)


async def _make(arn: Arn, ways: Ways, use: Use) -> TopicDestination:
    return TopicDestination(arn.text, await ways.aws.client(services.SNS, arn.region), use)


TOPIC: DestinationKind[Messaged] = DestinationKind(Target.TOPIC, _make)
