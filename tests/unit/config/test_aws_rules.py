"""Defaults, limits and refusals of mappings are Lambda's, by kind of source (docs/lambda 1.2 and 1.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from config.models import DynamoDBMapping, KinesisMapping, SqsMapping

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

STANDARD = "arn:aws:sqs:us-east-1:000000000000:orders"
FIFO = "arn:aws:sqs:us-east-1:000000000000:orders.fifo"
KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
CONSUMER = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks/consumer/fan-out:1700000000"
DYNAMODB = "arn:aws:dynamodb:us-east-1:000000000000:table/users/stream/2026-01-01T00:00:00.000"

QUEUES = (STANDARD, FIFO)
STREAMS = (KINESIS, CONSUMER, DYNAMODB)


def settings(arn: str, *lines: str) -> str:
    """A mapping of this source; streams start at TRIM_HORIZON unless a line says otherwise."""
    start = (
        ["starting_position: TRIM_HORIZON"]
        if arn in STREAMS and not any("starting_position:" in line for line in lines)
        else []
    )
    return "\n".join([f"event_source_arn: {arn}", "function_name: orders", *start, *lines])


@pytest.mark.parametrize("arn", QUEUES)
def test_a_queue_has_lambdas_defaults(folder: Folder, arn: str) -> None:
    """A queue's mapping without settings has the values that AWS returns after create."""
    mapping = folder.mapping(settings(arn))

    assert isinstance(mapping, SqsMapping)
    assert (mapping.batch_size, mapping.maximum_batching_window_in_seconds, mapping.enabled) == (10, 0, True)
    assert (mapping.function_response_types, mapping.filter_criteria.filters) == ([], [])
    assert mapping.scaling_config.maximum_concurrency is None
    assert mapping.provisioned_poller_config is None
    assert mapping.fifo is (arn == FIFO)


@pytest.mark.parametrize("arn", STREAMS)
def test_a_stream_has_lambdas_defaults(folder: Folder, arn: str) -> None:
    """A stream's mapping without settings has the values that AWS returns after create."""
    mapping = folder.mapping(settings(arn))

    assert isinstance(mapping, DynamoDBMapping if arn == DYNAMODB else KinesisMapping)
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
        (STANDARD, "batch_size: 1"),
        (STANDARD, "batch_size: 10"),
        (STANDARD, "batch_size: 10000\nmaximum_batching_window_in_seconds: 1"),
        (STANDARD, "maximum_batching_window_in_seconds: 300"),
        (STANDARD, "scaling_config: {maximum_concurrency: 2}"),
        (STANDARD, "scaling_config: {maximum_concurrency: 1000}"),
        (STANDARD, "provisioned_poller_config: {minimum_pollers: 2, maximum_pollers: 10000}"),
        (STANDARD, "provisioned_poller_config: {minimum_pollers: 200}"),
        (STANDARD, "provisioned_poller_config: {maximum_pollers: 2}\nscaling_config: {}"),
        (STANDARD, "function_response_types: [ReportBatchItemFailures]"),
        (STANDARD, "visibility: {heartbeat: false, retry_delay: 0}"),
        (STANDARD, "visibility: {retry_delay: {initial: 1, maximum: 43200}}"),
        (FIFO, "batch_size: 10\nmaximum_batching_window_in_seconds: 0"),
        (FIFO, "scaling_config: {maximum_concurrency: 5}"),
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
    (STANDARD, "batch_size: 0", "batch_size: found 0, expected an integer from 1 to 10000"),
    (KINESIS, "batch_size: 10001", "batch_size: found 10001, expected an integer from 1 to 10000"),
    (
        STANDARD,
        "maximum_batching_window_in_seconds: 301",
        "maximum_batching_window_in_seconds: found 301, expected an integer from 0 to 300",
    ),
    (
        STANDARD,
        "scaling_config: {maximum_concurrency: 1}",
        "scaling_config.maximum_concurrency: found 1, expected an integer from 2 to 1000",
    ),
    (
        STANDARD,
        "scaling_config: {maximum_concurrency: 1001}",
        "scaling_config.maximum_concurrency: found 1001, expected an integer from 2 to 1000",
    ),
    (
        STANDARD,
        "provisioned_poller_config: {minimum_pollers: 1}",
        "provisioned_poller_config.minimum_pollers: found 1, expected an integer from 2 to 200",
    ),
    (
        FIFO,
        "provisioned_poller_config: {maximum_pollers: 10001}",
        "provisioned_poller_config.maximum_pollers: found 10001, expected an integer from 2 to 10000",
    ),
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
    (
        STANDARD,
        "visibility: {retry_delay: 43201}",
        "visibility.retry_delay: found 43201, expected an integer from 0 to 43200 or a mapping of initial, maximum",
    ),
    (
        STANDARD,
        "function_response_types: [Other]",
        "function_response_types[0]: found 'Other', expected ReportBatchItemFailures",
    ),
    (
        STANDARD,
        "function_response_types: [ReportBatchItemFailures, ReportBatchItemFailures]",
        "function_response_types: found 2 items, expected a list of at most 1 item, each ReportBatchItemFailures",
    ),
]


@pytest.mark.parametrize(("arn", "line", "fault"), OUT_OF_RANGE)
def test_a_value_out_of_lambdas_range_is_refused(folder: Folder, arn: str, line: str, fault: str) -> None:
    """Found and expected are named, and nothing else is faulted."""
    assert folder.mapping_faults(settings(arn, line)) == [fault]


REFUSED = [
    (
        STANDARD,
        ["batch_size: 11"],
        "batch_size: found 11",
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    ),
    (
        STANDARD,
        ["batch_size: 10000", "maximum_batching_window_in_seconds: 0"],
        "batch_size: found 10000",
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    ),
    (
        FIFO,
        ["maximum_batching_window_in_seconds: 1"],
        "maximum_batching_window_in_seconds: found 1 on a FIFO queue",
        "Batching window is not supported for FIFO queues",
    ),
    (FIFO, ["batch_size: 11"], "batch_size: found 11 on a FIFO queue", "expected an integer from 1 to 10"),
    (
        STANDARD,
        ["scaling_config: {maximum_concurrency: 2}", "provisioned_poller_config: {minimum_pollers: 2}"],
        "provisioned_poller_config: found it together",
        "Provisioned mode for SQS ESM does not support maximum concurrency feature. Use MaximumPollers as the control mechanism "
        "and remove maximum concurrency.",
    ),
    (
        STANDARD,
        ["provisioned_poller_config: {minimum_pollers: 10, maximum_pollers: 5}"],
        "provisioned_poller_config.minimum_pollers: found 10",
        "MinimumPollers should be between [2, 200] and MaximumPollers should be between [MinimumPollers, 10000]",
    ),
    (
        STANDARD,
        ["provisioned_poller_config: {poller_group_name: g}"],
        "provisioned_poller_config.poller_group_name: found a poller group",
        "Kafka",
    ),
    (
        STANDARD,
        ["visibility: {retry_delay: {initial: 5, maximum: 4}}"],
        "visibility.retry_delay.initial: found 5 with maximum 4",
        "expected",
    ),
    (
        STANDARD,
        ["destination_config: {on_success: {destination: x}}"],
        "destination_config: found a setting of streams",
        "Unsupported DestinationConfig parameter for given event source mapping type.",
    ),
    (
        STANDARD,
        ["destination_config: {on_failure: {destination: 'arn:aws:s3:::b'}}"],
        "destination_config: found a setting of streams on an SQS standard queue",
        "Unsupported DestinationConfig parameter for given event source mapping type.",
    ),
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


STREAM_ONLY = [
    "starting_position: LATEST",
    "starting_position_timestamp: 1",
    "parallelization_factor: 1",
    "maximum_record_age_in_seconds: -1",
    "maximum_retry_attempts: 3",
    "bisect_batch_on_function_error: false",
    "tumbling_window_in_seconds: 0",
]
QUEUE_ONLY = ["scaling_config: {}", "provisioned_poller_config: {}", "visibility: {heartbeat: true}"]


@pytest.mark.parametrize("line", STREAM_ONLY)
@pytest.mark.parametrize("arn", QUEUES)
def test_a_streams_setting_on_a_queue_is_refused(folder: Folder, arn: str, line: str) -> None:
    """Even at its default, as on Lambda."""
    (fault,) = folder.mapping_faults(f"event_source_arn: {arn}\nfunction_name: orders\n{line}")

    assert "found a setting of streams on an SQS" in fault


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
    ("arn", "found"),
    [
        ("arn:aws:kafka:us-east-1:000000000000:cluster/c/1-2", "found an Amazon MSK (Kafka) source"),
        ("arn:aws:mq:us-east-1:000000000000:broker:b:b-1", "found an Amazon MQ broker"),
        ("arn:aws:rds:us-east-1:000000000000:cluster:c", "found a DocumentDB cluster"),
        ("arn:aws:dynamodb:us-east-1:000000000000:table/users", "LatestStreamArn"),
        ("arn:aws:kinesis:us-east-1:000000000000:clicks", "expected a stream's ARN"),
        ("arn:aws:sqs:us-east-1:000000000000:a/b", "expected a queue's ARN"),
        ("arn:aws:sqs::000000000000:orders", "found the region ''"),
        ("arn:aws:sqs:us-east-1:12345:orders", "found the account '12345'"),
        ("https://sqs.us-east-1.amazonaws.com/000000000000/orders", "which looks like a queue's URL"),
        ("orders", "found 'orders', expected the ARN of an SQS queue"),
        ("''", "found an empty text"),
    ],
)
def test_another_source_is_refused(folder: Folder, arn: str, found: str) -> None:
    """What is no queue, stream or consumer is named for what it is, and the other settings are still read."""
    faults = folder.mapping_faults(f"event_source_arn: {arn}\nfunction_name: orders\nbatch_size: x")

    assert len(faults) == 2
    assert faults[0].startswith("event_source_arn: ")
    assert found in faults[0]
    assert faults[1].startswith("batch_size: found 'x'")


@pytest.mark.parametrize(
    "line",
    ["topics: [t]", "Queues: [q]", "SelfManagedEventSource: {Endpoints: {}}", "document_db_event_source_config: {}"],
)
def test_settings_of_other_sources_are_refused(folder: Folder, line: str) -> None:
    """Kafka's, MQ's and DocumentDB's settings say that these are not read."""
    (fault,) = folder.mapping_faults(settings(STANDARD, line))

    assert "belongs to a Kafka, Amazon MQ or DocumentDB source" in fault


def test_a_mapping_without_source_is_refused(folder: Folder) -> None:
    """With AWS's text."""
    (fault,) = folder.mapping_faults("function_name: orders")

    assert (
        fault
        == "event_source_arn is missing, expected the ARN of a queue or a stream (AWS: Unrecognized event source.)"
    )


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        (STANDARD, 'An event source mapping with SQS arn (" {0} ") and function (" orders ") already exists.'),
        (KINESIS, 'The event source arn (" {0} ") and function (" orders ") provided mapping already exists.'),
    ],
)
def test_a_second_mapping_of_the_same_source_and_function_is_refused(folder: Folder, arn: str, text: str) -> None:
    """However the function is spelled; the first mapping is named with its place."""
    start = "" if arn == STANDARD else ", starting_position: LATEST"
    (fault,) = folder.faults(
        f"""\
        functions:
          orders: {{code: ., handler: app.handler}}
        event_source_mappings:
          one: {{event_source_arn: "{arn}", function_name: orders{start}}}
          two: {{event_source_arn: "{arn}", function_name: "000000000000:function:orders:$LATEST"{start}}}
        """
    )

    assert fault.startswith(
        "headrace.yaml:5: event_source_mappings.two.event_source_arn: found the source and the function of the mapping one"
    )
    assert "headrace.yaml:4" in fault
    assert text.format(arn) in fault


def test_one_source_may_feed_many_functions_and_one_function_have_many_sources(folder: Folder) -> None:
    """Only the same pair twice is a conflict."""
    loaded = folder.load(
        f"""\
        functions:
          a: {{code: ., handler: app.handler}}
          b: {{code: ., handler: app.handler}}
        event_source_mappings:
          one: {{event_source_arn: "{STANDARD}", function_name: a}}
          two: {{event_source_arn: "{STANDARD}", function_name: b}}
          three: {{event_source_arn: "{FIFO}", function_name: a}}
        """
    )

    assert list(loaded.config.event_source_mappings) == ["one", "two", "three"]


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

    assert isinstance(mapping, KinesisMapping)
    assert mapping.starting_position_timestamp == datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "true", "1e300", ".inf", "[1]", "2025-13-01"])
def test_what_is_no_time_is_refused(folder: Folder, text: str) -> None:
    """Never a traceback, however large the number."""
    (fault,) = folder.mapping_faults(
        settings(KINESIS, "starting_position: AT_TIMESTAMP", f"starting_position_timestamp: {text}")
    )

    assert fault.startswith("starting_position_timestamp: found ")
    assert "expected a time, as ISO 8601 text or as seconds since 1970" in fault


def test_more_than_ten_filters_are_refused(folder: Folder) -> None:
    """Ten is Lambda's quota."""
    eleven = ", ".join(["{pattern: {body: [a]}}"] * 11)

    (fault,) = folder.mapping_faults(settings(STANDARD, f"filter_criteria: {{filters: [{eleven}]}}"))

    assert fault.startswith("filter_criteria.filters: found 11 items, expected a list of at most 10 items")


def test_a_pattern_of_more_than_4096_characters_is_refused(folder: Folder) -> None:
    """The text that AWS would get is counted, whichever way it is written."""
    fits, too_long = "a" * (4096 - len('{"body":[""]}')), "a" * (4097 - len('{"body":[""]}'))
    folder.mapping(settings(STANDARD, f"filter_criteria: {{filters: [{{pattern: {{body: [{fits}]}}}}]}}"))

    (fault,) = folder.mapping_faults(
        settings(STANDARD, f"filter_criteria: {{filters: [{{pattern: {{body: [{too_long}]}}}}]}}")
    )

    assert fault == "filter_criteria.filters[0].pattern: found a pattern of 4097 characters, expected at most 4096"


@pytest.mark.parametrize(
    "filters", ["[{}]", "[{pattern: null}]", "[{pattern: 5}]", "[{pattern: [a]}]", "[{pattern: {a: [.nan]}}]"]
)
def test_what_is_no_pattern_is_refused_in_lambdas_words(folder: Folder, filters: str) -> None:
    """Missing, of another type, or not to be written as JSON."""
    (fault,) = folder.mapping_faults(settings(STANDARD, f"filter_criteria: {{filters: {filters}}}"))

    assert "Invalid filter pattern definition." in fault


def test_one_fault_does_not_hide_another(folder: Folder) -> None:
    """Rules look at what could be read, whatever else is wrong."""
    faults = folder.mapping_faults(settings(STANDARD, "batch_size: 11", "enabled: maybe", "nonsense: 1", "topics: [t]"))

    assert [fault.split(":")[0] for fault in faults] == ["batch_size", "enabled", "nonsense", "topics"]


def test_a_rule_does_not_judge_what_could_not_be_read(folder: Folder) -> None:
    """A window that is no number leaves open whether the batch size is too large."""
    (fault,) = folder.mapping_faults(settings(STANDARD, "batch_size: 11", "maximum_batching_window_in_seconds: x"))

    assert fault.startswith("maximum_batching_window_in_seconds: ")
