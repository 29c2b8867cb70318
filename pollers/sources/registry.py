"""Which poller serves which source: the one place that a new source is entered in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.models import DynamoDBMapping, KinesisMapping, Mapping, SqsMapping

if TYPE_CHECKING:
    from pollers.aws.api import Aws
    from pollers.checkpoints.store import CheckpointStore
    from pollers.engine.poller import Poller, Surroundings
    from pollers.sources.streams.source import StreamSource

LONG_POLL_SECONDS = 20
"""What SQS allows at most: the cheapest way to wait."""
INVOCATIONS_PER_PROVISIONED_POLLER = 10
"""docs/lambda 2.3: a provisioned poller serves at most 10 concurrent invocations."""


def concurrency_limit(mapping: Mapping) -> int | None:
    """How many invocations the mapping itself allows at a time; None: as many as its function."""
    if not isinstance(mapping, SqsMapping):
        return None
    if mapping.provisioned_poller_config is not None and mapping.provisioned_poller_config.maximum_pollers is not None:
        return mapping.provisioned_poller_config.maximum_pollers * INVOCATIONS_PER_PROVISIONED_POLLER
    return mapping.scaling_config.maximum_concurrency


def keeps_checkpoints(mapping: Mapping) -> bool:
    """Whether the mapping needs a checkpoint store."""
    return not isinstance(mapping, SqsMapping)


async def make_poller(
    mapping: Mapping,
    aws: Aws,
    store: CheckpointStore | None,
    surroundings: Surroundings,
    *,
    long_poll_seconds: int = LONG_POLL_SECONDS,
) -> Poller:
    """A new poller for ``mapping``. Every client that it needs is made here, before polling starts.

    ``long_poll_seconds``: how long a receive from an empty queue may wait, which is also how long a stop may have to.
    """
    if isinstance(mapping, SqsMapping):
        return await _sqs(mapping, aws, surroundings, long_poll_seconds)
    if store is None:
        raise ValueError(f"mapping {mapping.name} reads a stream and needs a checkpoint store")
    return await _stream(mapping, aws, store, surroundings)


async def _sqs(mapping: SqsMapping, aws: Aws, surroundings: Surroundings, long_poll_seconds: int) -> Poller:
    from pollers.filtering import compile_filters
    from pollers.sources.sqs.poller import SqsPoller

    api = await aws.sqs(mapping.arn.region)
    return SqsPoller(mapping, api, surroundings, compile_filters(mapping), long_poll_seconds=long_poll_seconds)


async def _stream(
    mapping: KinesisMapping | DynamoDBMapping, aws: Aws, store: CheckpointStore, surroundings: Surroundings
) -> Poller:
    from pollers.destinations import make_destination
    from pollers.filtering import compile_filters
    from pollers.sources.streams.poller import StreamPoller

    destination = None
    if mapping.on_failure is not None:
        arn = mapping.event_source_arn
        destination = await make_destination(mapping.on_failure, aws, mapping=mapping.name, event_source_arn=arn)
    source = await _source(mapping, aws)
    return StreamPoller(mapping, source, store, destination, surroundings, compile_filters(mapping))


async def _source(mapping: KinesisMapping | DynamoDBMapping, aws: Aws) -> StreamSource:
    from pollers.sources.dynamodb.source import DynamoDBSource
    from pollers.sources.kinesis.source import KinesisSource

    filtered = bool(mapping.filter_criteria.filters)
    if isinstance(mapping, KinesisMapping):
        kinesis = await aws.kinesis(mapping.arn.region)
        return KinesisSource(mapping.event_source_arn, kinesis, records_needed=filtered)
    streams = await aws.dynamodb_streams(mapping.arn.region)
    return DynamoDBSource(mapping.event_source_arn, streams, items_needed=filtered)
