"""Expressions of conditional writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.leases.expressions import write_parameters

if TYPE_CHECKING:
    from pollers.leases import Item

NAMES = st.sampled_from(["leaseKey", "leaseOwner", "leaseCounter", "checkpoint", "state", "a.b", "#x", ":e0", "größe"])
VALUES = st.one_of(st.fixed_dictionaries({"S": st.text(max_size=3)}), st.fixed_dictionaries({"N": st.just("1")}))


def test_a_renewal() -> None:
    """A name that is set and expected has one placeholder, its two values have two."""
    parameters = write_parameters(
        {"leaseCounter": {"N": "8"}}, (), {"leaseCounter": {"N": "7"}, "leaseOwner": {"S": "me"}}
    )
    assert parameters == {
        "UpdateExpression": "SET #0 = :p0",
        "ConditionExpression": "#0 = :e0 AND #1 = :e1",
        "ExpressionAttributeNames": {"#0": "leaseCounter", "#1": "leaseOwner"},
        "ExpressionAttributeValues": {":p0": {"N": "8"}, ":e0": {"N": "7"}, ":e1": {"S": "me"}},
    }


def test_a_release_without_a_successor() -> None:
    """Attributes are removed beside those that are set, and may be expected to be absent."""
    parameters = write_parameters(
        {"leaseCounter": {"N": "8"}}, ("leaseOwner",), {"checkpointOwner": None, "leaseCounter": {"N": "7"}}
    )
    assert parameters["UpdateExpression"] == "SET #0 = :p0 REMOVE #1"
    assert parameters["ConditionExpression"] == "attribute_not_exists(#2) AND #0 = :e1"
    assert parameters["ExpressionAttributeValues"] == {":p0": {"N": "8"}, ":e1": {"N": "7"}}


def test_where_only_absence_is_expected_the_item_must_exist() -> None:
    """One that is gone lacks every attribute, and would be made anew."""
    parameters = write_parameters({"a": {"N": "1"}}, (), {"leaseOwner": None})
    assert parameters["ConditionExpression"] == "attribute_not_exists(#1) AND attribute_exists(#2)"
    assert parameters["ExpressionAttributeNames"]["#2"] == "leaseKey"


def test_a_deletion_sets_nothing() -> None:
    """And has no values where none is expected: DynamoDB refuses empty ones."""
    parameters = write_parameters({}, (), {"leaseOwner": None})
    assert parameters.keys() == {"ConditionExpression", "ExpressionAttributeNames"}


def test_nothing_expected_is_a_mistake() -> None:
    """Such a write would make an item."""
    with pytest.raises(ValueError, match="expects something"):
        write_parameters({"a": {"N": "1"}}, (), {})


def read(parameters: dict[str, Any]) -> tuple[Item, set[str], dict[str, Any]]:
    """What the expressions say, as a service reads them."""
    names, values = parameters["ExpressionAttributeNames"], parameters.get("ExpressionAttributeValues", {})
    update = parameters.get("UpdateExpression", "")
    assigned = update.partition("REMOVE")[0].removeprefix("SET ")
    put = {names[name]: values[value] for name, value in re.findall(r"(#\d+) = (:p\d+)", assigned)}
    removed = {names[name] for name in re.findall(r"#\d+", update.partition("REMOVE")[2])}
    expected: dict[str, Any] = {}
    for part in parameters["ConditionExpression"].split(" AND "):
        if absent := re.fullmatch(r"attribute_not_exists\((#\d+)\)", part):
            expected[names[absent[1]]] = None
        elif equal := re.fullmatch(r"(#\d+) = (:e\d+)", part):
            expected[names[equal[1]]] = values[equal[2]]
        else:
            assert names[part.removeprefix("attribute_exists(").removesuffix(")")] == "leaseKey"
    used = set(re.findall(r"[#:][a-z]?\d+", f"{update} {parameters['ConditionExpression']}"))
    assert used == names.keys() | values.keys()  # DynamoDB refuses placeholders that nothing uses
    return put, removed, expected


@given(
    st.dictionaries(NAMES, VALUES),
    st.lists(NAMES, unique=True),
    st.dictionaries(NAMES, st.none() | VALUES, min_size=1),
)
def test_expressions_say_what_was_meant(put: Item, remove: list[str], expected: dict[str, Any]) -> None:
    """Whatever the names are, and however often one comes; every placeholder is used."""
    remove = [name for name in remove if name not in put]
    parameters = write_parameters(put, tuple(remove), expected)
    assert read(parameters) == (put, set(remove), expected)
    assert write_parameters(put, tuple(remove), expected) == parameters
