"""The events of a function: what the framework makes of each, with its own defaults (docs/lambda 17.6). A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.nodes import Node, Scalar, Sequence, Table
from pollers.importing.serverless.building import get_att, is_false, member, members, scalar, sequence, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.text.places import Place

    Made = tuple[str, str, Table]

BATCH_SIZE = 10
START = "TRIM_HORIZON"
BY_REQUEST = frozenset({"http", "httpApi", "alb", "websocket"})
_SQS = {
    "arn": "EventSourceArn",
    "batchSize": "BatchSize",
    "enabled": "Enabled",
    "maximumBatchingWindow": "MaximumBatchingWindowInSeconds",
}
_STREAM = {
    "arn": "EventSourceArn",
    "batchSize": "BatchSize",
    "enabled": "Enabled",
    "batchWindow": "MaximumBatchingWindowInSeconds",
    "startingPosition": "StartingPosition",
    "startingPositionTimestamp": "StartingPositionTimestamp",
    "parallelizationFactor": "ParallelizationFactor",
    "maximumRetryAttempts": "MaximumRetryAttempts",
    "maximumRecordAgeInSeconds": "MaximumRecordAgeInSeconds",
    "bisectBatchOnFunctionError": "BisectBatchOnFunctionError",
    "tumblingWindowInSeconds": "TumblingWindowInSeconds",
}
_RULE = {"input": "Input", "inputPath": "InputPath", "inputTransformer": "InputTransformer"}


def made_of(kind: str, node: Node, function: str, name: str) -> Iterator[Made] | None:
    """The resources that an event becomes, each as a readable name, a type and its properties; None for another kind of event.

    ``function`` is the logical id of the function, ``name`` the event's own.
    """
    make = {"sqs": _sqs, "stream": _stream, "schedule": _schedule}.get(kind)
    return None if make is None else make(node, function, name)


def _sqs(node: Node, function: str, name: str) -> Iterator[Made]:
    properties = _mapping(node, _SQS, function)
    concurrency = member(node, "maximumConcurrency")
    if concurrency is not None:
        properties["ScalingConfig"] = table(node.place, {"MaximumConcurrency": concurrency})
    yield name, "AWS::Lambda::EventSourceMapping", table(node.place, properties)


def _stream(node: Node, function: str, name: str) -> Iterator[Made]:
    properties = _mapping(node, _STREAM, function)
    properties.setdefault("StartingPosition", scalar(node.place, START))
    failure = member(member(node, "destinations"), "onFailure")
    if failure is not None:
        arn = member(failure, "arn") if isinstance(failure, Table) and "arn" in failure.entries else failure
        on_failure = table(node.place, {"Destination": arn})
        properties["DestinationConfig"] = table(node.place, {"OnFailure": on_failure})
    consumer = member(node, "consumer")
    if isinstance(consumer, Scalar) and consumer.value is True:
        made = f"{name.title().replace('-', '')}Consumer"
        stream = table(
            node.place, {"StreamARN": properties["EventSourceArn"], "ConsumerName": scalar(node.place, made)}
        )
        yield made, "AWS::Kinesis::StreamConsumer", stream
        properties["EventSourceArn"] = table(node.place, {"Ref": scalar(node.place, made)})
    elif consumer is not None and not is_false(consumer):
        properties["EventSourceArn"] = consumer
    yield name, "AWS::Lambda::EventSourceMapping", table(node.place, properties)


def _mapping(node: Node, names: dict[str, str], function: str) -> dict[str, Node | None]:
    """The settings that queues and streams have in common, and those of ``names``."""
    place = node.place
    given = node if isinstance(node, Table) and "arn" in node.entries else table(place, {"arn": node})
    found: dict[str, Node | None] = {"FunctionName": get_att(place, function, "Arn")}
    for key, name in names.items():
        value = member(given, key)
        if value is not None:
            found[name] = value
    size = found.get("BatchSize")
    if size is None or (isinstance(size, Scalar) and size.value == 0):
        found["BatchSize"] = scalar(place, BATCH_SIZE)
    types = member(given, "functionResponseType")
    if types is not None:
        found["FunctionResponseTypes"] = sequence(place, [types])
    patterns = member(given, "filterPatterns")
    if isinstance(patterns, Sequence):
        filters = sequence(place, [table(item.place, {"Pattern": item}) for item in patterns.items])
        found["FilterCriteria"] = table(place, {"Filters": filters})
    return found


def _schedule(node: Node, function: str, name: str) -> Iterator[Made]:
    place = node.place
    given = node if isinstance(node, Table) and "rate" in node.entries else table(place, {"rate": node})
    rates = member(given, "rate")
    expressions = rates.items if isinstance(rates, Sequence) else [] if rates is None else [rates]
    state = scalar(place, "DISABLED" if is_false(member(given, "enabled")) else "ENABLED")
    own = text(member(given, "name"))
    for number, expression in enumerate(expressions, 1):
        called = f"{own or name}-{number}" if len(expressions) > 1 else own or name
        target: dict[str, Node | None] = {"Arn": get_att(place, function, "Arn")}
        target |= {to: member(given, key) for key, to in _RULE.items()}
        properties: dict[str, Node | None] = {"ScheduleExpression": expression, "State": state}
        if text(member(given, "method")) == "scheduler":
            properties |= {"Target": table(place, target), "ScheduleExpressionTimezone": member(given, "timezone")}
            yield called, "AWS::Scheduler::Schedule", table(place, properties)
        else:
            properties["Targets"] = sequence(place, [table(place, target)])
            yield called, "AWS::Events::Rule", table(place, properties)


def events_of(function: Node) -> Iterator[tuple[str, Node, Place]]:
    """The events of a function, each as its kind and what it says."""
    listed = member(function, "events")
    for item in listed.items if isinstance(listed, Sequence) else ():
        if isinstance(item, Scalar) and item.value is not None:
            yield item.text, item, item.place
        for kind, entry in members(item).items():
            yield kind, entry.node, entry.place
