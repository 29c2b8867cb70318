"""Filters on the records of each source, as the source sends them (docs/lambda 6.4)."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any
from unittest import mock

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from pollers.filtering import PatternError
from pollers.filtering.records import compile_for_view
from pollers.jsontext import numbers
from pollers.sources.dynamodb.kind import DYNAMODB
from pollers.sources.kinesis.kind import KINESIS
from pollers.sources.registry import compile_patterns
from pollers.sources.sqs.kind import SQS
from tests.unit.filtering.mappings import change_record, dynamodb, kinesis, message, sqs, stream_record

if TYPE_CHECKING:
    from config.models import Mapping
    from pollers.filtering import RecordFilter


def filter_of(mapping: Mapping) -> RecordFilter:
    """The mapping's filter, which it must have."""
    compiled = compile_patterns(mapping)
    assert compiled is not None
    return compiled


def test_mapping_without_filters_has_no_filter() -> None:
    """No filters, or an empty list of them, let everything through."""
    assert compile_patterns(sqs()) is None


def test_filters_are_alternatives() -> None:
    """A record needs to match one of the patterns only."""
    wanted = filter_of(sqs({"body": {"type": ["a"]}}, {"body": {"type": ["b"]}}))
    assert [wanted.matches(message({"type": kind})) for kind in "abc"] == [True, True, False]


JSON_PATTERN = {"body": {"type": ["created"]}}
TEXT_PATTERN = {"body": ["created"]}
NO_BODY_PATTERN = {"attributes": {"ApproximateReceiveCount": ["1"]}}


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
def test_sqs_body_and_pattern(body: Any, pattern: dict[str, Any], expected: bool) -> None:  # noqa: ANN401
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
def test_sqs_bodies_of_all_kinds(body: str, pattern: Any, expected: bool) -> None:  # noqa: ANN401
    """The body is parsed if it parses, once, whatever JSON it is."""
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    assert filter_of(sqs(text)).matches(message(body)) is expected


def test_sqs_number_texts_count_beside_plain_integers() -> None:
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
def test_sqs_metadata(pattern: dict[str, Any]) -> None:
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
def test_sqs_absent_digest_is_null_under_a_batching_window(window: int, expected: bool) -> None:
    """Without message attributes the digest is null if a window is set, else absent (docs/lambda 5.1)."""
    assert filter_of(sqs({"md5OfMessageAttributes": [None]}, window=window)).matches(message("x")) is expected


def test_kinesis_pattern_addresses_inner_members_at_the_top() -> None:
    """partitionKey and data stand at the top of the pattern, not under kinesis."""
    record = stream_record({"order": {"type": "buy"}})
    assert filter_of(kinesis({"partitionKey": ["1"], "data": {"order": {"type": ["buy"]}}})).matches(record)
    assert not filter_of(kinesis({"kinesis": {"partitionKey": ["1"]}})).matches(record)
    assert not filter_of(kinesis({"partitionKey": ["2"], "data": {"order": {"type": ["buy"]}}})).matches(record)


@pytest.mark.parametrize(
    "pattern",
    [
        {"sequenceNumber": [{"prefix": "4959"}]},
        {"approximateArrivalTimestamp": [{"numeric": [">", 1545084650, "<", 1545084651]}]},
        {"approximateArrivalTimestamp": [1545084650.987]},
        {"kinesisSchemaVersion": ["1.0"], "eventVersion": ["1.0"], "eventSource": ["aws:kinesis"]},
        {
            "eventName": ["aws:kinesis:record"],
            "awsRegion": ["us-east-2"],
            "eventSourceARN": [{"suffix": "/lambda-stream"}],
        },
        {"invokeIdentityArn": [{"prefix": "arn:aws:iam::123456789012:role/"}]},
    ],
)
def test_kinesis_metadata(pattern: dict[str, Any]) -> None:
    """The members of the event record are there."""
    assert filter_of(kinesis(pattern)).matches(stream_record({}))


def test_kinesis_record_without_partition_key_has_an_empty_one() -> None:
    """As its event record has."""
    record = stream_record({})
    del record["PartitionKey"]
    assert filter_of(kinesis({"partitionKey": [""]})).matches(record)


@pytest.mark.parametrize("data", [b"plain", b"\xff\xfe", b"", b'{"a": ', b'{"a": "\xff"}', '{"x": 1}'.encode("utf-16")])
def test_kinesis_data_that_is_no_json_is_dropped_by_a_data_pattern(data: bytes) -> None:
    """Whatever the pattern asks of the data; without one, metadata decides."""
    record = stream_record(data)
    assert not filter_of(kinesis({"data": {"x": [{"exists": False}]}})).matches(record)
    assert not filter_of(kinesis({"data": {"x": [1]}})).matches(record)
    assert filter_of(kinesis({"partitionKey": ["1"]})).matches(record)


@pytest.mark.parametrize("data", ["!", None, 5, "\u00e9"])
def test_kinesis_data_that_is_no_base64_is_no_json(data: Any) -> None:  # noqa: ANN401
    """A record that no service would send is judged, not crashed on."""
    record = {**stream_record({}), "Data": data}
    assert not filter_of(kinesis({"data": {"x": [{"exists": False}]}})).matches(record)


def test_kinesis_data_may_be_any_json() -> None:
    """A JSON array of objects is looked into."""
    wanted = filter_of(kinesis({"data": {"x": [1], "y": [2]}}))
    assert wanted.matches(stream_record([{"x": 0}, {"x": 1, "y": 2}]))
    assert not wanted.matches(stream_record([{"x": 1}, {"y": 2}]))


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


NEW_IMAGE = {"id": {"S": "x"}, "presentKey": {"S": "here"}, "n": {"N": "101"}, "flag": {"BOOL": True}}


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
def test_dynamodb_changes(pattern: dict[str, Any], expected: bool) -> None:
    """Attribute values stay typed, numbers in them strings; the creation time is a number."""
    assert filter_of(dynamodb(pattern)).matches(change_record(NEW_IMAGE)) is expected


def test_dynamodb_items_may_be_the_text_that_was_sent() -> None:
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


def test_dynamodb_time_to_live_deletes_are_told_by_lower_case_members() -> None:
    """AWS's documented pattern for TTL deletes."""
    pattern = {
        "userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]},
        "eventName": ["REMOVE"],
    }
    identity = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    wanted = filter_of(dynamodb(pattern))
    assert wanted.matches(change_record({}, "REMOVE", userIdentity=identity))
    assert not wanted.matches(change_record({}, "REMOVE"))


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


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=20), st.text('{}[]":,type1', max_size=40).map(str.encode)))
def test_any_bytes_are_judged(data: bytes) -> None:
    """Nor do any bytes of a stream."""
    wanted, record = filter_of(kinesis({"data": {"type": [{"exists": False}]}})), stream_record(data)
    assert wanted.matches(record) is (wanted.explain(record) == [])


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
    record = {"messageId": "1", "body": '{"type": "created"}', "attributes": {}, "eventSource": "aws:sqs"}
    assert compile_for_view(SQS.event_view, [json.dumps(JSON_PATTERN)]).matches(record)
    inner = {"partitionKey": "1", "data": "eyJ0eXBlIjogImNyZWF0ZWQifQ==", "sequenceNumber": "7"}
    stream = {"kinesis": inner, "eventID": "shardId-000000000000:7", "eventName": "aws:kinesis:record"}
    pattern = {"partitionKey": ["1"], "data": {"type": ["created"]}, "eventID": [{"suffix": ":7"}]}
    assert compile_for_view(KINESIS.event_view, [json.dumps(pattern)]).matches(stream)
    change = {"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"S": "x"}}}}
    assert compile_for_view(DYNAMODB.event_view, ['{"dynamodb": {"Keys": {"id": {"S": ["x"]}}}}']).matches(change)


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
