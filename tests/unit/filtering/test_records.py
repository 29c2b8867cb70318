"""Filters on the records of any source."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any
from unittest import mock

import orjson
import pytest

from pollers.filtering import PatternError
from pollers.filtering.records import compile_for_view
from pollers.jsontext import numbers
from pollers.sources.dynamodb.kind import DYNAMODB
from pollers.sources.kinesis.kind import KINESIS
from pollers.sources.registry import compile_patterns
from pollers.sources.sqs.kind import SQS
from tests.unit.filtering.mappings import (
    JSON_PATTERN,
    NEW_IMAGE,
    NO_BODY_PATTERN,
    TEXT_PATTERN,
    change_record,
    dynamodb,
    filter_of,
    kinesis,
    message,
    sqs,
    stream_record,
)

if TYPE_CHECKING:
    from config.models import Mapping


def test_mapping_without_filters_has_no_filter() -> None:
    """No filters, or an empty list of them, let everything through."""
    assert compile_patterns(sqs()) is None


def test_filters_are_alternatives() -> None:
    """A record needs to match one of the patterns only."""
    wanted = filter_of(sqs({"body": {"type": ["a"]}}, {"body": {"type": ["b"]}}))
    assert [wanted.matches(message({"type": kind})) for kind in "abc"] == [True, True, False]


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        (kinesis({"data": ["text"]}), ("data",)),
        (kinesis({"data": [{"exists": True}]}), ("data",)),
        (kinesis({"$or": [{"partitionKey": ["1"]}, {"data": ["text"]}]}), ("data",)),
        (dynamodb({"dynamodb": ["text"]}), ("dynamodb",)),
    ],
)
def test_stream_pattern_that_takes_data_as_text_is_refused(mapping: Mapping, path: tuple[str, ...]) -> None:
    """A pattern for a stream's data is about its fields."""
    with pytest.raises(PatternError) as refused:
        compile_patterns(mapping)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("mapping", "record"),
    [
        (sqs({"body": {"a": {"b": [1]}}, "messageAttributes": {"k": {"stringValue": ["v"]}}}),
         message({"a": [{"b": 1}]}, MessageAttributes={"k": {"StringValue": "v", "DataType": "String"}})),
        (kinesis({"data": {"a": {"b": [1]}}}), stream_record({"a": [{"b": 1}]})),
        (dynamodb({"dynamodb": {"ApproximateCreationDateTime": [{"exists": True}]}}), change_record(NEW_IMAGE)),
    ],
)  # fmt: skip
def test_records_are_never_altered(mapping: Mapping, record: dict[str, Any]) -> None:
    """What is delivered is what was received."""
    before = orjson.dumps(record)
    kept = copy.deepcopy(record)
    assert filter_of(mapping).matches(record)
    assert record == kept
    assert orjson.dumps(record) == before


@pytest.mark.parametrize(
    "mapping",
    [sqs(JSON_PATTERN, TEXT_PATTERN), kinesis({"data": {"a": [1]}}), dynamodb({"dynamodb": {"a": {"b": [1]}}})],
)
@pytest.mark.parametrize("record", [{}, {"Body": None}, {"Data": None}, {"dynamodb": None, "userIdentity": None}])
def test_odd_records_do_not_raise(mapping: Mapping, record: dict[str, Any]) -> None:
    """A record without its data matches no pattern for it."""
    assert filter_of(mapping).matches(record) is False


def test_data_is_decoded_only_if_needed_and_then_once() -> None:
    """Ten filters on the body decode it once; one that metadata settles does not decode it."""
    with mock.patch("pollers.filtering.records.decode", wraps=numbers.decode) as decode:
        filter_of(sqs(*({"body": {"type": [f"t{index}"]}} for index in range(10)))).matches(message({"type": "x"}))
        assert decode.call_count == 1
        by_both = filter_of(sqs({"body": {"type": ["created"]}, "attributes": {"ApproximateReceiveCount": ["2"]}}))
        assert not by_both.matches(message({"type": "created"}))
        assert filter_of(sqs(JSON_PATTERN, NO_BODY_PATTERN)).matches(message({"type": "created"}))
        assert decode.call_count == 1


def test_event_records_are_matched_as_functions_get_them() -> None:
    """The same patterns hold on Lambda event records."""
    assert SQS.patterns is not None
    assert KINESIS.patterns is not None
    assert DYNAMODB.patterns is not None
    record = {"messageId": "1", "body": '{"type": "created"}', "attributes": {}, "eventSource": "aws:sqs"}
    assert compile_for_view(SQS.patterns.event_view, [json.dumps(JSON_PATTERN)]).matches(record)
    inner = {"partitionKey": "1", "data": "eyJ0eXBlIjogImNyZWF0ZWQifQ==", "sequenceNumber": "7"}
    stream = {"kinesis": inner, "eventID": "shardId-000000000000:7", "eventName": "aws:kinesis:record"}
    pattern = {"partitionKey": ["1"], "data": {"type": ["created"]}, "eventID": [{"suffix": ":7"}]}
    assert compile_for_view(KINESIS.patterns.event_view, [json.dumps(pattern)]).matches(stream)
    change = {"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"S": "x"}}}}
    assert compile_for_view(DYNAMODB.patterns.event_view, ['{"dynamodb": {"Keys": {"id": {"S": ["x"]}}}}']).matches(
        change
    )


def test_every_pattern_that_fails_is_explained() -> None:
    """One reason for each filter, none for a record that matches."""
    wanted = filter_of(sqs(JSON_PATTERN, {"body": {"n": [{"exists": False}]}}, NO_BODY_PATTERN | {"messageId": ["x"]}))
    reasons = wanted.explain(message("text"))
    assert reasons == [
        'body.type has no value, must be ["created"]',
        "(body is JSON) is false, must be [true]",
        'messageId is "059f36b4-87a3-44ab-83d2-661975830a7d", must be ["x"]',
    ]
    assert wanted.explain(message({"type": "created"})) == []
