"""Defaults, limits and refusals of queues are Lambda's (docs/lambda 1.2 and 1.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from config.models import SqsMapping
from tests.unit.config.sources.examples import FIFO, QUEUES, STANDARD, settings

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


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
    ],
)
def test_what_lambda_takes_is_taken(folder: Folder, arn: str, line: str) -> None:
    """Each setting at its limits is accepted on the sources that take it."""
    assert folder.mapping(settings(arn, line)).event_source_arn == arn


OUT_OF_RANGE = [
    (STANDARD, "batch_size: 0", "batch_size: found 0, expected an integer from 1 to 10000"),
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
        "destination_config: found a setting of streams and DocumentDB clusters on an SQS standard queue",
        "Unsupported DestinationConfig parameter for given event source mapping type.",
    ),
]


@pytest.mark.parametrize(("arn", "lines", "found", "expected"), REFUSED)
def test_what_lambda_refuses_is_refused_in_its_words(
    folder: Folder, arn: str, lines: list[str], found: str, expected: str
) -> None:
    """Settings that are right by themselves but not together, or not on this source."""
    (fault,) = folder.mapping_faults(settings(arn, *lines))

    assert fault.startswith(found)
    assert expected in fault


STREAM_ONLY = [
    "starting_position: LATEST",
    "starting_position_timestamp: 1",
    "parallelization_factor: 1",
    "maximum_record_age_in_seconds: -1",
    "maximum_retry_attempts: 3",
    "bisect_batch_on_function_error: true",
    "tumbling_window_in_seconds: 30",
    "destination_config: {on_failure: {destination: 'arn:aws:s3:::failed'}}",
]


@pytest.mark.parametrize("line", STREAM_ONLY)
@pytest.mark.parametrize("arn", QUEUES)
def test_a_streams_setting_on_a_queue_is_refused(folder: Folder, arn: str, line: str) -> None:
    """Even at a default that says something, as on Lambda."""
    (fault,) = folder.mapping_faults(f"event_source_arn: {arn}\nfunction_name: orders\n{line}")

    assert re.search(r"found a setting of streams( and DocumentDB clusters)? on an SQS", fault)


def test_a_rule_does_not_judge_what_could_not_be_read(folder: Folder) -> None:
    """A window that is no number leaves open whether the batch size is too large."""
    (fault,) = folder.mapping_faults(settings(STANDARD, "batch_size: 11", "maximum_batching_window_in_seconds: x"))

    assert fault.startswith("maximum_batching_window_in_seconds: ")
