"""What ``headrace check --online`` asks of a Kinesis stream or a consumer of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws import services
from pollers.sources.streams.checking import StreamWords, examine_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.models import KinesisMapping
    from pollers.aws.api import Aws
    from pollers.aws.findings import Finding

_STREAM = StreamWords("stream", "make a new stream or correct the ARN", untried=None)
_CONSUMER = StreamWords(
    "consumer",
    "make a new consumer or correct the ARN",
    untried=(
        "kinesis:SubscribeToShard was not tried",
        "it cannot be tried without subscribing: make sure that it is allowed on the consumer",
    ),
)


async def examine(mapping: KinesisMapping, aws: Aws) -> AsyncIterator[Finding]:
    """See ``stream_kind``."""
    api = await aws.client(services.KINESIS, mapping.arn.region)
    words = _CONSUMER if "/consumer/" in mapping.event_source_arn else _STREAM
    async for finding in examine_stream(mapping, api, words):
        yield finding
