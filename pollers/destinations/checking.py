"""How ``headrace check --online`` checks an on-failure destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.findings import Finding, Level
from pollers.destinations import DestinationUnusable, make_destination

if TYPE_CHECKING:
    from pollers.aws.api import Aws


async def examine_destination(arn: str, aws: Aws, *, mapping: str, event_source_arn: str) -> Finding:
    """Whether the destination exists. Raises :class:`pollers.aws.errors.AwsError` for errors that may be temporary."""
    try:
        destination = await make_destination(arn, aws, mapping=mapping, event_source_arn=event_source_arn)
        warning = await destination.check()
    except DestinationUnusable as unusable:
        return Finding(mapping, Level.FAULT, str(unusable), f"create {arn}, or allow its use")
    if warning is not None:
        return Finding(mapping, Level.NOTE, warning, "make sure that it exists and may be written to")
    return Finding(mapping, Level.OK, f"the on-failure destination {arn} is there")
