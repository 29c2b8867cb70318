"""Event source mappings: the operations (docs/lambda 1.1, 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pollers.lambda_api import errors
from pollers.lambda_api.control.mapping_document import document, function_arn
from pollers.lambda_api.control.mapping_refusals import NO_FUNCTION, refusals
from pollers.lambda_api.control.mapping_requests import CREATE_BODY, UPDATE_BODY, qualifier_of, read_mapping
from pollers.lambda_api.control.paging import page
from pollers.lambda_api.control.tagging import read_tags
from pollers.lambda_api.names import named
from pollers.lambda_api.operations import Operation, json_reply

if TYPE_CHECKING:
    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.operations import Call, Reply
    from pollers.made_mappings import Registered

PATH = "/2015-03-31/event-source-mappings"
ONE = f"{PATH}/{{UUID}}"
ITEMS_AT_MOST = 10_000
"""What may be asked for."""
PAGE_AT_MOST = 100
"""In a page, whatever is asked for."""


class Mappings:
    """The operations."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        asked = ("EventSourceArn", "FunctionName", "Marker", "MaxItems")
        return (
            Operation("CreateEventSourceMapping", "POST", PATH, self.create, (202,), body=CREATE_BODY),
            Operation("ListEventSourceMappings", "GET", PATH, self.list, query=asked),
            Operation("GetEventSourceMapping", "GET", ONE, self.get),
            Operation("UpdateEventSourceMapping", "PUT", ONE, self.update, (202,), body=UPDATE_BODY),
            Operation("DeleteEventSourceMapping", "DELETE", ONE, self.delete, (202,)),
        )

    async def create(self, call: Call) -> Reply:
        """Makes a mapping, which runs at once; durable before the reply."""
        settings = {name: value for name, value in read_mapping(call.body, new=True).items() if value is not None}
        tags = read_tags(call.body, required=False)
        arn = self._function(settings)
        with refusals("create"):
            made = await self._control.mappings.create(settings, arn, tags)
        return self._reply(made, 202)

    async def get(self, call: Call) -> Reply:
        """One mapping."""
        with refusals("get"):
            return self._reply(self._control.mappings.one(call.parameters["UUID"].lower()))

    async def update(self, call: Call) -> Reply:
        """Changes what the document names; it ends and starts again with that. Durable before the reply."""
        settings = read_mapping(call.body, new=False)
        arn = self._function(settings) if "FunctionName" in settings else None
        with refusals("update"):
            changed = await self._control.mappings.update(call.parameters["UUID"].lower(), settings, arn)
        return self._reply(changed, 202)

    async def delete(self, call: Call) -> Reply:
        """Ends the mapping in the background, once it has finished what it holds."""
        with refusals("delete"):
            ending = await self._control.mappings.delete(call.parameters["UUID"].lower())
        return self._reply(ending, 202)

    async def list(self, call: Call) -> Reply:
        """All mappings, or those of a source, a function or both, by UUID."""
        query = call.query
        found = self._control.mappings.registered()
        if source := query.get("EventSourceArn"):
            found = {uuid: one for uuid, one in found.items() if one.model.event_source_arn == source}
        if name := query.get("FunctionName"):
            wanted = named(name, None, self._control.here)
            found = {
                uuid: one
                for uuid, one in found.items()
                if (one.model.function_name, self._control.here.account) == (wanted.name, wanted.account)
                and wanted.qualifier in (None, qualifier_of(function_arn(one, self._control.here)))
            }
        shown, more = page(found, query, ITEMS_AT_MOST, PAGE_AT_MOST)
        return json_reply({"EventSourceMappings": [self._document(found[uuid]) for uuid in shown], **more})

    def _function(self, settings: dict[str, Any]) -> str:
        """The ARN of the function that ``settings`` name, with its qualifier; leaves its bare name there."""
        here = self._control.here
        name = named(settings["FunctionName"], None, here)
        if name.account != here.account:
            raise errors.invalid_parameter(NO_FUNCTION)
        settings["FunctionName"] = name.name
        return here.arn(name.name, name.qualifier)

    def _reply(self, registered: Registered, status: int = 200) -> Reply:
        return json_reply(self._document(registered), status)

    def _document(self, registered: Registered) -> dict[str, Any]:
        return document(registered, self._control.here, self._control.result_of(registered.model.name))
