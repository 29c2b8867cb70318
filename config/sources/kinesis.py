"""Kinesis streams and their enhanced fan-out consumers: the form of their ARNs and their mappings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from config.sources import streams
from config.sources.kind import ArnForm, SourceConfig
from config.sources.streams import ShardedStreamMapping

if TYPE_CHECKING:
    from config.text.arns import Arn


class KinesisMapping(ShardedStreamMapping):
    """A Kinesis stream (or an enhanced fan-out consumer of one) to a function."""

    kind: ClassVar[str] = "kinesis"
    taken_over_from: ClassVar[str | None] = "AT_TIMESTAMP"


def _expected(_arn: Arn) -> str:
    return "a stream's ARN, arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, or a consumer's, .../consumer/NAME:TIMESTAMP"


KINESIS = SourceConfig(
    model=KinesisMapping,
    family=streams.FAMILY,
    called="a Kinesis stream (or its consumer)",
    forms=(
        ArnForm(
            "a Kinesis stream",
            "kinesis",
            re.compile(r"stream/[A-Za-z0-9_.-]{1,128}"),
            "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
        ),
        ArnForm(
            "a Kinesis stream's consumer",
            "kinesis",
            re.compile(r"stream/[A-Za-z0-9_.-]{1,128}/consumer/[A-Za-z0-9_.-]{1,128}:[0-9]+"),
            "arn:aws:kinesis:us-east-1:000000000000:stream/clicks/consumer/reports:1700000000",
        ),
    ),
    expected=_expected,
    rules=(streams.starting_position, streams.record_age, streams.on_failure_destination),
    words=streams.WORDS,
)
