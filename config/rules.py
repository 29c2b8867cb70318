"""What Lambda refuses although each setting by itself is right (docs/lambda 1.3), in its own words where these are recorded.

Each rule looks at the settings that could be read, so that one wrong setting does not hide another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from config.arns import parse_arn
from config.faults import Finding
from config.sources.kinds import Kind
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from config.options.reader import Reading

    Rule: TypeAlias = Callable[[Kind, Reading, datetime], Iterator[Finding]]

FIFO_BATCH_LIMIT = 10
UNWINDOWED_BATCH_LIMIT = 10
MINIMUM_RECORD_AGE_SECONDS = 60


def refusals(kind: Kind, reading: Reading, now: datetime) -> Iterator[Finding]:
    """Every fault of a mapping of this kind that more than one setting, or the kind of source, is needed to see."""
    for rule in _QUEUE_RULES if kind.is_queue else _STREAM_RULES:
        yield from rule(kind, reading, now)


def _batch_needs_window(kind: Kind, reading: Reading, _now: datetime) -> Iterator[Finding]:
    if kind is Kind.FIFO or not reading.sure("batch_size", "maximum_batching_window_in_seconds"):
        return
    size = reading.values.get("batch_size", 0)
    if size > UNWINDOWED_BATCH_LIMIT and not reading.values.get("maximum_batching_window_in_seconds"):
        yield Finding(
            ("batch_size",),
            f"found {size} without a batching window, expected at most {UNWINDOWED_BATCH_LIMIT}, or "
            "maximum_batching_window_in_seconds of at least 1 (AWS: Maximum batch window in seconds must be greater "
            "than 0 if maximum "
            "batch size is greater than 10)",
        )


def _fifo_limits(kind: Kind, reading: Reading, _now: datetime) -> Iterator[Finding]:
    if kind is not Kind.FIFO:
        return
    window = reading.values.get("maximum_batching_window_in_seconds")
    if window:
        message = f"found {window} on a FIFO queue, expected 0 or nothing (AWS: Batching window is not supported for FIFO queues)"
        yield Finding(("maximum_batching_window_in_seconds",), message)
    size = reading.values.get("batch_size", 0)
    if size > FIFO_BATCH_LIMIT:
        yield Finding(
            ("batch_size",), f"found {size} on a FIFO queue, expected an integer from 1 to {FIFO_BATCH_LIMIT}"
        )


def _provisioned_pollers(_kind: Kind, reading: Reading, _now: datetime) -> Iterator[Finding]:
    pollers = reading.values.get("provisioned_poller_config")
    if pollers is None:
        return
    if pollers.minimum_pollers > pollers.maximum_pollers:
        yield Finding(
            ("provisioned_poller_config", "minimum_pollers"),
            f"found {pollers.minimum_pollers} with maximum_pollers {pollers.maximum_pollers}, expected no more than that (AWS: "
            "MinimumPollers should be between [2, 200] and MaximumPollers should be between [MinimumPollers, 10000])",
        )
    scaling = reading.values.get("scaling_config")
    if scaling is not None and scaling.maximum_concurrency is not None:
        yield Finding(
            ("provisioned_poller_config",),
            "found it together with scaling_config.maximum_concurrency, expected one of them (AWS: Provisioned mode for "
            "SQS ESM does not "
            "support maximum concurrency feature. Use MaximumPollers as the control mechanism and remove maximum concurrency.)",
        )


def _retry_delay(_kind: Kind, reading: Reading, _now: datetime) -> Iterator[Finding]:
    visibility = reading.values.get("visibility")
    delay = visibility.retry_delay if visibility is not None else None
    if delay is not None and not isinstance(delay, int) and delay.initial > delay.maximum:
        message = f"found {delay.initial} with maximum {delay.maximum}, expected no more than that"
        yield Finding(("visibility", "retry_delay", "initial"), message)


def _starting_position(kind: Kind, reading: Reading, now: datetime) -> Iterator[Finding]:
    if not reading.sure("starting_position"):
        return
    position = reading.values.get("starting_position")
    if position == "AT_TIMESTAMP" and kind is Kind.DYNAMODB:
        arn = reading.values.get("event_source_arn")
        message = (
            "found AT_TIMESTAMP on a DynamoDB stream, expected TRIM_HORIZON or LATEST (AWS: Unsupported starting "
            f"position for arn type: {arn})"
        )
        yield Finding(("starting_position",), message)
        return
    if not reading.sure("starting_position_timestamp"):
        return
    moment = reading.values.get("starting_position_timestamp")
    at = ("starting_position_timestamp",)
    if position == "AT_TIMESTAMP" and moment is None:
        yield Finding(("starting_position",), "found AT_TIMESTAMP without starting_position_timestamp, expected both")
    elif position != "AT_TIMESTAMP" and moment is not None:
        yield Finding(at, f"found a time with starting_position {position}, expected it with AT_TIMESTAMP only")
    elif moment is not None and moment > now:
        yield Finding(at, f"found {moment.isoformat()}, which is in the future, expected a time that has passed")


def _record_age(_kind: Kind, reading: Reading, _now: datetime) -> Iterator[Finding]:
    age = reading.values.get("maximum_record_age_in_seconds", -1)
    if -1 < age < MINIMUM_RECORD_AGE_SECONDS:
        message = f"found {age}, expected -1 (no limit) or an integer from {MINIMUM_RECORD_AGE_SECONDS} to 604800"
        yield Finding(("maximum_record_age_in_seconds",), message)


def _destination(_kind: Kind, reading: Reading, _now: datetime) -> Iterator[Finding]:
    config = reading.values.get("destination_config")
    text = config.on_failure.destination if config is not None else None
    if text:
        message = destination_problem(text)
        if message:
            yield Finding(("destination_config", "on_failure", "destination"), message)


def destination_problem(text: str) -> str | None:
    """Why failure records cannot go to ``text``, or None (docs/lambda 4.10: standard queues, standard topics, buckets)."""
    wanted = "the ARN of a standard SQS queue, a standard SNS topic or an S3 bucket"
    try:
        arn = parse_arn(text)
    except ValueError:
        return f"found {quoted(text)}, expected {wanted}"
    if arn.service in ("sqs", "sns") and arn.resource.endswith(".fifo"):
        what = "queue" if arn.service == "sqs" else "topic"
        return f"found a FIFO {what}, expected {wanted}: FIFO {what}s are no on-failure destinations"
    located = bool(arn.region and arn.account) and "/" not in arn.resource and ":" not in arn.resource
    if arn.service in ("sqs", "sns") and located:
        return None
    if arn.service == "s3" and not arn.region and not arn.account and "/" not in arn.resource:
        return None
    return f"found {quoted(text)}, expected {wanted}"


_QUEUE_RULES: tuple[Rule, ...] = (_batch_needs_window, _fifo_limits, _provisioned_pollers, _retry_delay)
_STREAM_RULES: tuple[Rule, ...] = (_starting_position, _record_age, _destination)
