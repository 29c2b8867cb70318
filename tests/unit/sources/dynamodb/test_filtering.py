"""Filters on the records of tables' streams, as DynamoDB Streams sends them (docs/lambda 6.4)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from tests.unit.filtering.mappings import (
    NEW_IMAGE,
    change_record,
    dynamodb,
    filter_of,
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["MODIFY", "REMOVE"]}, False),
        ({"eventName": ["INSERT"], "eventSource": ["aws:dynamodb"]}, True),
        ({"dynamodb": {"Keys": {"id": {"S": ["x"]}}}}, True),
        ({"dynamodb": {"NewImage": {"n": {"N": ["101"]}}}}, True),
        ({"dynamodb": {"NewImage": {"n": {"N": [101]}}}}, False),
        ({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": ["=", 101]}]}}}}, False),
        ({"dynamodb": {"NewImage": {"n": {"N": [{"anything-but": "101"}]}}}}, False),
        ({"dynamodb": {"NewImage": {"n": {"N": [{"anything-but": "5"}]}}}}, True),
        ({"dynamodb": {"NewImage": {"flag": {"BOOL": [True]}}}}, True),
        # An object holds no leaf value, so it does not exist as one (recorded on AWS).
        ({"dynamodb": {"NewImage": {"presentKey": [{"exists": False}]}}}, True),
        ({"dynamodb": {"NewImage": {"presentKey": [{"exists": True}]}}}, False),
        ({"dynamodb": {"NewImage": {"presentKey": {"S": [{"exists": True}]}}}}, True),
        ({"dynamodb": {"OldImage": {"id": {"S": [{"exists": False}]}}}}, True),
        ({"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 0]}]}}, True),
        ({"dynamodb": {"ApproximateCreationDateTime": [1480642020.0]}}, True),
        ({"dynamodb": {"SizeBytes": [54]}}, True),
        ({"userIdentity": {"type": ["Service"]}}, False),
        ({"userIdentity": {"type": [{"exists": False}]}}, True),
        (
            {"eventSourceARN": [{"prefix": "arn:aws:dynamodb:"}], "awsRegion": ["us-east-1"], "eventVersion": ["1.1"]},
            True,
        ),
    ],
)
def test_changes(pattern: dict[str, Any], expected: bool) -> None:
    """Attribute values stay typed, numbers in them strings; the creation time is a number."""
    assert filter_of(dynamodb(pattern)).matches(change_record(NEW_IMAGE)) is expected


def test_items_may_be_the_text_that_was_sent() -> None:
    """Only what a pattern looks at is parsed; an image left out or null is absent."""
    record = change_record({})
    record["dynamodb"] |= {
        "NewImage": Raw(b'{"n":{"N":"101"},"t":{"S":"\\ud800"}}'),
        "OldImage": Raw(b"null"),
        "Keys": Raw(b"{broken"),
    }
    image = {"dynamodb": {"NewImage": {"n": {"N": ["101"]}}, "OldImage": {"n": {"N": [{"exists": False}]}}}}
    assert filter_of(dynamodb(image)).matches(record)
    assert filter_of(dynamodb({"eventName": ["INSERT"]})).matches(record)
    assert not filter_of(dynamodb({"dynamodb": {"OldImage": [{"exists": True}]}})).matches(record)
    assert not filter_of(dynamodb({"dynamodb": {"Keys": {"id": {"S": ["x"]}}}})).matches(record)


def test_time_to_live_deletes_are_told_by_lower_case_members() -> None:
    """AWS's documented pattern for TTL deletes."""
    pattern = {
        "userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]},
        "eventName": ["REMOVE"],
    }
    identity = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    wanted = filter_of(dynamodb(pattern))
    assert wanted.matches(change_record({}, "REMOVE", userIdentity=identity))
    assert not wanted.matches(change_record({}, "REMOVE"))
