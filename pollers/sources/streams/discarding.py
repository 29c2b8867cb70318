"""Gives records up: their failure record reaches the on-failure destination before the checkpoint moves (docs/lambda 4.10)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import structlog

from pollers.aws.errors import AwsError
from pollers.destinations import DestinationUnusable, FailureRecord
from pollers.engine.backoff import Backoff
from pollers.engine.invoking import new_request_id
from pollers.telemetry.facts import DestinationFailed, DiscardCondition, Discarded, State

if TYPE_CHECKING:
    from pollers.destinations import BatchDestination
    from pollers.engine.poller import Surroundings
    from pollers.engine.stop import Stop
    from pollers.sources.streams.current_stream import CurrentStream
    from pollers.sources.streams.lease_time import LeaseTime
    from pollers.sources.streams.retries import Discard
    from pollers.sources.streams.task_reports import TaskReports

log = structlog.stdlib.get_logger(__name__)

DELIVERY_SECONDS = (0.5, 60.0)
"""First and longest step of the waits between deliveries that fail. They go on for ever: the record must not be lost."""


class DiscardingShard(Protocol):
    """The shard whose records are given up."""

    @property
    def shard_id(self) -> str:
        """The service's name for it."""

    @property
    def stop(self) -> Stop:
        """Stops what the shard's tasks do."""

    @property
    def last_done(self) -> str | None:
        """The position of the highest record below which everything is done."""

    @property
    def lease_time(self) -> LeaseTime:
        """Whether something may be started under the shard's lease."""


class Discarder:
    """Gives up the records of one mapping's stream. ``destination`` None: they are logged and counted, and nothing is kept."""

    def __init__(
        self,
        mapping: str,
        stream: CurrentStream,
        destination: BatchDestination | None,
        surroundings: Surroundings,
        reports: TaskReports,
    ) -> None:
        self._mapping = mapping
        self._stream = stream
        self._destination = destination
        self._surroundings = surroundings
        self._reports = reports

    async def discard(self, shard: DiscardingShard, task: str, step: Discard, event: bytes) -> bool:
        """Deliver the failure record of ``step``, however long it takes; False when a stop came before it was delivered."""
        destination, arn = self._destination, None
        if destination is not None:
            # Made once: deliveries that are tried again deliver the same.
            failure = self._failure_record(shard, step)
            if not await self._deliver(destination, shard, task, failure, event):
                return False
            arn = destination.arn
        self._log(shard.shard_id, step, arn)
        self._surroundings.facts.emit(Discarded(shard.shard_id, step.records.sequence_numbers, step.condition, arn))
        return True

    def _log(self, shard_id: str, step: Discard, destination: str | None) -> None:
        """What was given up, so that it can be found in the stream while it is there; an error where nothing else is left of it."""
        level, what = (
            (logging.ERROR, "records discarded; the mapping has no on-failure destination")
            if destination is None
            else (logging.WARNING, "records discarded; their failure record was delivered")
        )
        numbers = step.records.sequence_numbers
        log.log(
            level,
            what,
            mapping=self._mapping,
            shard=shard_id,
            condition=step.condition,
            records=len(numbers),
            first=numbers[0] if numbers else None,
            last=numbers[-1] if numbers else None,
            invocations=step.invoke_count,
            destination=destination,
        )

    async def _deliver(
        self, destination: BatchDestination, shard: DiscardingShard, task: str, failure: FailureRecord, event: bytes
    ) -> bool:
        stop = shard.stop
        backoff = Backoff(self._surroundings.random, initial=DELIVERY_SECONDS[0], maximum=DELIVERY_SECONDS[1])
        while not stop.hurried:
            if not shard.lease_time.left:
                # Another replica may have the shard and its records, and may even succeed with them.
                if not await shard.lease_time.wait(task):
                    return False
                continue
            try:
                with stop.running() as attempt:
                    await destination.deliver(failure, event)
                if not attempt.cancelled_caught:
                    return True
            except (AwsError, DestinationUnusable) as error:
                wait = backoff.next()
                self._surroundings.facts.emit(DestinationFailed(destination.arn, str(error), wait))
                self._reports.doing(task, State.DELIVERING, f"to {destination.arn}: {error}", wait)
                if stop.requested:
                    return False
                await stop.sleep(wait)
        return False

    def _failure_record(self, shard: DiscardingShard, step: Discard) -> FailureRecord:
        """The failure record of ``step``.

        Records that expired at the source are too old as well: Lambda has no condition of their own for them. A window whose last
        invocation is given up has no records: the failure record then names the last one that the window got.
        """
        source, records = self._stream.source, step.records
        numbers = records.sequence_numbers or [shard.last_done or source.positions.before_first]
        too_old = DiscardCondition.RECORD_AGE_EXCEEDED
        return FailureRecord(
            form=source.batch_info,
            stream_arn=source.arn,
            shard_id=shard.shard_id,
            start_sequence_number=numbers[0],
            end_sequence_number=numbers[-1],
            first_arrival=records.arrivals[0] if len(records) else None,
            last_arrival=records.arrivals[-1] if len(records) else None,
            batch_size=len(records),
            function_arn=self._surroundings.function.arn,
            request_id=step.request_id or new_request_id(self._surroundings.random),
            condition=too_old if step.condition is DiscardCondition.EXPIRED else step.condition,
            invoke_count=step.invoke_count,
            timestamp=self._stream.service_time(),
            function_error=step.function_error,
        )
