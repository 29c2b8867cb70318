"""Defaults, limits and refusals of streams are Lambda's (docs/lambda 1.2 and 1.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from config.models import ShardedStreamMapping, StreamMapping
from config.sources.registry import source_of
from tests.unit.config.sources.examples import CONSUMER, DYNAMODB, KINESIS, STREAMS, settings

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


@pytest.mark.parametrize("arn", STREAMS)
def test_a_stream_has_lambdas_defaults(folder: Folder, arn: str) -> None:
    """A stream's mapping without settings has the values that AWS returns after create."""
    mapping = folder.mapping(settings(arn))

    assert isinstance(mapping, ShardedStreamMapping)
    assert type(mapping) is source_of(arn).kind.model
    assert (mapping.batch_size, mapping.maximum_batching_window_in_seconds, mapping.parallelization_factor) == (
        100,
        0,
        1,
    )
    assert (mapping.maximum_record_age_in_seconds, mapping.maximum_retry_attempts) == (-1, -1)
    assert (mapping.bisect_batch_on_function_error, mapping.tumbling_window_in_seconds, mapping.on_failure) == (
        False,
        0,
        None,
    )


@pytest.mark.parametrize(
    ("arn", "line"),
    [
        (KINESIS, "batch_size: 10000"),
        (DYNAMODB, "batch_size: 10000"),
        (KINESIS, "parallelization_factor: 10"),
        (
            KINESIS,
            "parallelization_factor: 10\ntumbling_window_in_seconds: 900\nmaximum_batching_window_in_seconds: 300",
        ),
        (KINESIS, "maximum_record_age_in_seconds: -1"),
        (KINESIS, "maximum_record_age_in_seconds: 60"),
        (KINESIS, "maximum_record_age_in_seconds: 604800"),
        (DYNAMODB, "maximum_retry_attempts: 10000"),
        (KINESIS, "maximum_retry_attempts: 0"),
        (DYNAMODB, "starting_position: LATEST"),
        (KINESIS, "starting_position: AT_TIMESTAMP\nstarting_position_timestamp: 1"),
        (CONSUMER, "destination_config: {on_failure: {destination: 'arn:aws:sqs:us-east-1:000000000000:failed'}}"),
        (KINESIS, "destination_config: {on_failure: {destination: 'arn:aws:sns:us-east-1:000000000000:failed'}}"),
        (DYNAMODB, "destination_config: {on_failure: {destination: 'arn:aws:s3:::failed-records'}}"),
        (DYNAMODB, "destination_config: {on_failure: {destination: ''}}"),
    ],
)
def test_what_lambda_takes_is_taken(folder: Folder, arn: str, line: str) -> None:
    """Each setting at its limits is accepted on the sources that take it."""
    assert folder.mapping(settings(arn, line)).event_source_arn == arn


OUT_OF_RANGE = [
    (KINESIS, "batch_size: 10001", "batch_size: found 10001, expected an integer from 1 to 10000"),
    (KINESIS, "parallelization_factor: 11", "parallelization_factor: found 11, expected an integer from 1 to 10"),
    (KINESIS, "parallelization_factor: 0", "parallelization_factor: found 0, expected an integer from 1 to 10"),
    (
        KINESIS,
        "maximum_retry_attempts: 10001",
        "maximum_retry_attempts: found 10001, expected an integer from -1 to 10000",
    ),
    (
        DYNAMODB,
        "maximum_record_age_in_seconds: 604801",
        "maximum_record_age_in_seconds: found 604801, expected an integer from -1 to 604800",
    ),
    (
        KINESIS,
        "tumbling_window_in_seconds: 901",
        "tumbling_window_in_seconds: found 901, expected an integer from 0 to 900",
    ),
]


@pytest.mark.parametrize(("arn", "line", "fault"), OUT_OF_RANGE)
def test_a_value_out_of_lambdas_range_is_refused(folder: Folder, arn: str, line: str, fault: str) -> None:
    """Found and expected are named, and nothing else is faulted."""
    assert folder.mapping_faults(settings(arn, line)) == [fault]


REFUSED = [
    (
        KINESIS,
        ["destination_config: {on_success: {destination: 'arn:aws:s3:::b'}}"],
        "destination_config.on_success: found OnSuccess",
        "Unsupported DestinationConfig parameter for given event source mapping type.",
    ),
    (
        KINESIS,
        ["starting_position: middle"],
        "starting_position: found 'middle'",
        "1 validation error detected: Value 'middle' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum "
        "value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
    ),
    (
        DYNAMODB,
        ["starting_position: AT_TIMESTAMP", "starting_position_timestamp: 1"],
        "starting_position: found AT_TIMESTAMP on a DynamoDB stream",
        f"Unsupported starting position for arn type: {DYNAMODB}",
    ),
    (KINESIS, ["starting_position: AT_TIMESTAMP"], "starting_position: found AT_TIMESTAMP without", "expected both"),
    (
        KINESIS,
        ["starting_position_timestamp: 1"],
        "starting_position_timestamp: found a time with starting_position TRIM_HORIZON",
        "AT_TIMESTAMP only",
    ),
    (
        KINESIS,
        ["starting_position: AT_TIMESTAMP", "starting_position_timestamp: 2026-01-01T00:00:01Z"],
        "starting_position_timestamp: found 2026-01-01T00:00:01+00:00, which is in the future",
        "has passed",
    ),
    (KINESIS, ["maximum_record_age_in_seconds: 0"], "maximum_record_age_in_seconds: found 0", "60 to 604800"),
    (KINESIS, ["maximum_record_age_in_seconds: 59"], "maximum_record_age_in_seconds: found 59", "60 to 604800"),
]


@pytest.mark.parametrize(("arn", "lines", "found", "expected"), REFUSED)
def test_what_lambda_refuses_is_refused_in_its_words(
    folder: Folder, arn: str, lines: list[str], found: str, expected: str
) -> None:
    """Settings that are right by themselves but not together, or not on this source."""
    (fault,) = folder.mapping_faults(settings(arn, *lines))

    assert fault.startswith(found)
    assert expected in fault


@pytest.mark.parametrize("arn", STREAMS)
def test_a_stream_without_starting_position_is_refused(folder: Folder, arn: str) -> None:
    """With AWS's text about the null member."""
    (fault,) = folder.mapping_faults(f"event_source_arn: {arn}\nfunction_name: orders")

    assert fault.startswith("starting_position is missing")
    assert "Value null at 'startingPosition' failed to satisfy constraint: Member must not be null." in fault


QUEUE_ONLY = [
    "scaling_config: {maximum_concurrency: 2}",
    "provisioned_poller_config: {minimum_pollers: 2}",
    "visibility: {heartbeat: true}",
]


@pytest.mark.parametrize("line", QUEUE_ONLY)
@pytest.mark.parametrize("arn", STREAMS)
def test_a_queues_setting_on_a_stream_is_refused(folder: Folder, arn: str, line: str) -> None:
    """Scaling, provisioned pollers and visibility are about queues."""
    (fault,) = folder.mapping_faults(settings(arn, line))

    assert "found a setting of queues on a" in fault


@pytest.mark.parametrize(
    "destination",
    [
        "arn:aws:sqs:us-east-1:000000000000:failed.fifo",
        "arn:aws:sns:us-east-1:000000000000:failed.fifo",
        "arn:aws:lambda:us-east-1:000000000000:function:failed",
        "arn:aws:kinesis:us-east-1:000000000000:stream/failed",
        "arn:aws:s3:::bucket/prefix",
        "kafka://topic",
        "my-bucket",
        "https://sqs.us-east-1.amazonaws.com/000000000000/failed",
    ],
)
def test_other_destinations_are_refused(folder: Folder, destination: str) -> None:
    """Failure records go to standard queues, standard topics and buckets only."""
    (fault,) = folder.mapping_faults(
        settings(KINESIS, f"destination_config: {{on_failure: {{destination: '{destination}'}}}}")
    )

    assert fault.startswith("destination_config.on_failure.destination: found ")
    assert "expected the ARN of a standard SQS queue, a standard SNS topic or an S3 bucket" in fault


@pytest.mark.parametrize(
    "text",
    [
        "2025-06-01T12:00:00Z",
        "2025-06-01T14:00:00+02:00",
        "2025-06-01T12:00:00",
        "1748779200",
        "1748779200.0",
        "'2025-06-01T12:00:00.000Z'",
    ],
)
def test_a_timestamp_is_a_time_or_seconds(folder: Folder, text: str) -> None:
    """ISO 8601 with or without offset (then UTC), quoted or not, or seconds since 1970."""
    mapping = folder.mapping(
        settings(KINESIS, "starting_position: AT_TIMESTAMP", f"starting_position_timestamp: {text}")
    )

    assert isinstance(mapping, StreamMapping)
    assert mapping.starting_position_timestamp == datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "true", "1e300", ".inf", "[1]", "2025-13-01"])
def test_what_is_no_time_is_refused(folder: Folder, text: str) -> None:
    """Never a traceback, however large the number."""
    (fault,) = folder.mapping_faults(
        settings(KINESIS, "starting_position: AT_TIMESTAMP", f"starting_position_timestamp: {text}")
    )

    assert fault.startswith("starting_position_timestamp: found ")
    assert "expected a time, as ISO 8601 text or as seconds since 1970" in fault
