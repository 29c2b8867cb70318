"""Gives records up: their failure record reaches the on-failure destination before the checkpoint moves (docs/lambda 4.10)."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

import structlog

from pollers.aws.errors import AwsError
from pollers.destinations import DestinationUnusable, FailureRecord
from pollers.engine.backoff import Backoff
from pollers.telemetry.facts import DestinationFailed, DiscardCondition, Discarded, State

if TYPE_CHECKING:
    from pollers.destinations import Destination
    from pollers.sources.streams.retries import Discard
    from pollers.sources.streams.shard import Shard

log = structlog.stdlib.get_logger(__name__)

DELIVERY_SECONDS = (0.5, 60.0)
"""First and longest step of the waits between deliveries that fail. They go on for ever: the record must not be lost."""


async def discard(shard: Shard, task: str, step: Discard, event: bytes) -> bool:
    """Deliver the failure record of ``step``, however long it takes; False when a stop came before it was delivered."""
    destination = shard.context.destination
    if destination is not None and not await _deliver(destination, shard, task, failure_record(shard, step), event):
        return False
    arn = None if destination is None else destination.arn
    _say(shard, step, arn)
    facts = shard.context.surroundings.facts
    facts.emit(Discarded(shard.shard_id, step.records.sequence_numbers, step.condition, arn))
    return True


def _say(shard: Shard, step: Discard, destination: str | None) -> None:
    """What was given up on, so that it can be found in the stream while it is there; an error where nothing else is left of it."""
    level, what = (
        (logging.ERROR, "records discarded; the mapping has no on-failure destination")
        if destination is None
        else (logging.WARNING, "records discarded; their failure record was delivered")
    )
    numbers = step.records.sequence_numbers
    log.log(
        level,
        what,
        mapping=shard.context.mapping.name,
        shard=shard.shard_id,
        condition=step.condition,
        records=len(numbers),
        first=numbers[0] if numbers else None,
        last=numbers[-1] if numbers else None,
        invocations=step.invoke_count,
        destination=destination,
    )


async def _deliver(destination: Destination, shard: Shard, task: str, failure: FailureRecord, event: bytes) -> bool:
    context, stopping = shard.context, shard.stopping
    backoff = Backoff(context.surroundings.random, initial=DELIVERY_SECONDS[0], maximum=DELIVERY_SECONDS[1])
    while not stopping.hurried:
        try:
            with stopping.running() as attempt:
                await destination.deliver(failure, event)
            if not attempt.cancelled_caught:
                return True
        except (AwsError, DestinationUnusable) as error:
            wait = backoff.next()
            context.surroundings.facts.emit(DestinationFailed(destination.arn, str(error), wait))
            context.doing(task, State.DELIVERING, f"to {destination.arn}: {error}", wait)
            if stopping.requested:
                return False
            await stopping.sleep(wait)
    return False


def failure_record(shard: Shard, step: Discard) -> FailureRecord:
    """The failure record. It is made once: deliveries that are tried again deliver the same.

    Records that expired at the source are too old as well: Lambda has no condition of their own for them. A window whose last
    invocation is given up on has no records: the failure record then names the last one that the window got.
    """
    context, records = shard.context, step.records
    surroundings = context.surroundings
    numbers = records.sequence_numbers or [shard.last_done or context.source.positions.before_first]
    too_old = DiscardCondition.RECORD_AGE_EXCEEDED
    return FailureRecord(
        form=context.source.batch_info,
        stream_arn=context.source.arn,
        shard_id=shard.shard_id,
        start_sequence_number=numbers[0],
        end_sequence_number=numbers[-1],
        first_arrival=records.arrivals[0] if len(records) else None,
        last_arrival=records.arrivals[-1] if len(records) else None,
        batch_size=len(records),
        function_arn=surroundings.function.arn,
        request_id=step.request_id or str(uuid.UUID(int=surroundings.random.getrandbits(128), version=4)),
        condition=too_old if step.condition is DiscardCondition.EXPIRED else step.condition,
        invoke_count=step.invoke_count,
        timestamp=context.service_time(),
        function_error=step.function_error,
    )
