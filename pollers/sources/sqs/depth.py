"""How much a queue holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws import services
from pollers.telemetry.facts import Depth

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import Aws


class QueueDepth:
    """Asks one queue, again and again; its URL is asked for once."""

    def __init__(self, arn: Arn, aws: Aws) -> None:
        self._arn = arn
        self._aws = aws
        self._url: str | None = None

    async def __call__(self) -> Depth:
        """See ``DepthSampler``."""
        sqs = await self._aws.client(services.SQS, self._arn.region)
        if self._url is None:
            self._url = await sqs.queue_url(self._arn.resource, self._arn.account)
        attributes = await sqs.attributes(self._url)

        def number(name: str) -> int:
            return int(attributes.get(f"ApproximateNumberOfMessages{name}", 0))

        return Depth(number(""), number("NotVisible"), number("Delayed"))
