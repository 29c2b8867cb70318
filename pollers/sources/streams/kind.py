"""What every kind of stream declares alike; a kind adds what is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from config.models import ShardedStreamMapping, StreamMapping
from pollers.engine.kind import Backlog, Polling, Reported, Shown, SourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pollers.aws.api import Aws, AwsService
    from pollers.aws.findings import Finding
    from pollers.engine.kind import Names, Patterns, Resources
    from pollers.engine.poller import Poller
    from pollers.sources.streams.source import StreamSource
    from pollers.telemetry.payloads import PayloadStart

S = TypeVar("S", bound=StreamMapping)
"""The model of a kind's mappings."""


def stream_kind(
    model: type[S],
    *,
    services: Callable[[S], tuple[AwsService[Any], ...]],
    make_source: Callable[[S, Aws], Awaitable[StreamSource]],
    settings: Callable[[S], dict[str, Any]],
    patterns: Patterns[S] | None,
    names: Names[S],
    first_payload: PayloadStart,
    examine: Callable[[S, Aws], AsyncIterator[Finding]],
) -> SourceKind[S]:
    """A kind whose mappings are of ``model`` and whose streams ``make_source`` gives to the stream engine.

    ``settings`` is as in ``Reported``. ``examine`` asks AWS about a mapping's stream; its on-failure destination is asked about
    here.
    """

    async def make_poller(mapping: S, resources: Resources) -> Poller:
        from pollers.sources.streams.closing import close_source

        source = await make_source(mapping, resources.aws)
        try:
            return await _make_poller(mapping, source, resources)
        except BaseException:  # also a stop: no poller will ever close it
            await close_source(source)
            raise

    async def examine_all(mapping: S, _timeout_seconds: float, aws: Aws) -> AsyncIterator[Finding]:
        async for finding in examine(mapping, aws):
            yield finding
        if mapping.on_failure is not None:
            yield await _examine_destination(mapping, mapping.on_failure, aws)

    return SourceKind(
        model=model,
        services=services,
        polling=Polling(make_poller=make_poller, keeps_checkpoints=True, concurrency_limit=lambda _: None),
        patterns=patterns,
        names=names,
        shown=Shown(
            backlog=Backlog.ITERATOR_AGE,
            depth=None,
            first_payload=first_payload,
            reported=Reported(settings=settings, reason="User action", has_result=True, missing=missing),
        ),
        examine=examine_all,
    )


def sharded_settings(mapping: ShardedStreamMapping) -> dict[str, Any]:
    """See ``Reported.settings``: those of kinds that have many shards."""
    return {
        **stream_settings(mapping),
        "ParallelizationFactor": mapping.parallelization_factor,
        "TumblingWindowInSeconds": mapping.tumbling_window_in_seconds,
        "BisectBatchOnFunctionError": mapping.bisect_batch_on_function_error,
    }


def stream_settings(mapping: StreamMapping) -> dict[str, Any]:
    """See ``Reported.settings``: those of every kind of stream."""
    settings: dict[str, Any] = {
        "StartingPosition": mapping.starting_position,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.maximum_batching_window_in_seconds,
        "FunctionResponseTypes": mapping.function_response_types,
        "MaximumRecordAgeInSeconds": mapping.maximum_record_age_in_seconds,
        "MaximumRetryAttempts": mapping.maximum_retry_attempts,
        "DestinationConfig": {"OnFailure": {"Destination": mapping.on_failure} if mapping.on_failure else {}},
    }
    if mapping.starting_position_timestamp is not None:
        settings["StartingPositionTimestamp"] = mapping.starting_position_timestamp.timestamp()
    return settings


def missing(mapping: StreamMapping) -> str:
    """See ``Reported.missing``."""
    return f"Stream not found: {mapping.event_source_arn}"


async def _make_poller(mapping: StreamMapping, source: StreamSource, resources: Resources) -> Poller:
    from pollers.destinations import make_destination
    from pollers.sources.streams.poller import StreamPoller

    if resources.store is None:
        raise ValueError(f"mapping {mapping.name} reads a stream and needs a checkpoint store")
    destination = None
    if mapping.on_failure is not None:
        arn = mapping.event_source_arn
        destination = await make_destination(
            mapping.on_failure, resources.aws, mapping=mapping.name, event_source_arn=arn
        )
    return StreamPoller(mapping, source, resources.store, destination, resources.surroundings, resources.record_filter)


async def _examine_destination(mapping: StreamMapping, arn: str, aws: Aws) -> Finding:
    from pollers.destinations.checking import examine_destination

    return await examine_destination(arn, aws, mapping=mapping.name, event_source_arn=mapping.event_source_arn)
