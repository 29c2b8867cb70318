"""How fields combine: and, $or, dotted paths, duplicate keys, and elements of arrays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pollers.filtering import Pattern
from pollers.jsontext.numbers import decode

EMPLOYEES = {
    "employees": [
        [
            {"firstName": "John", "lastName": "Doe", "ids": [1234, 1000, 9999]},
            {"firstName": "Anna", "lastName": "Smith"},
        ],
        [{"firstName": "Peter", "lastName": "Jones", "ids": []}],
    ]
}


def matches(pattern: Any, event: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether the event, given as JSON text or as a value, matches."""
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    return Pattern.compile(text).matches(
        decode(event if isinstance(event, str) else json.dumps(event), keep_number_texts=False)
    )


@pytest.mark.parametrize(
    ("employee", "expected"),
    [
        ({"firstName": ["Anna"]}, True),
        ({"firstName": ["John"], "ids": [1000]}, True),
        ({"firstName": ["Anna"], "ids": [{"exists": False}]}, True),
        ({"firstName": ["Peter"], "ids": [{"exists": False}]}, True),
        ({"firstName": ["John"], "ids": [{"exists": False}]}, False),
        ({"firstName": ["Alice"]}, False),
        ({"firstName": ["Anna"], "lastName": ["Jones"]}, False),
        ({"firstName": ["Anna"], "ids": [1000]}, False),
        ({"firstName": ["Anna"], "ids": [{"exists": True}]}, False),
        ({"firstName": ["John", "Peter"], "lastName": ["Jones"]}, True),
    ],
)
def test_fields_of_a_rule_come_from_one_element(employee: dict[str, Any], expected: bool) -> None:
    """Two fields of a rule may not lie in different elements of one array, however deep it is."""
    assert matches({"employees": employee}, EMPLOYEES) is expected


def test_objects_in_arrays_are_no_leaf_values() -> None:
    """The array as a whole is no string, whatever its objects hold."""
    assert not matches({"employees": ["John"]}, EMPLOYEES)
    assert matches({"employees": [{"exists": False}]}, EMPLOYEES)


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        # Arrays beside each other are independent of each other; arrays inside an element belong to it.
        ({"a": {"x": [1]}, "b": {"x": [2]}}, {"a": [{"x": 0}, {"x": 1}], "b": [{"x": 2}]}, True),
        ({"u": {"t": {"k": ["color"], "v": ["blue"]}}}, {"u": [{"t": [{"k": "color", "v": "blue"}]}]}, True),
        ({"u": {"t": {"k": ["color"], "v": ["blue"]}}}, {"u": [{"t": [{"k": "color"}, {"v": "blue"}]}]}, False),
        (
            {"d": {"name": [{"exists": True}], "info": {"x": ["1"]}}},
            {"d": [{"name": "a"}, {"info": {"x": "1"}}]},
            False,
        ),
        ({"d": {"name": [{"exists": True}], "info": {"x": ["1"]}}}, {"d": [{"name": "a", "info": {"x": "1"}}]}, True),
        # An array's own strings do not lie in an element.
        ({"a": ["p"], "a.x": ["q"]}, {"a": ["p", {"x": "q"}]}, True),
        ({"a": ["p"], "a.x": ["q"]}, {"a": [["p"], {"x": "q"}]}, False),
        ({"a": ["p"], "a!": ["r"], "a.x": ["q"]}, {"a": [["p"], {"x": "q"}], "a!": "r"}, False),
        # Absence is judged in the order of paths, as the rule engine does: "a.k" comes before, "a.z" after "a.n".
        ({"a": {"n": ["A"], "z": [{"exists": False}]}}, {"a": [{"n": "A"}, {"n": "B", "z": 1}]}, True),
        ({"a": {"n": ["A"], "k": [{"exists": False}]}}, {"a": [{"n": "A"}, {"n": "B", "k": 1}]}, False),
        ({"a": {"n": ["A"], "k": [{"exists": False}]}}, {"a": [{"n": "A"}, {"n": "B"}]}, True),
    ],
)
def test_array_consistency(pattern: dict[str, Any], event: dict[str, Any], expected: bool) -> None:
    """What may be combined, and what may not."""
    assert matches(pattern, event) is expected


@pytest.mark.parametrize(
    "event",
    [
        {"detail": {"state": {"status": "running"}}},
        {"detail": {"state.status": "running"}},
        {"detail.state": {"status": "running"}},
        {"detail.state.status": "running"},
        {"detail": {"state": {"status": "stopped"}, "state.status": "running"}},
        {"detail": [{"state.status": "running"}]},
    ],
)
@pytest.mark.parametrize(
    "pattern",
    [
        {"detail": {"state": {"status": ["running"]}}},
        {"detail": {"state.status": ["running"]}},
        {"detail.state.status": ["running"]},
    ],
)
def test_dots_join_keys_in_patterns_and_in_events(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """A dotted key is the same path as nested keys, on either side."""
    assert matches(pattern, event)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"source": "aws.cloudwatch", "metricName": "ReadLatency"}, True),
        ({"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES", "spaceId": 1000}, True),
        ({"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES"}, False),
        ({"source": "aws.cloudwatch", "metricType": "MetricType", "metricId": 1234}, False),
        ({"source": "aws.cloudwatch", "scope": "Service"}, True),
        ({"source": "aws.ec2", "scope": "Service"}, False),
    ],
)
def test_or_nests_and_combines_with_and(event: dict[str, Any], expected: bool) -> None:
    """AWS's example: source && (metricName || (metricType && namespace && (metricId || spaceId)) || scope)."""
    pattern = {
        "source": ["aws.cloudwatch"],
        "$or": [
            {"metricName": ["CPUUtilization", "ReadLatency"]},
            {
                "metricType": ["MetricType"],
                "namespace": ["AWS/EC2", "AWS/ES"],
                "$or": [{"metricId": [1234]}, {"spaceId": [1000]}],
            },
            {"scope": ["Service"]},
        ],
    }
    assert matches(pattern, event) is expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"metricName": "CPU", "detail": {"source": "aws.cloudwatch"}}, True),
        ({"namespace": "AWS/EC2", "detail": {"detail-type": "Alarm"}}, True),
        ({"metricName": "CPU", "source": "aws.cloudwatch"}, False),
        ({"detail": {"source": "aws.cloudwatch"}}, False),
    ],
)
def test_ors_beside_each_other_must_all_hold(event: dict[str, Any], expected: bool) -> None:
    """An $or inside an object is about the fields of that object."""
    pattern = {
        "$or": [{"metricName": ["CPU"]}, {"namespace": ["AWS/EC2"]}],
        "detail": {"$or": [{"source": ["aws.cloudwatch"]}, {"detail-type": ["Alarm"]}]},
    }
    assert matches(pattern, event) is expected


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"$or": [{"cidr": "10.0.0.0/24"}]}, {"$or": "10.0.0.7"}),
        (
            {"source": ["x"], "$or": {"metricType": ["M"], "namespace": ["N"]}},
            {"source": "x", "$or": {"metricType": "M", "namespace": "N"}},
        ),
        ({"detail": {"$or": [{"numeric": [">", 0, "<=", 5]}, {"cidr": "10.0.0.0/8"}]}}, {"detail": {"$or": 3}}),
        ({"detail": {"$or": [{"numeric": [">", 0, "<=", 5]}, {"numeric": [">", 10]}]}}, {"detail": {"$or": [11]}}),
        ({"$or": ["x"]}, {"$or": "x"}),
        ({"$or": [{"prefix": "x"}, "y"]}, {"$or": "y"}),
    ],
)
def test_or_is_a_field_where_it_is_no_operator(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """Fewer than two objects, or objects that are operators: then $or is an ordinary name."""
    assert matches(pattern, event)
    assert not matches(pattern, {"other": 1})


def test_the_last_of_two_equal_keys_counts_in_a_pattern() -> None:
    """AWS's example: only the second condition on location is evaluated."""
    pattern = '{"detail": {"location": [{"prefix": "us-"}], "location": [{"anything-but": "us-east"}]}}'
    assert matches(pattern, {"detail": {"location": "eu-west"}})
    assert not matches(pattern, {"detail": {"location": "us-east"}})


def test_the_last_of_two_equal_paths_counts_in_a_pattern() -> None:
    """The same field under nested keys, a dotted key or inside $or is one field."""
    assert matches('{"a": {"b": [1]}, "a.b": [2]}', {"a": {"b": 2}})
    assert not matches('{"a": {"b": [1]}, "a.b": [2]}', {"a": {"b": 1}})
    either = '{"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}'
    assert matches(either, {"a": 2})
    assert matches(either, {"a": 1, "b": 3})
    assert not matches(either, {"a": 1, "c": 3})
    assert not matches('{"a": [1], "$or": [{"a": [2]}, {"b": [3]}], "a": [4]}', {"a": 2})


def test_the_last_of_two_equal_keys_counts_in_an_event() -> None:
    """An event is the JSON object that parsers make of it."""
    assert matches({"a": [2]}, '{"a": 1, "a": 2}')
    assert not matches({"a": [1]}, '{"a": 1, "a": 2}')


def test_fields_that_the_pattern_does_not_name_do_not_matter() -> None:
    """Nothing is asked of other members."""
    assert matches({"a": [1]}, {"a": 1, "b": {"c": [{"d": 1}]}, "a!": 2})


def test_keys_may_be_anything() -> None:
    """Empty keys, spaces, quotes and the operators' own names are names of fields."""
    for key in ["", " ", '"', "prefix", "é", "a b", "$or2", "\ud800", "numeric"]:
        assert matches({key: {"exists": ["x"]}}, {key: {"exists": "x"}}), key
