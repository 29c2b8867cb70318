"""What the loading of a configuration says of a mapping's patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pollers.sources.registry import check_patterns
from tests.unit.filtering.mappings import dynamodb, kinesis, sqs

if TYPE_CHECKING:
    from config.models import Mapping


def test_good_patterns_need_no_word() -> None:
    """Operators of Lambda's own table, on members that records have."""
    mapping = sqs(
        {"body": {"a": ["x", 1, None, "", {"equals-ignore-case": "y"}, {"anything-but": ["z"]}, {"exists": False}]}},
        {
            "body": {"b": [{"numeric": ["=", 100]}, {"prefix": "us-"}, {"suffix": ".png"}]},
            "messageId": [{"exists": True}],
        },
        {"$or": [{"body": {"a": ["x"]}}, {"body": {"b": ["y"]}}]},
    )
    assert list(check_patterns(mapping)) == []


@pytest.mark.parametrize(
    ("mapping", "path", "reason"),
    [
        (
            sqs({"body": {"type": "created"}}),
            ("body", "type"),
            'a field\'s values stand in an array: write "type": ["created"]',
        ),
        (sqs("simple string"), (), "a pattern is JSON"),
        (
            sqs({"body": {"type": [{"wildcard": "**"}]}}),
            ("body", "type", 0, "wildcard"),
            "two wildcards",
        ),
        (kinesis({"data": ["text"]}), ("data",), "the pattern for data must be an object"),
        (
            dynamodb({"dynamodb": [{"exists": True}]}),
            ("dynamodb",),
            "the pattern for dynamodb must be an object",
        ),
    ],
)
def test_faults_lead_into_the_pattern(mapping: Mapping, path: tuple[str | int, ...], reason: str) -> None:
    """Lambda's own words, where the fault is, and what would be right."""
    (finding,) = check_patterns(mapping)
    assert finding.path == ("filter_criteria", "filters", 0, "pattern", *path)
    assert finding.message.startswith("Invalid filter pattern definition. ")
    assert reason in finding.message
    assert not finding.is_note


def test_every_filter_is_checked() -> None:
    """One fault does not hide the next."""
    findings = list(check_patterns(sqs({"a": 1}, {"body": ["x"]}, {"b": {}})))
    assert [finding.path[2] for finding in findings] == [0, 2]


@pytest.mark.parametrize(
    ("entry", "operator"),
    [
        ({"wildcard": "a*"}, "wildcard"),
        ({"cidr": "10.0.0.0/8"}, "cidr"),
        ({"prefix": {"equals-ignore-case": "x"}}, "prefix with equals-ignore-case"),
        ({"suffix": {"equals-ignore-case": "x"}}, "suffix with equals-ignore-case"),
        ({"anything-but": {"prefix": "x"}}, "anything-but with prefix"),
    ],
)
def test_operators_beyond_lambdas_table_give_a_note(entry: Any, operator: str) -> None:  # noqa: ANN401
    """They work here; on Lambda they may not."""
    (finding,) = check_patterns(sqs({"body": {"f": ["x", entry]}}))
    assert finding.is_note
    assert finding.path == ("filter_criteria", "filters", 0, "pattern", "body", "f", 1, next(iter(entry)))
    assert finding.message.startswith(f"{operator} is EventBridge's")


def test_repeated_keys_give_a_note() -> None:
    """The last one counts, which its author may not have meant."""
    (finding,) = check_patterns(sqs('{"body": {"a": [1], "a": [2]}}'))
    assert finding.is_note
    assert finding.path[-2:] == ("body", "a")


@pytest.mark.parametrize(
    ("mapping", "name", "hint"),
    [
        (kinesis({"kinesis": {"partitionKey": ["1"]}}), "kinesis", "partitionKey and data stand at the top"),
        (sqs({"Body": {"type": ["x"]}}), "Body", "body"),
        (sqs({"data": {"type": ["x"]}}), "data", "body"),
        (dynamodb({"NewImage": {"id": {"S": ["x"]}}}), "NewImage", "dynamodb"),
        (kinesis({"eventID": [{"prefix": "shardId-000"}]}), "eventID", "not known"),
    ],
)
def test_members_that_records_do_not_have_give_a_note(mapping: Mapping, name: str, hint: str) -> None:
    """Such a pattern matches nothing, so it is worth a word."""
    (finding,) = check_patterns(mapping)
    assert finding.is_note
    assert finding.path[-1] == name
    assert hint in finding.message
