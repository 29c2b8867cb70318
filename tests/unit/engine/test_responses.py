"""The verdict table of docs/lambda 3.1."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.engine.responses import SUCCESS, failed_ids

IDS = ("a", "b", "c")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["a", "b", "itemIdentifier"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["batchItemFailures", "itemIdentifier", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "body",
    [
        b'{"batchItemFailures":[]}',
        b'{"batchItemFailures":null}',
        b"{}",
        b"null",
        b"[]",
        b'""',
        b"",
        b"  \n",
        b'{"batchItemFailures":[],"more":"\\ud800"}',
    ],
)
def test_nothing_reported_is_success(body: bytes) -> None:
    """Every spelling of nothing."""
    assert failed_ids(body, IDS) == SUCCESS


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"batchItemFailures":[{"itemIdentifier":""}]}', "not in the batch"),
        (b'{"batchItemFailures":[{"itemIdentifier":null}]}', "not in the batch"),
        (b'{"batchItemFailures":[{"itemIdentifier":123}]}', "123 is not in the batch"),
        (b'{"batchItemFailures":[{"itemIdentifier":["a"]}]}', "not in the batch"),
        (b'{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}', '[1].itemIdentifier "z"'),
        (b'{"batchItemFailures":[{"foo":"a"}]}', "has no itemIdentifier"),
        (b'{"batchItemFailures":["a"]}', "has no itemIdentifier"),
        (b'{"batchItemFailures":{"itemIdentifier":"a"}}', "is a JSON object, not a list"),
        (b'{"batchItemFailures":"a"}', "is a JSON string, not a list"),
        (b'{"batchItemFailures":false}', "is a JSON boolean, not a list"),
        (b'{"foo":null}', "has no batchItemFailures (it has 'foo')"),
        (b'{"batchItemFailure":[]}', "has no batchItemFailures"),
        (b"[1]", "a JSON array"),
        (b"true", "a JSON boolean"),
        (b"0", "a JSON number"),
        (b'"OK"', "a JSON string"),
        (b"{", "not JSON"),
        (b"NaN", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_response_that_cannot_be_meant_fails_the_whole_batch(body: bytes, problem: str) -> None:
    """And it says what is wrong with it."""
    verdict = failed_ids(body, IDS)

    assert verdict.failed == set(IDS)
    assert not verdict.success
    assert verdict.problem is not None
    assert problem in verdict.problem


@given(st.sets(st.sampled_from(IDS), min_size=1), st.integers(min_value=1, max_value=3))
def test_the_listed_ones_fail_and_no_others(listed: set[str], times: int) -> None:
    """In any order, also when one is listed more than once; all of them is nothing special."""
    items = [{"itemIdentifier": one} for one in listed] * times

    verdict = failed_ids(json.dumps({"batchItemFailures": items, "other": 1}).encode(), IDS)

    assert verdict.failed == listed
    assert verdict.problem is None
    assert not verdict.success


@given(json_values)
def test_any_json_has_a_verdict_over_the_batch(value: object) -> None:
    """Never an exception, never an id from elsewhere; a problem fails all."""
    verdict = failed_ids(json.dumps(value).encode(), IDS)

    assert verdict.failed <= set(IDS)
    if verdict.problem is not None:
        assert verdict.failed == set(IDS)


@given(st.binary(max_size=40))
def test_any_bytes_have_a_verdict(body: bytes) -> None:
    """A function may print garbage."""
    assert failed_ids(body, IDS).failed <= set(IDS)
