"""On-failure destinations: where the records of discarded stream batches go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import parse_arn
from pollers.aws import services
from pollers.destinations.destination import Destination, DestinationUnusable
from pollers.destinations.record import UNHANDLED, BatchInfoForm, FailureRecord
from pollers.destinations.s3 import BucketDestination, mapping_uuid
from pollers.destinations.sns import TopicDestination
from pollers.destinations.sqs import QueueDestination

if TYPE_CHECKING:
    from pollers.aws.api import Aws

__all__ = [
    "UNHANDLED",
    "BatchInfoForm",
    "Destination",
    "DestinationUnusable",
    "FailureRecord",
    "make_destination",
    "mapping_uuid",
]


async def make_destination(arn: str, aws: Aws, *, mapping: str, event_source_arn: str) -> Destination:
    """The destination of ``mapping``, by the service that its ARN names. A bucket is reached in the source's region.

    Raises :class:`DestinationUnusable` for an ARN of anything else.
    """
    try:
        parsed = parse_arn(arn)
    except ValueError as error:
        raise DestinationUnusable(f"on-failure destination: {error}") from error
    match parsed.service:
        case "sqs":
            return QueueDestination(parsed, await aws.client(services.SQS, parsed.region))
        case "sns":
            return TopicDestination(arn, await aws.client(services.SNS, parsed.region))
        case "s3":
            region = parse_arn(event_source_arn).region
            return BucketDestination(
                parsed, await aws.client(services.S3, region), mapping_uuid(mapping, event_source_arn)
            )
        case other:
            raise DestinationUnusable(
                f"{arn} is of {other}; an on-failure destination is an SQS queue, an SNS topic or an S3 bucket"
            )
