"""DynamoDB tables' streams as a kind of source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.models import DynamoDBMapping
from pollers.aws import services
from pollers.engine.kind import Names, Patterns
from pollers.sources.dynamodb import filtering
from pollers.sources.streams.kind import sharded_settings, stream_kind
from pollers.telemetry.payloads import json_member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.aws.api import Aws
    from pollers.aws.findings import Finding
    from pollers.sources.streams.source import StreamSource


async def make_source(mapping: DynamoDBMapping, aws: Aws) -> StreamSource:
    """The mapping's stream."""
    from pollers.sources.dynamodb.source import DynamoDBSource

    api = await aws.client(services.DYNAMODB_STREAMS, mapping.arn.region)
    return DynamoDBSource(mapping.event_source_arn, api, items_needed=bool(mapping.filter_criteria.filters))


def examine(mapping: DynamoDBMapping, aws: Aws) -> AsyncIterator[Finding]:
    """See ``stream_kind``."""
    from pollers.sources.dynamodb import checking

    return checking.examine(mapping, aws)


DYNAMODB = stream_kind(
    DynamoDBMapping,
    services=lambda _: (services.DYNAMODB_STREAMS,),
    make_source=make_source,
    settings=sharded_settings,
    patterns=Patterns(wire_view=filtering.wire_view, event_view=filtering.EVENT_VIEW),
    names=Names(
        source=lambda mapping: mapping.arn.resource.removeprefix("table/"),
        trace_system="aws_dynamodb_streams",
        form=lambda _: "dynamodb",
        label=lambda _: "DYNAMODB",
    ),
    first_payload=json_member("dynamodb"),
    examine=examine,
)
