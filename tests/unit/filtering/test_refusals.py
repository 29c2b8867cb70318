"""Invalid patterns are refused, with the path to the fault; nothing that is JSON makes the compiler crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pollers.filtering import Pattern, PatternError
from tests.unit.filtering import strategies

REFUSED: list[tuple[str, tuple[str | int, ...], str]] = [
    ("", (), "a pattern is JSON"),
    ("simple string", (), "a pattern is JSON"),
    ('"simple string"', (), "a pattern is a JSON object"),
    ("null", (), "a pattern is a JSON object"),
    ("[]", (), "a pattern is a JSON object"),
    ('{"a": [NaN]}', (), "NaN is not JSON"),
    ('{"a": [1]} x', (), "a pattern is JSON"),
    ("{}", (), "the object is empty"),
    ('{"eventSource": "aws:sqs"}', ("eventSource",), 'write "eventSource": ["aws:sqs"]'),
    ('{"a": 1.50}', ("a",), 'write "a": [1.50]'),
    ('{"a": null}', ("a",), 'write "a": [null]'),
    ('{"eventSource": []}', ("eventSource",), "the array is empty"),
    ('{"body": {"type": {}}}', ("body", "type"), "the object is empty"),
    ('{"a": [["x"]]}', ("a", 0), "an array cannot stand here"),
    ('{"a": ["x", {}]}', ("a", 1), "one key, this one has 0"),
    ('{"a": [{"prefix": "x", "suffix": "y"}]}', ("a", 0), "one key, this one has 2"),
    ('{"a": [{"exists": true, "prefix": "x"}]}', ("a", 0), "one key, this one has 2"),
    ('{"a": [{"regex": "x"}]}', ("a", 0, "regex"), "no operator of this name"),
    ('{"a": [{"exists": "true"}]}', ("a", 0, "exists"), "true or false"),
    ('{"a": [{"prefix": 1}]}', ("a", 0, "prefix"), "a string"),
    ('{"a": [{"prefix": {"suffix": "x"}}]}', ("a", 0, "prefix"), "equals-ignore-case"),
    ('{"a": [{"prefix": {"equals-ignore-case": ["x"]}}]}', ("a", 0, "prefix", "equals-ignore-case"), "a string"),
    ('{"a": [{"equals-ignore-case": null}]}', ("a", 0, "equals-ignore-case"), "a string"),
    ('{"a": [{"anything-but": null}]}', ("a", 0, "anything-but"), "list of numbers"),
    ('{"a": [{"anything-but": true}]}', ("a", 0, "anything-but"), "list of numbers"),
    ('{"a": [{"anything-but": []}]}', ("a", 0, "anything-but"), "list of numbers"),
    ('{"a": [{"anything-but": ["x", 1]}]}', ("a", 0, "anything-but"), "list of numbers"),
    ('{"a": [{"anything-but": [["x"]]}]}', ("a", 0, "anything-but"), "list of numbers"),
    ('{"a": [{"anything-but": {}}]}', ("a", 0, "anything-but"), "one key of prefix"),
    ('{"a": [{"anything-but": {"cidr": "::/0"}}]}', ("a", 0, "anything-but"), "one key of prefix"),
    ('{"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]}', ("a", 0, "anything-but"), "one key of prefix"),
    ('{"a": [{"anything-but": {"prefix": 1}}]}', ("a", 0, "anything-but", "prefix"), "a list of strings"),
    ('{"a": [{"anything-but": {"prefix": []}}]}', ("a", 0, "anything-but", "prefix"), "a list of strings"),
    ('{"a": [{"anything-but": {"suffix": ["x", ""]}}]}', ("a", 0, "anything-but", "suffix"), "empty suffix"),
    ('{"a": [{"anything-but": {"wildcard": "**"}}]}', ("a", 0, "anything-but", "wildcard"), "two wildcards"),
    ('{"a": [{"numeric": "= 1"}]}', ("a", 0, "numeric"), "numeric takes"),
    ('{"a": [{"numeric": []}]}', ("a", 0, "numeric"), "numeric takes"),
    ('{"a": [{"numeric": ["="]}]}', ("a", 0, "numeric"), "numeric takes"),
    ('{"a": [{"numeric": ["!=", 1]}]}', ("a", 0, "numeric", 0), "numeric takes"),
    ('{"a": [{"numeric": [[], 1]}]}', ("a", 0, "numeric", 0), "numeric takes"),
    ('{"a": [{"numeric": ["=", "1"]}]}', ("a", 0, "numeric", 1), "numeric takes"),
    ('{"a": [{"numeric": ["=", true]}]}', ("a", 0, "numeric", 1), "numeric takes"),
    ('{"a": [{"numeric": ["<", 5, ">", 0]}]}', ("a", 0, "numeric", 0), "the lower one"),
    ('{"a": [{"numeric": [">", 0, ">", 5]}]}', ("a", 0, "numeric", 2), "the upper one"),
    ('{"a": [{"numeric": ["=", 0, "<", 5]}]}', ("a", 0, "numeric", 0), "the lower one"),
    ('{"a": [{"numeric": [">", 5, "<", 5]}]}', ("a", 0, "numeric"), "less than"),
    ('{"a": [{"numeric": [">", 9007199254740993]}]}', ("a", 0, "numeric", 1), "out of range"),
    ('{"a": [{"numeric": [">", 9007199254740994.0]}]}', ("a", 0, "numeric", 1), "out of range"),
    ('{"a": [{"numeric": ["<", -1e400]}]}', ("a", 0, "numeric", 1), "out of range"),
    ('{"a": [{"cidr": "10.0.0.0"}]}', ("a", 0, "cidr"), "no address block"),
    ('{"a": [{"cidr": "10.0.0.0/33"}]}', ("a", 0, "cidr"), "from 0 to 32"),
    ('{"a": [{"cidr": "::/129"}]}', ("a", 0, "cidr"), "from 0 to 128"),
    ('{"a": [{"cidr": "10.0.0.0/-1"}]}', ("a", 0, "cidr"), "from 0 to 32"),
    ('{"a": [{"cidr": "10.0.0.0/1/2"}]}', ("a", 0, "cidr"), "from 0 to 32"),
    ('{"a": [{"cidr": "snorkle/3"}]}', ("a", 0, "cidr"), "not an IPv4 or IPv6 address"),
    ('{"a": [{"cidr": "10.0.0.0/²"}]}', ("a", 0, "cidr"), "from 0 to 32"),
    ('{"a": [{"wildcard": "a**b"}]}', ("a", 0, "wildcard"), "two wildcards"),
    ('{"a": [{"wildcard": "a\\\\b"}]}', ("a", 0, "wildcard"), "a backslash"),
    ('{"a": [{"wildcard": "a\\\\"}]}', ("a", 0, "wildcard"), "a backslash"),
    ('{"$or": [{"a": ["x"]}]}', ("$or", 0, "a"), "two or more objects"),
    ('{"$or": [{"a": ["x"]}, [{"b": ["y"]}]]}', ("$or", 0, "a"), "two or more objects"),
    ('{"$or": [{"a": ["x"]}, {}]}', ("$or", 1), "the object is empty"),
    ('{"$or": [{"a": ["x"]}, {"b": {"prefix": ["y"]}}]}', ("$or", 1, "b", "prefix"), "reserved"),
    ('{"a": [{"b\\"c": {}}]}', ("a", 0, 'b"c'), "no operator of this name"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "reason"), REFUSED)
def test_invalid_patterns_name_the_fault(pattern: str, path: tuple[str | int, ...], reason: str) -> None:
    """The error leads to the fault inside the pattern and says what would be right."""
    with pytest.raises(PatternError) as refused:
        Pattern.compile(pattern)
    assert refused.value.path == path
    assert reason in refused.value.reason


def test_pattern_longer_than_lambda_takes_is_refused() -> None:
    """4,096 characters are the most."""
    fits = json.dumps({"a": ["x" * (4096 - len('{"a": [""]}'))]})
    assert len(fits) == 4096
    Pattern.compile(fits)
    with pytest.raises(PatternError, match=r"at most 4,096 characters, this one has 4,097"):
        Pattern.compile(fits.replace("x", "xx", 1))


def test_combinations_of_alternatives_are_bounded() -> None:
    """1,000 combinations are accepted, more are refused before they are made."""
    either = {"$or": [{f"f{index}": ["x"]} for index in range(10)]}
    Pattern.compile(json.dumps({"a": either, "b": either, "c": either}))
    many = {f"k{index}": {"$or": [{"a": [1]}, {"b": [1]}]} for index in range(60)}
    with pytest.raises(PatternError, match="combinations"):
        Pattern.compile(json.dumps(many))


@pytest.mark.parametrize(
    "pattern",
    ["[" * 4096, '{"a":' * 700 + '["x"]' + "}" * 700, '{"a":[' * 500 + "]}" * 500, '{"a":[{"prefix":' * 200],
)
def test_nesting_without_end_is_refused(pattern: str) -> None:
    """No depth brings the compiler down."""
    with pytest.raises(PatternError):
        Pattern.compile(pattern)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)
names = st.sampled_from(
    [
        "a",
        "$or",
        "prefix",
        "suffix",
        "anything-but",
        "numeric",
        "exists",
        "cidr",
        "wildcard",
        "equals-ignore-case",
        "exactly",
        "=",
    ]
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=10,
)


def compiled_or_reason(text: str) -> Pattern | str:
    """The pattern, or why it is refused."""
    try:
        return Pattern.compile(text)
    except PatternError as fault:
        return str(fault)


@settings(max_examples=200)
@given(anything, strategies.events)
def test_any_json_is_a_pattern_or_is_refused(value: Any, event: dict[str, Any]) -> None:  # noqa: ANN401
    """Whatever JSON is given as a pattern, it compiles and matches without a crash, or it is refused with a reason."""
    for candidate in (value, {"a": value}, {"a": [value]}):
        outcome = compiled_or_reason(json.dumps(candidate))
        assert outcome.matches(event) in (True, False) if isinstance(outcome, Pattern) else outcome


@settings(max_examples=300)
@given(st.text('{}[]":,\\ab$or0123456789.-+eE tfn*/', max_size=60))
def test_any_text_is_a_pattern_or_is_refused(text: str) -> None:
    """Text that only resembles JSON is refused, too."""
    assert compiled_or_reason(text)
