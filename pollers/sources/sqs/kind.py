"""SQS queues, standard and FIFO, as a kind of source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from config.models import SqsMapping
from pollers.aws import services
from pollers.engine.kind import Backlog, Names, Patterns, Polling, Reported, Shown, SourceKind
from pollers.sources.sqs import filtering
from pollers.telemetry.payloads import text_member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.aws.api import Aws
    from pollers.aws.findings import Finding
    from pollers.engine.kind import DepthSampler, Resources
    from pollers.engine.poller import Poller

INVOCATIONS_PER_PROVISIONED_POLLER = 10
"""docs/lambda 2.3: a provisioned poller serves at most 10 concurrent invocations."""


def concurrency_limit(mapping: SqsMapping) -> int | None:
    """See ``Polling.concurrency_limit``."""
    provisioned = mapping.provisioned_poller_config
    if provisioned is not None and provisioned.maximum_pollers is not None:
        return provisioned.maximum_pollers * INVOCATIONS_PER_PROVISIONED_POLLER
    return mapping.scaling_config.maximum_concurrency


async def make_poller(mapping: SqsMapping, resources: Resources) -> Poller:
    """See ``Polling.make_poller``."""
    from pollers.sources.sqs.poller import SqsPoller

    api = await resources.aws.client(services.SQS, mapping.arn.region)
    return SqsPoller(
        mapping,
        api,
        resources.surroundings,
        resources.record_filter,
        long_poll_seconds=resources.long_poll_seconds,
    )


def examine(mapping: SqsMapping, timeout_seconds: float, aws: Aws) -> AsyncIterator[Finding]:
    """See ``SourceKind.examine``."""
    from pollers.sources.sqs import checking

    return checking.examine(mapping, timeout_seconds, aws)


def depth_sampler(mapping: SqsMapping, aws: Aws) -> DepthSampler:
    """See ``Shown.depth``."""
    from pollers.sources.sqs.depth import QueueDepth

    return QueueDepth(mapping.arn, aws)


def reported(mapping: SqsMapping) -> dict[str, Any]:
    """See ``Reported.settings``."""
    settings: dict[str, Any] = {
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.maximum_batching_window_in_seconds,
        "FunctionResponseTypes": mapping.function_response_types,
    }
    if mapping.scaling_config.maximum_concurrency is not None:
        settings["ScalingConfig"] = {"MaximumConcurrency": mapping.scaling_config.maximum_concurrency}
    pollers = mapping.provisioned_poller_config
    if pollers is not None:
        settings["ProvisionedPollerConfig"] = {
            "MinimumPollers": pollers.minimum_pollers,
            "MaximumPollers": pollers.maximum_pollers,
        }
    return settings


def missing(_mapping: SqsMapping) -> str:
    """See ``Reported.missing``."""
    return (
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The "
        "specified queue does not exist."
    )


SQS = SourceKind(
    model=SqsMapping,
    services=lambda _: (services.SQS,),
    polling=Polling(make_poller=make_poller, keeps_checkpoints=False, concurrency_limit=concurrency_limit),
    patterns=Patterns(wire_view=filtering.wire_view, event_view=filtering.EVENT_VIEW),
    names=Names(
        source=lambda mapping: mapping.arn.resource,
        trace_system="aws_sqs",
        form=lambda mapping: "sqs-fifo" if mapping.fifo else "sqs",
        label=lambda mapping: "SQS FIFO" if mapping.fifo else "SQS",
    ),
    shown=Shown(
        backlog=Backlog.DEPTH,
        depth=depth_sampler,
        first_payload=text_member("body"),
        reported=Reported(settings=reported, reason="USER_INITIATED", has_result=False, missing=missing),
    ),
    examine=examine,
)
