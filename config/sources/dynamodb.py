"""Streams of DynamoDB tables: the form of their ARNs, their mappings, and what Lambda refuses about them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from config.faults import Finding
from config.sources import streams
from config.sources.kind import ArnForm, EventSource, SourceConfig
from config.sources.streams import ShardedStreamMapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from config.options.outcome import Reading
    from config.text.arns import Arn

_TABLE = re.compile(r"table/[A-Za-z0-9_.-]{1,255}")


class DynamoDBMapping(ShardedStreamMapping):
    """A DynamoDB table's stream to a function."""

    kind: ClassVar[str] = "dynamodb"
    taken_over_from: ClassVar[str | None] = "TRIM_HORIZON"


def _expected(arn: Arn) -> str:
    if _TABLE.fullmatch(arn.resource):
        return "the ARN of the table's stream (LatestStreamArn, .../stream/LABEL) rather than the table's own"
    return "a table stream's ARN, arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL"


def _starting_position(source: EventSource, reading: Reading, now: datetime) -> Iterator[Finding]:
    """DynamoDB's streams cannot be read from a point in time."""
    if reading.sure("starting_position") and reading.values.get("starting_position") == "AT_TIMESTAMP":
        message = (
            "found AT_TIMESTAMP on a DynamoDB stream, expected TRIM_HORIZON or LATEST (AWS: Unsupported starting "
            f"position for arn type: {reading.values.get('event_source_arn')})"
        )
        yield Finding(("starting_position",), message)
    else:
        yield from streams.starting_position(source, reading, now)


DYNAMODB = SourceConfig(
    model=DynamoDBMapping,
    family=streams.FAMILY,
    called="a DynamoDB table's stream",
    forms=(
        ArnForm(
            "a DynamoDB stream",
            "dynamodb",
            re.compile(r"table/[A-Za-z0-9_.-]{1,255}/stream/[^/]+"),
            "arn:aws:dynamodb:us-east-1:000000000000:table/users/stream/2026-01-01T00:00:00.000",
        ),
    ),
    expected=_expected,
    rules=(_starting_position, streams.record_age, streams.on_failure_destination),
    words=streams.WORDS,
)
