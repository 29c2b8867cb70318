"""Members of a sample with other values: what may be named, and how."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pollers.samples import ChangeRefused, edited

DOCUMENT: dict[str, object] = {"body": "text", "count": 1, "none": None, "Records": [{"s3": {"key": "a"}}, {}]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("body=other", {"body": "other"}),
        ('body={"a": 1}', {"body": '{"a": 1}'}),
        ("body=a=b", {"body": "a=b"}),
        ("body=", {"body": ""}),
        ("count=42", {"count": 42}),
        ('none="text"', {"none": "text"}),
        ("Records.0.s3.key=cat.jpg", {"Records": [{"s3": {"key": "cat.jpg"}}, {}]}),
        ('Records.1={"x": [1]}', {"Records": [{"s3": {"key": "a"}}, {"x": [1]}]}),
    ],
)
def test_a_member_gets_the_value(change: str, expected: dict[str, object]) -> None:
    """A text stays a text, whatever it looks like; anything else is JSON."""
    assert edited(DOCUMENT, [change]) == {**DOCUMENT, **expected}


def test_the_given_document_stays_as_it_is() -> None:
    """Changes follow one another on a copy."""
    before = repr(DOCUMENT)
    changed: Any = edited(DOCUMENT, ["Records=[1]", "Records.0=2"])
    assert changed["Records"] == [2]
    assert repr(DOCUMENT) == before


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("body", "found 'body'; expected PATH=VALUE, such as body=VALUE"),
        ("bod=x", "the event has no 'bod': it has body, count, none, Records"),
        ("Records.0.s3.kee=x", "the event has no 'Records.0.s3.kee': Records.0.s3 has key"),
        ("Records.2.s3=x", "the event has no 'Records.2': Records is a list with the places 0 to 1"),
        ("Records.x=1", "the event has no 'Records.x': Records is a list with the places 0 to 1"),
        ("Records.-1=1", "the event has no 'Records.-1': Records is a list with the places 0 to 1"),
        ("Records.1.s3=1", "the event has no 'Records.1.s3': Records.1 is empty"),
        ("body.x=1", "the event has no 'body.x': body is \"text\""),
        ("=1", "the event has no '': it has body, count, none, Records"),
        ("count=many", "count: found 'many'; expected JSON, as no text stands there"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_what_could(change: str, problem: str) -> None:
    """A slip would else be a member that no handler reads."""
    with pytest.raises(ChangeRefused) as refused:
        edited(DOCUMENT, [change])
    assert str(refused.value) == problem


def test_what_is_said_of_a_body_follows_it() -> None:
    """The MD5 of a message, and the length in a request's headers, by which adapters of frameworks read."""
    [record] = cast("Any", edited({"Records": [{"body": "a", "md5OfBody": "b"}]}, ["Records.0.body=x"]))["Records"]
    assert record == {"body": "x", "md5OfBody": "9dd4e461268c8034f5c8564e155c67a6"}

    request: dict[str, object] = {
        "headers": {"Content-Length": "9", "host": "h"},
        "multiValueHeaders": {"Content-Length": ["9"]},
        "body": "{}",
    }
    assert edited(request, ["body=caf\u00e9"]) == {
        "headers": {"Content-Length": "5", "host": "h"},
        "multiValueHeaders": {"Content-Length": ["5"]},
        "body": "caf\u00e9",
    }
