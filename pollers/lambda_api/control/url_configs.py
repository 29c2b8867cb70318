"""Configs of function URLs (docs/lambda 13.1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from config.functions.function_url import METHODS
from config.models import FunctionUrl
from pollers.lambda_api import errors
from pollers.lambda_api.control.paging import ITEMS_AT_MOST, page
from pollers.lambda_api.control.requests import Members, members_of, only_given
from pollers.lambda_api.operations import Operation, Reply, empty_reply, json_reply
from pollers.resources import changes
from pollers.resources.errors import AlreadyMade, NotMade

if TYPE_CHECKING:
    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.errors import ApiError
    from pollers.lambda_api.operations import Call
    from pollers.resources.made import Url

PATH = "/2021-10-31/functions/{FunctionName}/url"
QUALIFIER_PATTERN = r"((?!^\d+$)^[0-9a-zA-Z-_]+$)"
"""An alias, and no version, as AWS writes it in its errors."""
AUTH_TYPES = ("NONE", "AWS_IAM")
INVOKE_MODES = ("RESPONSE_STREAM", "BUFFERED")
"""In the order of AWS's error."""
_TEXTS = {"type": "array", "items": {"type": "string"}}
BODY = {
    "type": "object",
    "properties": {
        "AuthType": {"type": "string", "enum": list(AUTH_TYPES)},
        "InvokeMode": {"type": "string", "enum": list(INVOKE_MODES)},
        "Cors": {
            "type": "object",
            "properties": {
                "AllowOrigins": _TEXTS,
                "AllowMethods": _TEXTS,
                "AllowHeaders": _TEXTS,
                "ExposeHeaders": _TEXTS,
                "MaxAge": {"type": "integer"},
                "AllowCredentials": {"type": "boolean"},
            },
        },
    },
}
_CORS = {
    "allow_credentials": "AllowCredentials",
    "allow_headers": "AllowHeaders",
    "allow_methods": "AllowMethods",
    "allow_origins": "AllowOrigins",
    "expose_headers": "ExposeHeaders",
    "max_age": "MaxAge",
}


class UrlConfigs:
    """The operations."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        asked = ("Qualifier",)
        return (
            Operation("CreateFunctionUrlConfig", "POST", PATH, self.create, (201,), body=BODY, query=asked),
            Operation("UpdateFunctionUrlConfig", "PUT", PATH, self.update, body=BODY, query=asked),
            Operation("GetFunctionUrlConfig", "GET", PATH, self.get, query=asked),
            Operation("DeleteFunctionUrlConfig", "DELETE", PATH, self.delete, (204,), query=asked),
            Operation("ListFunctionUrlConfigs", "GET", f"{PATH}s", self.list, query=("Marker", "MaxItems")),
        )

    async def create(self, call: Call) -> Reply:
        """Makes the function's URL, which works from then on."""
        given = _read(call, required=True)
        name = self._named(call, _no_function())
        try:
            url = await self._control.change(name, changes.create_url(FunctionUrl.model_validate(given)))
        except AlreadyMade:
            raise errors.conflict(
                f"Failed to create function url config for [functionArn = {self._control.here.arn(name)}]. Error message:  "
                "FunctionUrlConfig exists for this Lambda function"
            ) from None
        return json_reply(self._document(name, url, mode=_mode_if_given(url)), 201)

    async def update(self, call: Call) -> Reply:
        """Changes what the document names."""
        given = _read(call, required=False)
        name = self._named(call, _no_function())
        try:
            url = await self._control.change(name, changes.update_url(given))
        except NotMade:
            raise _no_url() from None
        return json_reply(self._document(name, url, mode=_mode_if_given(url), modified=True))

    async def get(self, call: Call) -> Reply:
        """The config, whether the configuration gives it or the API made it."""
        name = self._named(call, _no_url())
        url = self._control.resources.url_of(name)
        if url is None:
            raise _no_url()
        return json_reply(self._whole(name, url))

    async def delete(self, call: Call) -> Reply:
        """The URL answers no longer."""
        name = self._named(call, _no_url())
        try:
            await self._control.change(name, changes.delete_url)
        except NotMade:
            raise _no_url() from None
        return empty_reply()

    async def list(self, call: Call) -> Reply:
        """The one of the function, if it has one: there are no aliases."""
        name = self._named(call, _no_function())
        url = self._control.resources.url_of(name)
        shown, more = page([name] if url is not None else [], call.query, ITEMS_AT_MOST)
        found = [self._whole(name, url) for _ in shown if url is not None]
        return json_reply({"FunctionUrlConfigs": found, **more})

    def _named(self, call: Call, missing: ApiError) -> str:
        """The function; ``missing`` is raised where there is none, or no such alias."""
        name = self._control.named(call)
        if name.qualifier is not None and not re.fullmatch(QUALIFIER_PATTERN, name.qualifier, re.ASCII):
            raise errors.invalid(errors.pattern_broken(name.qualifier, "qualifier", QUALIFIER_PATTERN))
        if not self._control.exists(name):
            raise missing
        return name.name

    def _whole(self, name: str, url: Url) -> dict[str, Any]:
        return self._document(name, url, mode=url.config.invoke_mode, modified=True)

    def _document(self, name: str, url: Url, *, mode: str | None, modified: bool = False) -> dict[str, Any]:
        return {
            "FunctionUrl": self._control.url_of(name),
            "FunctionArn": self._control.here.arn(name),
            "AuthType": url.config.auth_type,
            **only_given(Cors=_cors_document(url.config), InvokeMode=mode),
            "CreationTime": _time(url.created_at),
            **({"LastModifiedTime": _time(url.modified_at)} if modified else {}),
        }


def _read(call: Call, *, required: bool) -> dict[str, Any]:
    """What the document gives, in the configuration's spelling."""
    members = members_of(call.body)
    cors = members.section("Cors")
    given = only_given(
        auth_type=members.choice("AuthType", AUTH_TYPES, required=required),
        invoke_mode=members.choice("InvokeMode", INVOKE_MODES),
    )
    if cors is not None:
        # An empty one takes the settings away: Terraform sends that when its block is taken out, and wants to see none afterwards.
        given["cors"] = _cors(cors) or None
    members.check()
    for method in (given.get("cors") or {}).get("allow_methods", ()):
        if method not in METHODS:
            raise errors.invalid_parameter(f"found {method} in AllowMethods, expected one of {', '.join(METHODS)}")
    return given


def _cors(members: Members) -> dict[str, Any]:
    return only_given(
        allow_credentials=members.flag("AllowCredentials"),
        allow_headers=members.texts("AllowHeaders", most=100, length=(1, 1024)),
        allow_methods=members.texts("AllowMethods", most=6, length=(0, 6)),
        allow_origins=members.texts("AllowOrigins", most=100, length=(1, 253)),
        expose_headers=members.texts("ExposeHeaders", most=100, length=(1, 1024)),
        max_age=members.integer("MaxAge", least=0, most=86_400),
    )


def _cors_document(config: FunctionUrl) -> dict[str, Any] | None:
    """As it was given."""
    if config.cors is None:
        return None
    return {_CORS[option]: value for option, value in config.cors.model_dump(exclude_unset=True).items()}


def _mode_if_given(url: Url) -> str | None:
    return url.config.invoke_mode if "invoke_mode" in url.config.model_fields_set else None


def _time(seconds: float) -> str:
    """ISO 8601 with milliseconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{int(seconds * 1000) % 1000:03}Z"


def _no_function() -> ApiError:
    return errors.not_found("Function does not exist")


def _no_url() -> ApiError:
    return errors.not_found("The resource you requested does not exist.")
