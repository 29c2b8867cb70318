"""Configs of function URLs: documents and errors as they were recorded from AWS."""

from __future__ import annotations

from typing import Any

import pytest

from pollers.lambda_api.control.url_configs import QUALIFIER_PATTERN
from tests.unit.lambda_api.control.rig import ARN, Rig

PATH = "/2021-10-31/functions/orders/url"
CREATED = "2025-11-24T16:00:00.123Z"
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["content-type"],
    "AllowMethods": ["GET", "*"],
    "AllowOrigins": ["https://example.com"],
    "ExposeHeaders": ["x"],
    "MaxAge": 300,
}
PLAIN = {"FunctionUrl": "http://orders.example/", "FunctionArn": ARN, "AuthType": "NONE", "CreationTime": CREATED}


async def test_each_reply_has_the_members_that_aws_gives_it() -> None:
    """The reply to the creation has no time of change; the mode is there only if it was given, but always in what is read."""
    rig = Rig()
    created = await rig.ask("POST", PATH, {"AuthType": "NONE"})
    assert (created.status, created.body) == (201, PLAIN)
    read = {**PLAIN, "InvokeMode": "BUFFERED", "LastModifiedTime": CREATED}
    assert (await rig.ask("GET", PATH)).body == read
    assert (await rig.ask("GET", f"{PATH}s")).body == {"FunctionUrlConfigs": [read]}
    rig.clock.now += 60
    changed = {**PLAIN, "AuthType": "AWS_IAM", "LastModifiedTime": "2025-11-24T16:01:00.123Z"}
    assert (await rig.ask("PUT", PATH, {"AuthType": "AWS_IAM"})).body == changed
    with_mode = {**changed, "InvokeMode": "RESPONSE_STREAM"}
    assert (await rig.ask("PUT", PATH, {"InvokeMode": "RESPONSE_STREAM"})).body == with_mode
    assert (await rig.ask("PUT", PATH, {})).body == with_mode


async def test_cors_is_shown_as_it_was_given() -> None:
    """An update without it keeps it, one with it replaces all of it."""
    rig = Rig()
    created = await rig.ask("POST", PATH, {"AuthType": "NONE", "Cors": CORS, "InvokeMode": "BUFFERED"})
    assert (created.body["Cors"], created.body["InvokeMode"]) == (CORS, "BUFFERED")
    assert (await rig.ask("PUT", PATH, {"AuthType": "AWS_IAM"})).body["Cors"] == CORS
    assert (await rig.ask("PUT", PATH, {"Cors": {"MaxAge": 5}})).body["Cors"] == {"MaxAge": 5}
    assert (await rig.ask("GET", PATH)).body["Cors"] == {"MaxAge": 5}


async def test_an_empty_cors_takes_the_settings_away() -> None:
    """Terraform sends it when its block is taken out, and would see a difference if anything were shown then."""
    rig = Rig()
    await rig.ask("POST", PATH, {"AuthType": "NONE", "Cors": CORS})
    assert "Cors" not in (await rig.ask("PUT", PATH, {"Cors": {}})).body
    assert "Cors" not in (await rig.ask("GET", PATH)).body
    url = rig.resources.settings_of("orders").url
    assert url is not None
    assert url.config.cors is None
    assert (await rig.ask("PUT", PATH, {"Cors": {"MaxAge": 1}})).body["Cors"] == {"MaxAge": 1}


async def test_a_url_is_there_at_once_and_gone_at_once() -> None:
    """A new one has a new time of creation."""
    rig = Rig()
    await rig.ask("POST", PATH, {"AuthType": "NONE"})
    url = rig.resources.settings_of("orders").url
    assert url is not None
    assert url.config.auth_type == "NONE"
    assert (await rig.ask("DELETE", PATH)).status == 204
    assert rig.resources.settings_of("orders").url is None
    assert (await rig.ask("GET", f"{PATH}s")).body == {"FunctionUrlConfigs": []}
    rig.clock.now += 1
    assert (await rig.ask("POST", PATH, {"AuthType": "NONE"})).body["CreationTime"] == "2025-11-24T16:00:01.123Z"


ONE = "1 validation error detected: "
NO_FUNCTION = "Function does not exist"
NO_URL = "The resource you requested does not exist."
NOBODY = PATH.replace("orders", "nobody")
LIVE = PATH.replace("orders", "orders:live")
TABLE: list[tuple[str, str, object, int, str, str]] = [
    ("POST", PATH, {}, 400, "ValidationException",
     f"{ONE}Value null at 'authType' failed to satisfy constraint: Member must not be null"),
    ("POST", PATH, {"AuthType": "NONE", "InvokeMode": "X"}, 400, "ValidationException",
     f"{ONE}Value 'X' at 'invokeMode' failed to satisfy constraint: Member must satisfy enum value set: "
     "[RESPONSE_STREAM, BUFFERED]"),
    ("POST", PATH, {"AuthType": "NONE", "Cors": {"MaxAge": 86_401}}, 400, "ValidationException",
     f"{ONE}Value '86401' at 'cors.maxAge' failed to satisfy constraint: Member must have value less than or equal to 86400"),
    ("POST", PATH, {"AuthType": "NONE", "Cors": {"AllowMethods": ["GET", "OPTIONS"]}}, 400, "ValidationException",
     f"{ONE}Value '[GET, OPTIONS]' at 'cors.allowMethods' failed to satisfy constraint: Member must satisfy constraint: [Member "
     "must have length less than or equal to 6, Member must have length greater than or equal to 0, Member must satisfy regular "
     "expression pattern: .*]"),
    ("POST", PATH, {"AuthType": "NONE", "Cors": {"ExposeHeaders": ["x\r\ny: z"]}}, 400, "ValidationException", ""),
    ("POST", PATH, {"AuthType": "NONE", "Cors": {"AllowMethods": ["FETCH"]}}, 400, "InvalidParameterValueException", ""),
    ("POST", PATH, {"AuthType": "NONE", "Cors": {"AllowHeaders": [1]}}, 400, "SerializationException", ""),
    ("POST", PATH, {"AuthType": "NONE", "Cors": []}, 400, "SerializationException", ""),
    ("POST", NOBODY, {"AuthType": "NONE"}, 404, "ResourceNotFoundException", NO_FUNCTION),
    ("POST", LIVE, {"AuthType": "NONE"}, 404, "ResourceNotFoundException", NO_FUNCTION),
    ("PUT", NOBODY, {}, 404, "ResourceNotFoundException", NO_FUNCTION),
    ("PUT", PATH, {}, 404, "ResourceNotFoundException", NO_URL),
    ("GET", f"{NOBODY}s", None, 404, "ResourceNotFoundException", NO_FUNCTION),
    ("GET", NOBODY, None, 404, "ResourceNotFoundException", NO_URL),
    ("GET", LIVE, None, 404, "ResourceNotFoundException", NO_URL),
    ("DELETE", NOBODY, None, 404, "ResourceNotFoundException", NO_URL),
    ("DELETE", PATH, None, 404, "ResourceNotFoundException", NO_URL),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "error", "message"), TABLE)
async def test_what_is_wrong_is_answered_as_on_aws(
    method: str, path: str, body: object, status: int, error: str, message: str
) -> None:
    """Status, type and text; nothing is changed."""
    rig = Rig()
    answer = await rig.ask(method, path, body)
    assert (answer.status, answer.type) == (status, error)
    assert answer.message == message or not message
    assert not rig.resources.made_of("orders").by_api


@pytest.mark.parametrize("qualifier", ["1", "$LATEST"])
async def test_a_url_is_of_the_function_or_an_alias(qualifier: str) -> None:
    """Never of a version."""
    answer = await Rig().ask("POST", PATH, {"AuthType": "NONE"}, Qualifier=qualifier)
    assert (answer.status, answer.type) == (400, "ValidationException")
    assert answer.message.endswith(f"pattern: {QUALIFIER_PATTERN}")


async def test_a_second_url_is_refused() -> None:
    """In AWS's words, with their two blanks."""
    rig = Rig()
    await rig.ask("POST", PATH, {"AuthType": "NONE"})
    answer = await rig.ask("POST", PATH, {"AuthType": "AWS_IAM"})
    assert (answer.status, answer.type) == (409, "ResourceConflictException")
    assert answer.body["message"] == (
        f"Failed to create function url config for [functionArn = {ARN}]. Error message:  FunctionUrlConfig exists for this "
        "Lambda function"
    )
    assert (await rig.ask("GET", PATH)).body["AuthType"] == "NONE"


async def test_what_the_configuration_gives_is_shown_and_not_changed() -> None:
    """409, with the option that gives it."""
    rig = Rig(function_url={"auth_type": "NONE", "cors": {"allow_origins": ["*"]}})
    requests: list[tuple[str, Any]] = [("POST", {"AuthType": "NONE"}), ("PUT", {}), ("DELETE", None)]
    for method, body in requests:
        answer = await rig.ask(method, PATH, body)
        assert (answer.status, answer.type) == (409, "ResourceConflictException")
        assert "The configuration gives functions.orders.function_url" in answer.message
    read = (await rig.ask("GET", PATH)).body
    assert (read["Cors"], read["CreationTime"], read["InvokeMode"]) == ({"AllowOrigins": ["*"]}, CREATED, "BUFFERED")
