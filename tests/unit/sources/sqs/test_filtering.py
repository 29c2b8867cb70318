"""Filters on SQS messages, as SQS sends them (docs/lambda 6.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.filtering.mappings import (
    JSON_PATTERN,
    NO_BODY_PATTERN,
    TEXT_PATTERN,
    filter_of,
    message,
    sqs,
)


@pytest.mark.parametrize(
    ("body", "pattern", "expected"),
    [
        ("created", TEXT_PATTERN, True),
        ("deleted", TEXT_PATTERN, False),
        ("created", NO_BODY_PATTERN, True),
        ("created", JSON_PATTERN, False),
        ({"type": "created"}, TEXT_PATTERN, False),
        ({"type": "created"}, NO_BODY_PATTERN, True),
        ({"type": "created"}, JSON_PATTERN, True),
        ({"type": "deleted"}, JSON_PATTERN, False),
    ],
)
def test_body_and_pattern(body: Any, pattern: dict[str, Any], expected: bool) -> None:  # noqa: ANN401
    """Lambda's table of body formats and pattern formats."""
    assert filter_of(sqs(pattern)).matches(message(body)) is expected


@pytest.mark.parametrize(
    ("body", "pattern", "expected"),
    [
        # A pattern for the body's fields needs a JSON body, even if it asks only for what a text has not.
        ("created", {"body": {"type": [{"exists": False}]}}, False),
        ("{}", {"body": {"type": [{"exists": False}]}}, True),
        ("123", {"body": {"type": [{"exists": False}]}}, True),
        ("created", {"body.type": [{"exists": False}]}, False),
        (
            "created",
            {"$or": [{"body": {"x": [{"exists": False}]}}, {"attributes": {"SentTimestamp": [{"prefix": "1"}]}}]},
            True,
        ),
        # Bodies that are JSON without being objects.
        ("123", {"body": [123]}, True),
        ("123", {"body": ["123"]}, False),
        ('"quoted"', {"body": ["quoted"]}, True),
        ("null", {"body": [None]}, True),
        ('["a", "b"]', {"body": ["b"]}, True),
        ('[{"x": 1, "y": 1}, {"x": 2, "y": 2}]', {"body": {"x": [1], "y": [2]}}, False),
        ('[{"x": 1, "y": 1}, {"x": 2, "y": 2}]', {"body": {"x": [2], "y": [2]}}, True),
        # Text patterns take every operator.
        ("order-7", {"body": [{"prefix": "order-"}]}, True),
        ("order-7", {"body": [{"anything-but": "x"}]}, True),
        ("", {"body": [""]}, True),
        ("{broken", {"body": [{"prefix": "{"}]}, True),
        ("NaN", {"body": ["NaN"]}, True),
        # JSON that fast parsers refuse is JSON none the less.
        ('{"type": "created", "x": "\\ud800"}', JSON_PATTERN, True),
        ('{"type": "created", "x": 1e400}', JSON_PATTERN, True),
        ('{"type": "created", "x": ' + "9" * 5000 + "}", JSON_PATTERN, True),
        (' \n{"type": "created"}\n', JSON_PATTERN, True),
        ('{"type": "created"}{}', JSON_PATTERN, False),
        # Numbers are equal by value, however they are written.
        ('{"n": 300.0}', {"body": {"n": [300]}}, True),
        ('{"n": 300.0}', {"body": {"n": [300.0]}}, True),
        ('{"n": 300}', '{"body": {"n": [3.0e2]}}', True),
        ('{"n": 300.5}', '{"body": {"n": [3.0e2]}}', False),
        ('{"n": 3.0e2}', '{"body": {"n": [3.0e2]}}', True),
        # JSON in a string of the body is not parsed again.
        (json.dumps({"Message": '{"type": "created"}'}), {"body": {"Message": {"type": ["created"]}}}, False),
    ],
)
def test_bodies_of_all_kinds(body: str, pattern: Any, expected: bool) -> None:  # noqa: ANN401
    """The body is parsed if it parses, once, whatever JSON it is."""
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    assert filter_of(sqs(text)).matches(message(body)) is expected


def test_number_texts_count_beside_plain_integers() -> None:
    """A filter with a number that doubles do not tell apart compares all others as before."""
    wanted = filter_of(sqs('{"body": {"n": [18446744073709551617]}}', '{"body": {"n": [5]}}'))
    found = [
        wanted.matches(message(f'{{"n": {text}}}'))
        for text in ("18446744073709551617", "18446744073709551616", "5", "5.0")
    ]
    assert found == [True, False, True, True]


@pytest.mark.parametrize(
    "pattern",
    [
        {"messageId": [{"prefix": "059f"}]},
        {"receiptHandle": ["AQEB"]},
        {"attributes": {"SentTimestamp": [{"exists": True}]}},
        {"messageAttributes": {"kind": {"stringValue": ["big"], "dataType": ["String"]}}},
        {"messageAttributes": {"blob": {"binaryValue": ["AAE="], "stringValue": [{"exists": False}]}}},
        {"messageAttributes": {"kind": {"stringListValues": [{"exists": False}]}}},
        {"messageAttributes": {"a.b": {"stringValue": ["dotted"]}}},
        {"md5OfMessageAttributes": ["d25a"]},
        {"md5OfBody": [{"exists": True}]},
        {"eventSource": ["aws:sqs"], "awsRegion": ["us-east-2"]},
        {"eventSourceARN": [{"suffix": ":my-queue"}]},
        {"unheardOf": [{"exists": False}]},
    ],
)
def test_metadata(pattern: dict[str, Any]) -> None:
    """Patterns see the members of Lambda's event record, not those of the API."""
    record = message(
        "text",
        MessageAttributes={
            "kind": {"StringValue": "big", "DataType": "String"},
            "blob": {"BinaryValue": "AAE=", "DataType": "Binary"},
            "a.b": {"StringValue": "dotted", "DataType": "String"},
        },
        MD5OfMessageAttributes="d25a",
    )
    assert filter_of(sqs(pattern)).matches(record)


@pytest.mark.parametrize(("window", "expected"), [(0, False), (5, True)])
def test_absent_digest_is_null_under_a_batching_window(window: int, expected: bool) -> None:
    """Without message attributes the digest is null if a window is set, else absent (docs/lambda 5.1)."""
    assert filter_of(sqs({"md5OfMessageAttributes": [None]}, window=window)).matches(message("x")) is expected


@pytest.mark.parametrize(
    "body", ["[" * 100_000, "[" * 900 + "]" * 900, '{"type":' * 900 + "1" + "}" * 900, '{"type": [' * 400 + "]}" * 400]
)
def test_deep_nesting_in_a_body_is_no_danger(body: str) -> None:
    """Bodies nested without end are judged, whether they count as JSON or as text."""
    for pattern in (
        JSON_PATTERN,
        TEXT_PATTERN,
        {"body": {"type": {"type": [{"exists": True}]}}},
        {"body": {"type": [1.5]}},
    ):
        assert filter_of(sqs(pattern)).matches(message(body)) is False


@settings(max_examples=150)
@given(
    st.one_of(st.text(st.characters(), max_size=20), st.text('{}[]":,type1.5e-+ \\ud8', max_size=40)),
    st.sampled_from([[JSON_PATTERN], [TEXT_PATTERN], ['{"body": {"type": [1.5]}}'], [JSON_PATTERN, NO_BODY_PATTERN]]),
)
def test_any_text_is_judged(body: str, patterns: list[Any]) -> None:
    """No body makes a filter raise, and what does not match is explained."""
    wanted, record = filter_of(sqs(*patterns)), message(body)
    assert wanted.matches(record) is (wanted.explain(record) == [])
