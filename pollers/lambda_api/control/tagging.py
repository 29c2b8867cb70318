"""Tags of mappings and functions (docs/lambda 16.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pollers.lambda_api import errors
from pollers.lambda_api.control.mapping_refusals import refusals
from pollers.lambda_api.control.requests import members_of, wrong_type
from pollers.lambda_api.names import named
from pollers.lambda_api.operations import Operation, empty_reply, json_reply
from pollers.made_mappings import NotThere
from pollers.resources import changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.control.requests import Members
    from pollers.lambda_api.operations import Call, Reply

PATH = "/2017-03-31/tags/{Resource}"
RESOURCE_PATTERN = (
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|"
    r"event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|"
    r"(capacity-provider|network-connector):[a-zA-Z0-9-_]{1,64})"
)
"""As the model has it."""
TAGS_AT_MOST = 50
KEY_LIMIT, VALUE_LIMIT = 128, 256
RESERVED = "aws:"
"""How no tag's key may begin, in letters of any case: such tags are AWS's own (docs/lambda 16.7)."""
BODY = {"type": "object", "properties": {"Tags": {"type": "object", "additionalProperties": {"type": "string"}}}}
_MAPPING = ":event-source-mapping:"
_QUALIFIED = "Tags on function aliases and versions are not supported. Please specify a function ARN."


class Tagging:
    """The operations."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        return (
            Operation("TagResource", "POST", PATH, self.tag, (204,), body=BODY),
            Operation("UntagResource", "DELETE", PATH, self.untag, (204,), query=("tagKeys",)),
            Operation("ListTags", "GET", PATH, self.list),
        )

    async def tag(self, call: Call) -> Reply:
        """Adds tags; those of the same keys are replaced."""
        added = read_tags(call.body, required=True)
        await self._change(self._resource(call), lambda tags: _limited({**tags, **added}))
        return empty_reply()

    async def untag(self, call: Call) -> Reply:
        """Takes tags away, also where there are none."""
        resource = self._resource(call)
        keys = [value for name, value in parse_qsl(call.incoming.raw_query, errors="replace") if name == "tagKeys"]
        if not keys:
            raise errors.invalid("Value null at 'tagKeys' failed to satisfy constraint: Member must not be null")
        await self._change(resource, lambda tags: {key: value for key, value in tags.items() if key not in keys})
        return empty_reply()

    async def list(self, call: Call) -> Reply:
        """Those that there are; none for what the configuration gives."""
        resource = self._resource(call)
        if _MAPPING in resource:
            try:
                made = self._control.mappings.one(_uuid(resource)).made
            except NotThere:
                raise _no_mapping(resource) from None
            return json_reply({"Tags": dict(made.tags) if made is not None else {}})
        return json_reply({"Tags": dict(self._control.resources.made_of(self._function(resource)).tags)})

    async def _change(self, resource: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        if _MAPPING not in resource:
            await self._control.change(self._function(resource), changes.change_tags(change))
            return
        with refusals("update"):
            try:
                await self._control.mappings.tag(_uuid(resource), change)
            except NotThere:
                raise _no_mapping(resource) from None

    def _resource(self, call: Call) -> str:
        resource = call.parameters["Resource"]
        if not re.fullmatch(RESOURCE_PATTERN, resource, re.ASCII):
            raise errors.invalid(errors.pattern_broken(resource, "resource", RESOURCE_PATTERN))
        return resource

    def _function(self, resource: str) -> str:
        if ":function:" not in resource:
            raise errors.not_found(f"The resource you requested does not exist: {resource}")
        name = named(resource, None, self._control.here)
        if name.qualifier is not None:
            raise errors.invalid_parameter(_QUALIFIED)
        if not self._control.exists(name):
            raise errors.function_not_found(resource)
        return name.name


def read_tags(body: bytes, *, required: bool) -> dict[str, str]:
    """The tags that a document gives. Raises ApiError; where they are ``required``, also for none."""
    return tags_of(members_of(body), required=required)


def tags_of(members: Members, *, required: bool) -> dict[str, str]:
    """The tags among a document's members. Raises as :func:`read_tags` does."""
    sent: Any = members.sent("Tags")
    if sent is None and required:
        raise errors.invalid("Value null at 'tags' failed to satisfy constraint: Member must not be null")
    if sent is not None and not isinstance(sent, dict):
        raise wrong_type("tags", "a Map")
    tags: dict[str, Any] = sent or {}
    if required and not tags:
        raise errors.invalid_parameter("An error occurred and the request cannot be processed.")
    for key, value in tags.items():
        if not isinstance(value, str):
            raise wrong_type(f"tags.{key}", "a String")
        if key.lower().startswith(RESERVED):
            raise errors.invalid_parameter(
                f"The tag key {key} begins with {RESERVED}, which is reserved for AWS's own."
            )
        for text, least, most in ((key, 1, KEY_LIMIT), (value, 0, VALUE_LIMIT)):
            if not least <= len(text) <= most:
                rule = f"satisfy constraint: [Member must have length between {least} and {most}]"
                raise errors.invalid(errors.constraint(text, "tags", rule))
    return _limited(tags)


def _limited(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > TAGS_AT_MOST:
        raise errors.invalid_parameter("Number of tags exceeds resource tag limit.")
    return tags


def _uuid(resource: str) -> str:
    return resource.rpartition(":")[2].lower()


def _no_mapping(resource: str) -> errors.ApiError:
    return errors.not_found(f"Event source mapping not found: {resource}")
