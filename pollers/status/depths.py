"""Asks each queue how much it holds, now and then, for the console and the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from config.models import SqsMapping
from pollers.aws import services
from pollers.aws.errors import AwsError
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import Depth

if TYPE_CHECKING:
    from pollers.aws.api import Aws
    from pollers.supervisor.runtime import Runtime
    from pollers.telemetry.board import Board

log = structlog.stdlib.get_logger(__name__)

EVERY_SECONDS = 15.0
"""Four requests a minute and queue; that much accuracy is what the attributes have (SQS updates them within a minute)."""
ANSWER_SECONDS = 10.0


class Depths:
    """The sampler. A queue that does not answer keeps the depth that was last seen: its poller reports the fault."""

    def __init__(self, runtime: Runtime, aws: Aws, board: Board) -> None:
        self._runtime = runtime
        self._aws = aws
        self._board = board
        self._urls: dict[str, str] = {}

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            for runner in list(self._runtime.mappings.values()):
                if isinstance(runner.model, SqsMapping) and runner.state is MappingState.RUNNING:
                    await self._sample(runner.model)
            await anyio.sleep(EVERY_SECONDS)

    async def _sample(self, mapping: SqsMapping) -> None:
        arn = mapping.arn
        try:
            with anyio.move_on_after(ANSWER_SECONDS):
                sqs = await self._aws.client(services.SQS, arn.region)
                url = self._urls.get(mapping.event_source_arn) or await sqs.queue_url(arn.resource, arn.account)
                self._urls[mapping.event_source_arn] = url
                attributes = await sqs.attributes(url)
                if mapping.name in self._runtime.mappings:
                    self._board(mapping.name, _depth(attributes))
        except (AwsError, ValueError) as error:
            log.debug("queue depth unknown", mapping=mapping.name, error=str(error))


def _depth(attributes: dict[str, str]) -> Depth:
    def number(name: str) -> int:
        return int(attributes.get(f"ApproximateNumberOfMessages{name}", 0))

    return Depth(number(""), number("NotVisible"), number("Delayed"))
