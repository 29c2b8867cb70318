"""From ``serverless.yml`` to the template that the framework would make of it, as far as functions and their callers go.

The framework's defaults are its own, and not Lambda's (docs/lambda 17.6). A decider.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.text.nodes import Entry, Node, Scalar, Sequence, Table, Unparsable, describe
from pollers.importing.serverless.building import get_att, is_false, member, members, scalar, table, text
from pollers.importing.serverless.events import BY_REQUEST, events_of, made_of

if TYPE_CHECKING:
    from config.text.places import Place
    from pollers.importing.serverless.variables import Variables

TIMEOUT_SECONDS = 6
MEMORY_MIB = 1024
_OTHER = re.compile(r"[^A-Za-z0-9]")
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Outputs")


@dataclass(slots=True)
class Service:
    """A service as a template. ``names`` are the readable names of its resources, ``artifacts`` the archives of functions."""

    name: str
    template: Table
    names: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    notes: list[tuple[Place, str, str]] = field(default_factory=list)


def service_of(variables: Variables) -> Service:
    """The service. Raises :class:`Unparsable` where it has not the form of one."""
    root = variables.root
    if not isinstance(root, Table):
        raise Unparsable(root.place, f"found {describe(root)}, expected a service: a mapping with service and provider")
    named = variables.at("service")
    name = text(member(named, "name")) if isinstance(named, Table) else text(named)
    found = Service(name or "service", Table(root.place))
    reader = _Reader(variables, found)
    reader.read_resources()
    for key, entry in members(variables.at("functions")).items():
        reader.read_function(key, entry)
    for unknown, place in variables.unknown.items():
        reader.section("Parameters").setdefault(unknown, Entry(place, table(place, {"Type": scalar(place, "String")})))
    return found


class _Reader:
    def __init__(self, variables: Variables, service: Service) -> None:
        self._variables = variables
        self._service = service
        self._provider = variables.at("provider")

    def section(self, name: str) -> dict[str, Entry]:
        """A section of the template, which is made when it is asked for."""
        template = self._service.template
        if name not in template.entries:
            template.entries[name] = Entry(template.place, Table(template.place))
        node = template.entries[name].node
        return node.entries if isinstance(node, Table) else {}

    def read_resources(self) -> None:
        """The template's own part: what functions refer to."""
        given = self._variables.at("resources")
        for part in given.items if isinstance(given, Sequence) else [given]:
            for name in ("Resources", *_SECTIONS):
                self.section(name).update(members(member(part, name)))
            if (extensions := member(part, "extensions")) is not None:
                self._note(extensions.place, "resources", "left out: extensions of what the framework makes")

    def read_function(self, key: str, entry: Entry) -> None:
        """A function and what calls it."""
        node = entry.node
        if not isinstance(node, Table):
            self._note(
                entry.place, key, f"left out: found {describe(node)}, expected a function: a mapping with handler"
            )
            return
        logical_id = f"{normalized(key)}LambdaFunction"
        name = text(member(node, "name")) or f"{self._service.name}-{self._variables.stage}-{key}"
        self._service.keys[logical_id] = key
        artifact = text(member(member(node, "package"), "artifact"))
        if artifact:
            self._service.artifacts[logical_id] = artifact
        self._add(logical_id, key, "AWS::Lambda::Function", self._properties(node, name, entry.place), entry.place)
        self._calls(node, logical_id, key)
        counts: dict[str, int] = {}
        for kind, event, place in events_of(node):
            counts[kind] = counts.get(kind, 0) + 1
            suffix = f"-{counts[kind]}" if counts[kind] > 1 else ""
            made = made_of(kind, event, logical_id, f"{key}-{kind}{suffix}")
            if made is None:
                self._note(
                    place, key, f"left out the event {kind}, which is no source that Headrace reads; {_how(kind)}"
                )
                continue
            for readable, resource_type, properties in made:
                self._add(self._free(readable), readable, resource_type, properties, place)

    def _properties(self, node: Table, name: str, place: Place) -> Table:
        image = member(node, "image")
        shared = members(member(self._provider, "environment"))
        own = members(member(node, "environment"))
        variables = {key: one.node for key, one in {**shared, **own}.items()}
        letters = member(node, "onError")
        return table(
            place,
            {
                "FunctionName": scalar(place, name),
                "Handler": member(node, "handler"),
                "Runtime": None if image else self._setting(node, "runtime"),
                "PackageType": scalar(place, "Image") if image else None,
                "Timeout": self._setting(node, "timeout") or scalar(place, TIMEOUT_SECONDS),
                "MemorySize": self._setting(node, "memorySize") or scalar(place, MEMORY_MIB),
                "ReservedConcurrentExecutions": member(node, "reservedConcurrency"),
                "Environment": table(place, {"Variables": table(place, variables)}) if variables else None,
                "Layers": self._setting(node, "layers"),
                "DeadLetterConfig": table(place, {"TargetArn": letters}) if letters is not None else None,
            },
        )

    def _setting(self, node: Table, name: str) -> Node | None:
        """A function's setting, else the provider's."""
        return member(node, name) or member(self._provider, name)

    def _calls(self, node: Table, logical_id: str, key: str) -> None:
        """Its event invoke config and its URL."""
        place = node.place
        function = get_att(place, logical_id, "Arn")
        destinations = member(node, "destinations")
        sides = {
            side: table(place, {"Destination": self._destination(member(destinations, name))})
            for side, name in (("OnSuccess", "onSuccess"), ("OnFailure", "onFailure"))
            if member(destinations, name) is not None
        }
        invoke: dict[str, Node | None] = {
            "MaximumRetryAttempts": member(node, "maximumRetryAttempts"),
            "MaximumEventAgeInSeconds": member(node, "maximumEventAge"),
            "DestinationConfig": table(place, sides) if sides else None,
        }
        if any(value is not None for value in invoke.values()):
            config = table(place, {"FunctionName": function, **invoke})
            self._add(f"{logical_id}EvConf", key, "AWS::Lambda::EventInvokeConfig", config, place)
        url = member(node, "url")
        if url is not None and not is_false(url):
            self._add(f"{logical_id}Url", key, "AWS::Lambda::Url", self._url(url, function), url.place)

    def _destination(self, node: Node | None) -> Node | None:
        """An ARN, another function of the service by its key, or an object with the ARN."""
        if isinstance(node, Table) and "arn" in node.entries:
            return member(node, "arn")
        key = text(node)
        if node is not None and key is not None and key in members(self._variables.at("functions")):
            return get_att(node.place, f"{normalized(key)}LambdaFunction", "Arn")
        return node

    def _url(self, url: Node, function: Node) -> Table:
        place = url.place
        signed = text(member(url, "authorizer")) == "aws_iam"
        cors = member(url, "cors")
        allowed: Node | None = None
        if isinstance(cors, Scalar) and cors.value is True:
            allowed = table(place, {name: _everything(place, value) for name, value in _OPEN.items()})
        elif isinstance(cors, Table):
            names = {name: _CORS.get(name, name) for name in cors.entries}
            allowed = table(place, {names[name]: entry.node for name, entry in cors.entries.items()})
        return table(
            place,
            {
                "TargetFunctionArn": function,
                "AuthType": scalar(place, "AWS_IAM" if signed else "NONE"),
                "InvokeMode": member(url, "invokeMode"),
                "Cors": allowed,
            },
        )

    def _add(self, logical_id: str, readable: str, resource_type: str, properties: Table, place: Place) -> None:
        resource = table(place, {"Type": scalar(place, resource_type), "Properties": properties})
        self.section("Resources")[logical_id] = Entry(place, resource)
        self._service.names[logical_id] = readable

    def _free(self, readable: str) -> str:
        """A logical id for a resource whose name nobody refers to."""
        first = (_OTHER.sub("", readable.title()) if "-" in readable else readable) or "Event"
        taken, number, name = self.section("Resources"), 2, first
        while name in taken:
            name, number = f"{first}{number}", number + 1
        return name

    def _note(self, place: Place, about: str, message: str) -> None:
        self._service.notes.append((place, about, message))


_OPEN = {
    "AllowOrigins": ("*",),
    "AllowHeaders": ("Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token"),
    "AllowMethods": ("*",),
}
"""What ``cors: true`` allows."""
_CORS = {
    "allowedOrigins": "AllowOrigins",
    "allowedHeaders": "AllowHeaders",
    "allowedMethods": "AllowMethods",
    "allowCredentials": "AllowCredentials",
    "exposedResponseHeaders": "ExposeHeaders",
    "maxAge": "MaxAge",
}


def normalized(key: str) -> str:
    """A function's key as its logical ids begin: ``my-fn_a`` is ``MyDashfnUnderscorea``."""
    text = key.replace("-", "Dash").replace("_", "Underscore")
    return text[:1].upper() + text[1:]


def _everything(place: Place, values: tuple[str, ...]) -> Sequence:
    return Sequence(place, [scalar(place, value) for value in values])


def _how(kind: str) -> str:
    if kind in BY_REQUEST:
        return "call it by its URL or Lambda's API"
    return "let the service send to a queue, or call Lambda's API"
