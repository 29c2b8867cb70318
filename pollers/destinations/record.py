"""The on-failure record of a discarded batch, exactly as Lambda writes it (docs/lambda 4.10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

from pollers.telemetry.facts import DiscardCondition

UNHANDLED = "Unhandled"
"""``functionError`` of an invocation that raised, timed out or crashed."""


@dataclass(frozen=True, slots=True)
class BatchInfoForm:
    """How failure records of a kind of stream describe a batch. ``spell_arrival``: the form of the time at
    which a record arrived.
    """

    member: str
    spell_arrival: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """The record of a batch that was discarded at ``timestamp`` (seconds since the epoch, like arrivals).

    ``invoke_count`` is the number of attempts since the batch's last progress; zero is written as one.
    ``request_id`` is the last invocation's, or a fresh one where there was none. ``function_error`` is "Unhandled" when
    the invocation failed and None when the function returned and its response failed the batch.
    """

    form: BatchInfoForm
    stream_arn: str
    shard_id: str
    start_sequence_number: str
    end_sequence_number: str
    first_arrival: float | None
    last_arrival: float | None
    batch_size: int
    function_arn: str
    request_id: str
    condition: DiscardCondition
    invoke_count: int
    timestamp: float
    function_error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record in Lambda's order. ``responseContext`` exists only where the retries of an invoked batch are used up."""
        record: dict[str, Any] = {
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": self.function_arn,
                "condition": self.condition.value,
                "approximateInvokeCount": max(1, self.invoke_count),
            }
        }
        if self.condition is DiscardCondition.RETRY_ATTEMPTS_EXHAUSTED:
            record["responseContext"] = {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": self.function_error,
            }
        record["version"] = "1.0"
        record["timestamp"] = milliseconds(self.timestamp)
        record[self.form.member] = {
            "shardId": self.shard_id,
            "startSequenceNumber": self.start_sequence_number,
            "endSequenceNumber": self.end_sequence_number,
            "approximateArrivalOfFirstRecord": self._arrival(self.first_arrival),
            "approximateArrivalOfLastRecord": self._arrival(self.last_arrival),
            "batchSize": self.batch_size,
            "streamArn": self.stream_arn,
        }
        return record

    def encode(self) -> bytes:
        """The record as JSON, as SQS and SNS get it. It never contains the batch's data."""
        return orjson.dumps(self.as_dict())

    def _arrival(self, seconds: float | None) -> str | None:
        if seconds is None:
            return None
        return self.form.spell_arrival(seconds)


def milliseconds(seconds: float) -> str:
    """A time since the epoch in ISO 8601, cut to milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def whole_seconds(seconds: float) -> str:
    """A time since the epoch in ISO 8601, cut to seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
