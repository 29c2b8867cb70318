"""What mappings of every kind of source share: source and function, filters, and one fault beside another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.config.sources.examples import FIFO, KINESIS, STANDARD, settings

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


@pytest.mark.parametrize(
    ("arn", "found"),
    [
        ("arn:aws:kafka:us-east-1:000000000000:cluster/c/1-2", "found an Amazon MSK (Kafka) source"),
        ("arn:aws:mq:us-east-1:000000000000:broker:b:b-1", "found an Amazon MQ broker"),
        ("arn:aws:docdb-elastic:us-east-1:000000000000:cluster/c", "found a DocumentDB elastic cluster"),
        ("arn:aws:rds:us-east-1:000000000000:db:c", "expected a cluster's ARN"),
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
    ["topics: [t]", "Queues: [q]", "SelfManagedEventSource: {Endpoints: {a: [b]}}"],
)
def test_settings_of_other_sources_are_refused(folder: Folder, line: str) -> None:
    """Kafka's and MQ's settings say that these are not read."""
    (fault,) = folder.mapping_faults(settings(STANDARD, line))

    assert "belongs to a Kafka or Amazon MQ source" in fault


def test_a_mapping_without_source_is_refused(folder: Folder) -> None:
    """With AWS's text."""
    (fault,) = folder.mapping_faults("function_name: orders")

    expected = "expected the ARN of a queue, a stream or a DocumentDB cluster"
    assert fault == f"event_source_arn is missing, {expected} (AWS: Unrecognized event source.)"


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


def test_qualifiers_do_not_make_two_functions_of_one(folder: Folder) -> None:
    """What AWS says of it is not known, so it is not made up."""
    (fault,) = folder.faults(
        f"""\
        functions:
          orders: {{code: ., handler: app.handler}}
        event_source_mappings:
          one: {{event_source_arn: "{STANDARD}", function_name: "orders:live"}}
          two: {{event_source_arn: "{STANDARD}", function_name: "orders:1"}}
        """
    )

    assert (
        "expected one mapping for the two (here it is one function, whatever its qualifier; AWS may take one" in fault
    )
    assert "already exists" not in fault


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


@pytest.mark.parametrize("name", [".a", "a b", "a/b", "x" * 129])
def test_mapping_names_are_safe_in_files_and_metrics(folder: Folder, name: str) -> None:
    """They are the mapping's identity everywhere."""
    (fault,) = folder.faults(
        "functions: {orders: {code: ., handler: app.handler}}\nevent_source_mappings:\n"
        f"  {name}: {{event_source_arn: 'arn:aws:sqs:us-east-1:000000000000:q', function_name: orders}}\n"
    )

    assert "expected 1 to 128 letters, digits, '.', '_' and '-', a letter or digit first" in fault
