"""On-failure destinations: where the failure records of discarded stream batches go.

May import :mod:`config`, :mod:`pollers.aws` and the types of :mod:`pollers.telemetry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import parse_arn
from config.sources.registry import any_of
from pollers.destinations.destination import Destination, DestinationUnusable, Origin
from pollers.destinations.record import UNHANDLED, BatchInfoForm, FailureRecord
from pollers.destinations.s3 import BUCKET, mapping_uuid
from pollers.destinations.sns import TOPIC
from pollers.destinations.sqs import QUEUE

if TYPE_CHECKING:
    from pollers.aws.api import Aws
    from pollers.destinations.destination import DestinationKind

__all__ = [
    "UNHANDLED",
    "BatchInfoForm",
    "Destination",
    "DestinationUnusable",
    "FailureRecord",
    "make_destination",
    "mapping_uuid",
]


KINDS: tuple[DestinationKind, ...] = (QUEUE, TOPIC, BUCKET)
"""All kinds; a new kind is entered here and nowhere else."""


async def make_destination(arn: str, aws: Aws, *, mapping: str, event_source_arn: str) -> Destination:
    """The destination of ``mapping``, by the service that its ARN names.

    Raises :class:`DestinationUnusable` for an ARN of anything else.
    """
    try:
        parsed = parse_arn(arn)
    except ValueError as error:
        raise DestinationUnusable(f"on-failure destination: {error}") from error
    for kind in KINDS:
        if kind.service == parsed.service:
            return await kind.make(parsed, aws, Origin(mapping, event_source_arn))
    kinds = any_of(kind.called for kind in KINDS)
    raise DestinationUnusable(f"{arn} is of {parsed.service}; an on-failure destination is {kinds}")
