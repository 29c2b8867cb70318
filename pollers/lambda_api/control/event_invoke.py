"""Event invoke configs (docs/lambda 12.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from config.functions.asynchronous import ON_FAILURE, ON_SUCCESS
from config.models import EventInvokeConfig
from config.text.arns import parse_arn
from config.text.targets import Target, target_of
from pollers.lambda_api import errors
from pollers.lambda_api.control.paging import ITEMS_AT_MOST, page
from pollers.lambda_api.control.requests import Members, members_of, only_given
from pollers.lambda_api.names import LATEST
from pollers.lambda_api.operations import Operation, Reply, empty_reply, json_reply
from pollers.resources import changes
from pollers.resources.errors import NotMade

if TYPE_CHECKING:
    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.errors import ApiError
    from pollers.lambda_api.names import Named
    from pollers.lambda_api.operations import Call
    from pollers.resources.made import Invoking

PATH = "/2019-09-25/functions/{FunctionName}/event-invoke-config"
DESTINATION_PATTERN = (
    r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
"""As the model has it."""
_TEXT = {"type": "string"}
_DESTINATION = {"type": "object", "properties": {"Destination": _TEXT}}
BODY = {
    "type": "object",
    "properties": {
        "MaximumRetryAttempts": {"type": "integer"},
        "MaximumEventAgeInSeconds": {"type": "integer"},
        "DestinationConfig": {"type": "object", "properties": {"OnSuccess": _DESTINATION, "OnFailure": _DESTINATION}},
    },
}


class EventInvokeConfigs:
    """The operations."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        asked = ("Qualifier",)
        return (
            Operation("PutFunctionEventInvokeConfig", "PUT", PATH, self.put, body=BODY, query=asked),
            Operation("UpdateFunctionEventInvokeConfig", "POST", PATH, self.update, body=BODY, query=asked),
            Operation("GetFunctionEventInvokeConfig", "GET", PATH, self.get, query=asked),
            Operation("DeleteFunctionEventInvokeConfig", "DELETE", PATH, self.delete, (204,), query=asked),
            Operation("ListFunctionEventInvokeConfigs", "GET", f"{PATH}/list", self.list, query=("Marker", "MaxItems")),
        )

    async def put(self, call: Call) -> Reply:
        """Replaces the config, or makes it."""
        name, given = self._named(call), self._read(call)
        config = EventInvokeConfig.model_validate(self._checked(name, given))
        return self._reply(await self._control.change(name.name, changes.put_invoking(config)), name)

    async def update(self, call: Call) -> Reply:
        """Changes what the document names."""
        name, given = self._named(call), self._read(call)
        try:
            made = await self._control.change(name.name, changes.update_invoking(self._checked(name, given)))
        except NotMade:
            raise self._none(name) from None
        return self._reply(made, name)

    async def get(self, call: Call) -> Reply:
        """The config, whether the configuration gives it or the API made it."""
        name = self._control.named(call)
        invoking = self._control.resources.invoking_of(name.name) if self._control.exists(name) else None
        if invoking is None:
            raise self._none(name)
        return self._reply(invoking, name)

    async def delete(self, call: Call) -> Reply:
        """Back to the defaults."""
        name = self._control.named(call)
        if not self._control.exists(name):
            raise self._none(name)
        try:
            await self._control.change(name.name, changes.delete_invoking)
        except NotMade:
            raise self._none(name) from None
        return empty_reply()

    async def list(self, call: Call) -> Reply:
        """The one of ``$LATEST``, if there is one."""
        name = self._named(call)
        invoking = self._control.resources.invoking_of(name.name)
        shown, more = page([LATEST] if invoking is not None else [], call.query, ITEMS_AT_MOST)
        found = [self._document(invoking, name) for _ in shown if invoking is not None]
        return json_reply({"FunctionEventInvokeConfigs": found, **more})

    def _named(self, call: Call) -> Named:
        name = self._control.named(call)
        if not self._control.exists(name):
            raise errors.not_found("The function doesn't exist.")
        return name

    def _none(self, name: Named) -> ApiError:
        return errors.not_found(f"The function {name.arn(self._control.here)} doesn't have an EventInvokeConfig")

    def _read(self, call: Call) -> dict[str, Any]:
        """What the document gives, in the configuration's spelling."""
        members = members_of(call.body)
        destinations = members.section("DestinationConfig")
        given = only_given(
            maximum_retry_attempts=members.integer("MaximumRetryAttempts", least=0, most=2),
            maximum_event_age_in_seconds=members.integer("MaximumEventAgeInSeconds", least=60, most=21_600),
            destination_config=_destinations(destinations) if destinations is not None else None,
        )
        members.check()
        if not given:
            raise errors.invalid_parameter("You must specify at least one of error handling or destination setting.")
        return given

    def _checked(self, name: Named, given: dict[str, Any]) -> dict[str, Any]:
        """``given``, once its destinations are known to be possible ones."""
        config = given.get("destination_config", {})
        success, failure = (config.get(side, {}).get("destination") for side in ("on_success", "on_failure"))
        possible = [
            self._possible(arn, kinds, name) for arn, kinds in ((failure, ON_FAILURE), (success, ON_SUCCESS)) if arn
        ]
        if not all(possible):
            shown = [
                f"{side}(destination={arn})" if arn else "null"
                for side, arn in (("OnSuccess", success), ("OnFailure", failure))
            ]
            raise errors.invalid_parameter(
                f"The provided destination config DestinationConfig(onSuccess={shown[0]}, onFailure={shown[1]}) is invalid."
            )
        return given

    def _possible(self, text: str, kinds: tuple[Target, ...], name: Named) -> bool:
        try:
            arn = parse_arn(text)
        except ValueError:
            return False
        kind = target_of(arn)
        if kind is Target.FUNCTION and (arn.region, arn.account) == (
            self._control.here.region,
            self._control.here.account,
        ):
            target, _, qualifier = arn.resource.removeprefix("function:").partition(":")
            if not self._control.has(target) or qualifier not in ("", LATEST):
                raise errors.invalid_parameter(f"The destination ARN {text} is invalid.")
            if target == name.name:
                raise errors.invalid_parameter("You can't specify the function as a destination for itself.")
        return kind in kinds

    def _reply(self, invoking: Invoking, name: Named) -> Reply:
        return json_reply(self._document(invoking, name))

    def _document(self, invoking: Invoking, name: Named) -> dict[str, Any]:
        """With both destinations always, and the two limits only where they were given."""
        config = invoking.config
        limits = {
            "MaximumRetryAttempts": "maximum_retry_attempts",
            "MaximumEventAgeInSeconds": "maximum_event_age_in_seconds",
        }
        return {
            "LastModified": round(invoking.modified_at, 3),
            "FunctionArn": self._control.here.arn(name.name, LATEST),
            **{name: getattr(config, limit) for name, limit in limits.items() if limit in config.model_fields_set},
            "DestinationConfig": {
                "OnSuccess": only_given(Destination=config.on_success),
                "OnFailure": only_given(Destination=config.on_failure),
            },
        }


def _destinations(members: Members) -> dict[str, Any]:
    """Both sides, in the configuration's spelling. An empty destination is none."""
    found = {}
    for member, option in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
        side = members.section(member)
        if side is not None:
            destination = side.text("Destination", pattern=DESTINATION_PATTERN, most=350)
            found[option] = only_given(destination=destination)
    return found
