"""Tags of mappings and functions: as they were recorded from AWS (docs/lambda 16.7)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.unit.lambda_api.control.rig import ARN, Rig
from tests.unit.lambda_api.control.test_mappings import PATH, QUEUE, TO_QUEUE, UNKNOWN, applying, created
from tests.worlds import virtual_time

NO_MAPPING = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{UNKNOWN}"


def at(arn: str) -> str:
    """The path of a resource's tags."""
    return f"/2017-03-31/tags/{quote(arn, safe='')}"


@virtual_time.test
async def test_tags_come_and_go() -> None:
    """Of a mapping from its making on, and of a function: replaced, taken away, also what is not there."""
    rig = Rig()
    async with applying(rig):
        mapping = (await created(rig, Tags={"a": "1"}))["EventSourceMappingArn"]
        await rig.ask("POST", at(ARN), {"Tags": {"a": "1"}})
        for arn in (mapping, ARN):
            assert (await rig.ask("GET", at(arn))).body == {"Tags": {"a": "1"}}
            answer = await rig.ask("POST", at(arn), {"Tags": {"a": "2", "b": ""}})
            assert (answer.status, answer.body) == (204, None)
            assert (await rig.ask("GET", at(arn))).body == {"Tags": {"a": "2", "b": ""}}
            for _ in range(2):
                assert (await rig.ask("DELETE", at(arn), tagKeys="a")).status == 204
            assert (await rig.ask("GET", at(arn))).body == {"Tags": {"b": ""}}
    assert (await rig.ask("GET", "/2015-03-31/functions/orders")).body["Tags"] == {"b": ""}
    assert "Tags" not in (await rig.ask("GET", "/2015-03-31/functions/audit")).body


@pytest.mark.parametrize(
    ("method", "arn", "body", "status", "message"),
    [
        ("GET", NO_MAPPING, None, 404, f"Event source mapping not found: {NO_MAPPING}"),
        ("POST", NO_MAPPING, {"Tags": {"a": "b"}}, 404, f"Event source mapping not found: {NO_MAPPING}"),
        ("GET", f"{ARN}x", None, 404, f"Function not found: {ARN}x"),
        ("POST", ARN, {"Tags": {}}, 400, "An error occurred and the request cannot be processed."),
        ("POST", ARN, {"Tags": {str(n): "" for n in range(51)}}, 400, "Number of tags exceeds resource tag limit."),
        (
            "POST",
            ARN,
            {"Tags": {"aws:x": ""}},
            400,
            "The tag key aws:x begins with aws:, which is reserved for AWS's own.",
        ),
        (
            "DELETE",
            ARN,
            None,
            400,
            "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
        ),
        (
            "GET",
            f"{ARN}:live",
            None,
            400,
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ),
    ],
)
@virtual_time.test
async def test_what_is_refused(method: str, arn: str, body: Any, status: int, message: str) -> None:  # noqa: ANN401 - JSON
    """In the recorded words."""
    answer = await Rig().ask(method, at(arn), body)
    assert (answer.status, answer.message) == (status, message)


@pytest.mark.parametrize("arn", [QUEUE, f"{NO_MAPPING}x", "nothing"])
@virtual_time.test
async def test_only_functions_and_mappings_have_tags(arn: str) -> None:
    """By the pattern of the model."""
    answer = await Rig().ask("GET", at(arn))
    start = f"1 validation error detected: Value '{arn}' at 'resource' failed to satisfy constraint: Member must satisfy regular"
    assert (answer.status, answer.type) == (400, "ValidationException")
    assert answer.message.startswith(start)


@virtual_time.test
async def test_tags_at_the_making_are_looked_at_too() -> None:
    """And nothing is made."""
    rig = Rig()
    for tags in ({str(n): "" for n in range(51)}, {"k" * 129: ""}, {"": "x"}, {"a": 1}, ["a"], {"AWS:a": ""}):
        assert (await rig.ask("POST", PATH, {**TO_QUEUE, "Tags": tags})).status == 400, json.dumps(tags)
    assert (await rig.ask("GET", PATH)).body == {"EventSourceMappings": []}
