"""Schedules of a template: EventBridge Scheduler's, rules of EventBridge with a schedule, and SAM's events of both kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.schedules.pasted import FOREIGN
from config.schedules.reading import schedule_options
from config.text.nodes import Node, Sequence, Table
from pollers.importing.fitting import fit
from pollers.importing.model import Member, Origin
from pollers.importing.values import NameOf, Unknown, Value

if TYPE_CHECKING:
    from config.text.places import Place
    from pollers.importing.cloudformation.context import Context
    from pollers.importing.cloudformation.template import Resource

_SILENT = FOREIGN | {"RoleArn", "PermissionsBoundary", "OmitName", "Id", "EventBusName", "Targets", "Name"}
_OF_TARGET = ("Input", "RetryPolicy", "DeadLetterConfig")
_CHANGED_INPUT = ("InputPath", "InputTransformer")


def read_schedule(context: Context, resource: Resource) -> None:
    """Add what an ``AWS::Scheduler::Schedule`` calls, if it calls a function."""
    entry = resource.properties.entries.get("Target")
    target = entry.node.entries.get("Arn") if entry is not None and isinstance(entry.node, Table) else None
    member = _function(context, target.node if target is not None else None, resource)
    if member is None:
        context.note(resource.place, resource.logical_id, "left out the schedule: its target is no function")
        return
    given = _given(context, resource.properties)
    inside = given.pop("Target", None)
    given |= {key: inside[key] for key in _OF_TARGET if key in inside} if isinstance(inside, dict) else {}
    add_schedule(context, context.name_of(resource), given, member, "scheduler", context.origin(resource))


def read_rule(context: Context, resource: Resource) -> None:
    """Add what an ``AWS::Events::Rule`` with a schedule calls, one schedule for each function among its targets."""
    if "ScheduleExpression" not in resource.properties.entries:
        return
    entry = resource.properties.entries.get("Targets")
    targets = entry.node.items if entry is not None and isinstance(entry.node, Sequence) else []
    given = _given(context, resource.properties)
    shared = {key: value for key, value in given.items() if key in ("ScheduleExpression", "State")}
    for number, target in enumerate(targets, 1):
        arn = target.entries.get("Arn") if isinstance(target, Table) else None
        member = _function(context, arn.node if arn is not None else None, resource)
        if member is None or not isinstance(target, Table):
            context.note(target.place, resource.logical_id, "left out a target of the schedule: it is no function")
            continue
        name = context.name_of(resource)
        name = f"{name}-{number}" if len(targets) > 1 else name
        add_schedule(context, name, shared | _given(context, target), member, "rule", context.origin(resource))


def read_event(context: Context, resource: Resource, event: str, kind: str, properties: Table, place: Place) -> None:
    """Add the schedule that SAM makes of an event ``Schedule`` (a rule) or ``ScheduleV2``."""
    given = _given(context, properties)
    if "Schedule" in given:
        given["ScheduleExpression"] = given.pop("Schedule")
    enabled = given.pop("Enabled", None)
    if enabled is not None:
        given["State"] = "DISABLED" if enabled in (False, "false", "False") else "ENABLED"
    event_id = f"{resource.logical_id}{event}"
    given["DeadLetterConfig"] = _made_letters(context, given.get("DeadLetterConfig"), event_id, place)
    member = context.functions[resource.logical_id]
    name = given.pop("Name", None)
    called = name if isinstance(name, str) else f"{member.name}-{event}"
    origin = context.origin(resource, event, place)
    add_schedule(context, called, given, member, "rule" if kind == "Schedule" else "scheduler", origin)


def _made_letters(context: Context, config: Value, event_id: str, place: Place) -> Value:
    """SAM makes a queue for dead letters that have a Type and no Arn (docs/lambda 17.2)."""
    if not isinstance(config, dict) or "Arn" in config or config.get("Type") != "SQS":
        return config
    chosen = config.get("QueueLogicalId")
    return {"Arn": context.made_arn(chosen if isinstance(chosen, str) else f"{event_id}Queue", "SQS", place)}


def add_schedule(
    context: Context, name: str, given: dict[str, Value], member: Member, event: str, origin: Origin
) -> None:
    """Add a schedule with these settings, as CloudFormation calls them."""
    changed = [key for key in _CHANGED_INPUT if key in given]
    if changed:
        context.note(
            origin.place, name, f"{', '.join(changed)} is not applied here: the event is the schedule's whole one"
        )
    found = fit({key: value for key, value in given.items() if key not in changed}, schedule_options())
    found.options["function_name"] = NameOf(member)
    window = found.options.get("flexible_time_window")
    if isinstance(window, dict) and window.get("mode") is False:
        window["mode"] = "OFF"  # `Mode: OFF` without quotes is false in YAML 1.1, and is often written so.
    if event == "rule":
        found.options["event"] = "rule"
    if found.options.get("state") == "ENABLED":
        del found.options["state"]
    if context.is_shut(member):
        found.options["state"] = "DISABLED"
    if found.options.get("flexible_time_window") == {"mode": "OFF"}:
        del found.options["flexible_time_window"]
    unknown = [
        key for key in found.left if key not in _SILENT and key.rpartition(".")[2] not in ("Type", "QueueLogicalId")
    ]
    if unknown:
        context.note(origin.place, name, f"left out {', '.join(unknown)}, which schedules do not have here")
    context.note_unsaid(origin.place, name, found.unsaid)
    description = given.get("Description")
    remarks = [description] if isinstance(description, str) and description.strip() else []
    context.imported.schedules.append(Member(name, found.options, origin, remarks))


def _function(context: Context, node: Node | None, resource: Resource) -> Member | None:
    """The function that a target's ARN names; None for another target."""
    if node is None:
        return None
    value = context.evaluator.value(node)
    if isinstance(value, str) and ":lambda:" not in value:
        return None
    if isinstance(value, Unknown) and (target := context.template.resources.get(value.about or "")) is not None:
        is_called = target.is_function or target.type in ("AWS::Lambda::Alias", "AWS::Lambda::Version")
        if not is_called:
            return None
    return context.target(node, resource.place)


def _given(context: Context, properties: Table) -> dict[str, Value]:
    return {key: context.evaluator.value(entry.node) for key, entry in properties.entries.items()}
