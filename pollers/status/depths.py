"""Samples the depth of each source that has one (queues), for the console and the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AwsError
from pollers.sources.registry import kind_of
from pollers.supervisor.mapping import MappingState

if TYPE_CHECKING:
    from config.models import Mapping
    from pollers.aws.api import Aws
    from pollers.engine.kind import DepthSampler
    from pollers.supervisor.runtime import Runtime
    from pollers.telemetry.board import Board

log = structlog.stdlib.get_logger(__name__)

EVERY_SECONDS = 15.0
"""Four requests a minute for each queue. More would not be more accurate: SQS updates these attributes within a minute."""
ANSWER_SECONDS = 10.0


class Depths:
    """The sampler. A source that does not answer keeps its last depth; its poller reports the fault."""

    def __init__(self, runtime: Runtime, aws: Aws, board: Board) -> None:
        self._runtime = runtime
        self._aws = aws
        self._board = board
        self._samplers: dict[str, DepthSampler] = {}

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            for runner in list(self._runtime.mappings.values()):
                if runner.state is MappingState.RUNNING:
                    await self._sample(runner.model)
            await anyio.sleep(EVERY_SECONDS)

    async def _sample(self, mapping: Mapping) -> None:
        sampler = self._sampler(mapping)
        if sampler is None:
            return
        try:
            with anyio.move_on_after(ANSWER_SECONDS):
                depth = await sampler()
                if mapping.name in self._runtime.mappings:
                    self._board(mapping.name, depth)
        except (AwsError, ValueError) as error:
            log.debug("queue depth unknown", mapping=mapping.name, error=str(error))

    def _sampler(self, mapping: Mapping) -> DepthSampler | None:
        source = mapping.event_source_arn
        if source not in self._samplers and (make := kind_of(mapping).shown.depth) is not None:
            self._samplers[source] = make(mapping, self._aws)
        return self._samplers.get(source)
