"""Event source mappings of a template, its own resources and those that SAM makes of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.sources import pasted, registry
from config.sources.unread import UNREAD
from config.text.nodes import Node, Scalar, Sequence, Table
from pollers.importing.cloudformation.kinds import kind_of
from pollers.importing.fitting import fit, part_read, settings_for
from pollers.importing.model import Member, Origin
from pollers.importing.values import Joined, NameOf, Value

if TYPE_CHECKING:
    from config.text.places import Place
    from pollers.importing.cloudformation.context import Context
    from pollers.importing.cloudformation.template import Resource

SERVICES = {
    **{"SQS": "sqs", "Kinesis": "kinesis", "DynamoDB": "dynamodb"},
    **{"MSK": "kafka", "SelfManagedKafka": "kafka", "MQ": "mq", "DocumentDB": "rds"},
}
"""Events of SAM that become mappings, and the service of their source's ARN (docs/lambda 17.2)."""

SOURCE = {
    "SQS": "Queue",
    "Kinesis": "Stream",
    "DynamoDB": "Stream",
    "MSK": "Stream",
    "MQ": "Broker",
    "DocumentDB": "Cluster",
}
_DOCUMENTS = {"DatabaseName", "CollectionName", "FullDocument"}
_SILENT = frozenset(
    {"FunctionName", "DestinationConfig.OnFailure.Type", "SourceAccessConfigurations", "SecretsManagerKmsKeyId"}
)
"""What only AWS needs: SAM makes policies of some."""
_SETTLE = {
    "SelfManagedEventSource": "kafka",
    "Topics": "kafka",
    "AmazonManagedKafkaEventSourceConfig": "kafka",
    "Queues": "mq",
    "DocumentDBEventSourceConfig": "rds",
    "TumblingWindowInSeconds": "kinesis",
    "ScalingConfig": "sqs",
}


def read_mapping(context: Context, resource: Resource) -> None:
    """Add the mapping that a resource ``AWS::Lambda::EventSourceMapping`` is."""
    properties = resource.properties
    service = _service(context, properties)
    given = {key: context.evaluator.value(entry.node) for key, entry in properties.entries.items()}
    name = properties.entries.get("FunctionName")
    target = context.target(name.node if name is not None else None, resource.place_of("FunctionName"))
    add_mapping(context, context.name_of(resource), given, service, target, context.origin(resource))


def read_event(context: Context, resource: Resource, event: str, kind: str, properties: Table, place: Place) -> None:
    """Add the mapping that SAM makes of an event of a function."""
    given = {key: context.evaluator.value(entry.node) for key, entry in properties.entries.items()}
    source = given.pop(SOURCE.get(kind, ""), None)
    if source is not None:
        given["EventSourceArn"] = source
    documents = {key: given.pop(key) for key in _DOCUMENTS & given.keys()}
    if documents:
        given["DocumentDBEventSourceConfig"] = documents
    member = context.functions[resource.logical_id]
    origin = context.origin(resource, event, place)
    add_mapping(context, f"{member.name}-{event}", given, SERVICES[kind], member, origin)


def add_mapping(
    context: Context, name: str, given: dict[str, Value], service: str | None, target: Member | None, origin: Origin
) -> None:
    """Add a mapping with these settings, as CloudFormation calls them; or say why it is left out."""
    if service is not None and service not in {known for kind in registry.KINDS for known in kind.services}:
        called = next((kind.called for kind in UNREAD if service in kind.services), service)
        context.note(origin.place, name, f"left out the mapping of {called}, which this version does not read")
        return
    found = fit(given, settings_for(service))
    found.options.pop("function_name", None)
    if target is None:
        context.note(origin.place, name, "left out the mapping: its function cannot be known")
        return
    found.options["function_name"] = NameOf(target)
    if context.is_shut(target):
        found.options["enabled"] = False
    _remark(context, found.left, name, origin)
    context.note_unsaid(origin.place, name, found.unsaid)
    if found.options.get("enabled") is True:
        del found.options["enabled"]
    if _is_second(context, found.options, target, service):
        context.note(
            origin.place, name, "left out a second mapping of the same source and function, whatever their aliases are"
        )
        return
    context.imported.mappings.append(Member(name, found.options, origin))


def _is_second(context: Context, options: dict[str, Value], target: Member, service: str | None) -> bool:
    pair = (f"{options.get('event_source_arn')!r} {part_read(options, service)!r}", id(target))
    if pair in context.pairs:
        return True
    context.pairs.add(pair)
    return False


def _remark(context: Context, left: list[str], name: str, origin: Origin) -> None:
    idle = [key for key in left if key in pasted.WITHOUT_EFFECT]
    if idle:
        context.note(origin.place, name, f"{', '.join(idle)}: without effect outside AWS")
    unknown = [key for key in left if key not in pasted.WITHOUT_EFFECT and key not in _SILENT]
    if unknown:
        context.note(
            origin.place, name, f"left out {', '.join(unknown)}, which mappings of this source do not have here"
        )


def _service(context: Context, properties: Table) -> str | None:
    """The service that the source's ARN will have: from the ARN, the resource that is referred to, or the settings."""
    entry = properties.entries.get("EventSourceArn")
    if entry is not None:
        found = _service_of_arn(context.evaluator.value(entry.node)) or _service_of_resource(context, entry.node)
        if found:
            return found
    return next((service for key, service in _SETTLE.items() if key in properties.entries), None)


def _service_of_arn(value: Value) -> str | None:
    first = value.parts[0] if isinstance(value, Joined) else value
    parts = first.split(":") if isinstance(first, str) else []
    return parts[2] if len(parts) > 3 and parts[0] == "arn" else None


def _service_of_resource(context: Context, node: Node) -> str | None:
    if not isinstance(node, Table) or len(node.entries) != 1:
        return None
    (entry,) = node.entries.values()
    first = entry.node.items[0] if isinstance(entry.node, Sequence) and entry.node.items else entry.node
    logical_id = first.text.partition(".")[0] if isinstance(first, Scalar) else ""
    resource = context.template.resources.get(logical_id)
    return None if resource is None else kind_of(resource.type).service
