"""Kinesis data streams and their enhanced fan-out consumers as a kind of source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.models import KinesisMapping
from pollers.aws import services
from pollers.engine.kind import Names, Patterns
from pollers.sources.kinesis import filtering
from pollers.sources.streams.kind import sharded_settings, stream_kind
from pollers.telemetry.payloads import base64_member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.aws.api import Aws
    from pollers.aws.findings import Finding
    from pollers.sources.streams.source import StreamSource


async def make_source(mapping: KinesisMapping, aws: Aws) -> StreamSource:
    """The mapping's stream."""
    from pollers.sources.kinesis.source import KinesisSource

    api = await aws.client(services.KINESIS, mapping.arn.region)
    return KinesisSource(mapping.event_source_arn, api, records_needed=bool(mapping.filter_criteria.filters))


def examine(mapping: KinesisMapping, aws: Aws) -> AsyncIterator[Finding]:
    """See ``stream_kind``."""
    from pollers.sources.kinesis import checking

    return checking.examine(mapping, aws)


KINESIS = stream_kind(
    KinesisMapping,
    services=lambda _: (services.KINESIS,),
    make_source=make_source,
    settings=sharded_settings,
    patterns=Patterns(wire_view=filtering.wire_view, event_view=filtering.EVENT_VIEW),
    names=Names(
        source=lambda mapping: mapping.arn.resource.removeprefix("stream/"),
        trace_system="aws_kinesis",
        form=lambda _: "kinesis",
        label=lambda _: "KINESIS",
    ),
    first_payload=base64_member("data"),
    examine=examine,
)
