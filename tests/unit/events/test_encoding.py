"""JSON text for what the fast encoder refuses."""

from __future__ import annotations

import sys
from typing import Any

import orjson
import pytest

from pollers.events.encoding import json_bytes
from pollers.sources.dynamodb.events import encoder

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
DEPTHS = [253, 254, 255, 900, 985, 1_000, 1_012, 1_020, 5_000, 100_000]


def _nested(depth: int) -> tuple[Any, bytes]:
    """A value of that depth, lists and objects by turns, and its text."""
    value: Any = 1
    head, tail = [], []
    for level in range(depth):
        if level % 2:
            value = {"e": [], "a\n": value, "é": {}}
            head.append(b'{"e":[],"a\\n":')
            tail.append(b',"\\u00e9":{}}')
        else:
            value = [None, value, "\ud800"]
            head.append(b"[null,")
            tail.append(b',"\\ud800"]')
    return value, b"".join(reversed(head)) + b"1" + b"".join(tail)


@pytest.mark.parametrize("depth", DEPTHS)
def test_nothing_is_nested_too_deep(depth: int) -> None:
    """What a reply can hold can be put into an event: a reader that cannot would break its mapping down, again and again."""
    value, text = _nested(depth)
    assert json_bytes(value) == text


@pytest.mark.parametrize("depth", [1, 254, 900, 980, 1_000, 1_010])
def test_an_image_as_deep_as_a_reply_may_be_is_encoded(depth: int) -> None:
    """The decoder of replies takes 1,024 levels, also where little is left of the interpreter's own."""
    image = b'{"v":' + b"[" * depth + b"]" * depth + b"}"
    record = {
        "eventID": "1",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "dynamodb": {"Keys": {"pk": {"S": "a"}}, "NewImage": orjson.loads(image), "SequenceNumber": "1"},
    }

    def deep(calls: int) -> bytes:
        return deep(calls - 1) if calls else encoder(ARN)("shard")(record)

    assert image in deep(0)
    assert image in deep(sys.getrecursionlimit() // 2)
