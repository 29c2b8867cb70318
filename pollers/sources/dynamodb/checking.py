"""What ``headrace check --online`` asks of a table's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws import services
from pollers.sources.streams.checking import StreamWords, examine_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.models import DynamoDBMapping
    from pollers.aws.api import Aws
    from pollers.aws.findings import Finding

_WORDS = StreamWords("stream", "enable the table's stream", untried=None)


async def examine(mapping: DynamoDBMapping, aws: Aws) -> AsyncIterator[Finding]:
    """See ``stream_kind``."""
    api = await aws.client(services.DYNAMODB_STREAMS, mapping.arn.region)
    async for finding in examine_stream(mapping, api, _WORDS):
        yield finding
