"""Functions of a template, of SAM and of CloudFormation alike: how they run, and how they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.functions.asynchronous import DeadLetterConfig, EventInvokeConfig
from config.functions.function_url import FunctionUrl
from config.functions.logging_config import LoggingConfig
from config.options.shapes import options_of
from pollers.importing.fitting import fit
from pollers.importing.local import is_folder
from pollers.importing.model import Member
from pollers.importing.running import Program, environment_of, layer_fetched, running
from pollers.importing.values import LocalPath, Unknown, Value, text_of

if TYPE_CHECKING:
    from config.options.model import Model
    from config.text.places import Place
    from pollers.importing.cloudformation.context import Context
    from pollers.importing.cloudformation.template import Resource

_AWS_ONLY = ("Role", "Policies", "VpcConfig", "FileSystemConfigs")
_CALLS = {
    "DeadLetterQueue": "dead_letter_config",
    "DeadLetterConfig": "dead_letter_config",
    "EventInvokeConfig": "event_invoke_config",
    "FunctionUrlConfig": "function_url",
}
_PLAIN = {"Timeout": "timeout", "MemorySize": "memory_size"}


def read_function(context: Context, resource: Resource) -> None:
    """Add a function to what is imported."""
    evaluator = context.evaluator
    name = context.name_of(resource)
    program = Program(
        name,
        evaluator.property(resource, "Runtime"),
        evaluator.property(resource, "Handler"),
        context.code_of(context, resource),
        _arn(context, resource),
        resource.place,
    )
    found = running(program)
    description = evaluator.property(resource, "Description")
    remarks = [description] if isinstance(description, str) and description.strip() else []
    member = Member(name, found.options, context.origin(resource), remarks)
    for note in found.notes:
        context.note(resource.place, resource.logical_id, note)
    context.functions[resource.logical_id] = member
    context.imported.functions.append(member)
    _limits(context, resource, member, called=found.called)
    if not found.called:
        _surroundings(context, resource, member)
    _calls(context, resource, member)


def _arn(context: Context, resource: Resource) -> Value:
    return context.evaluator.attribute(resource.logical_id, "Arn", resource.place)


def _limits(context: Context, resource: Resource, member: Member, *, called: bool) -> None:
    """Timeout, memory and concurrency, as Lambda has them."""
    for name, option in _PLAIN.items():
        value = _whole(context.evaluator.property(resource, name))
        if value is not None and not (called and option == "memory_size"):
            member.options[option] = value
    reserved = _whole(context.evaluator.property(resource, "ReservedConcurrentExecutions"))
    if reserved == 0:
        context.shut.add(resource.logical_id)
        message = "its reserved concurrency is 0, so nothing calls it: what would call it is disabled"
        context.note(resource.place_of("ReservedConcurrentExecutions"), resource.logical_id, message)
    elif reserved is not None:
        member.options["concurrency"] = reserved


def _whole(value: Value) -> Value:
    text = text_of(value)
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 10 else text


def _surroundings(context: Context, resource: Resource, member: Member) -> None:
    """Environment and layers, and what does not come along."""
    environment = context.evaluator.property(resource, "Environment")
    variables = environment.get("Variables") if isinstance(environment, dict) else None
    if given := environment_of(variables):
        member.options["environment"] = {key: text_of(value) for key, value in given.items()}
    elif isinstance(unknown := environment if isinstance(environment, Unknown) else variables, Unknown):
        context.note_unsaid(resource.place_of("Environment"), resource.logical_id, [f"Environment ({unknown.reason})"])
    _layers(context, resource, member)
    logging = _block(context, resource, "LoggingConfig")
    if logging and (options := fit(logging, options_of(LoggingConfig)).options):
        member.options["logging_config"] = options
    found = [name for name in _AWS_ONLY if name in resource.properties.entries]
    if found:
        message = f"{', '.join(found)}: not imported; a worker has Headrace's credentials, network and files"
        context.note(resource.place, resource.logical_id, message)


def _layers(context: Context, resource: Resource, member: Member) -> None:
    layers = context.evaluator.property(resource, "Layers")
    entry = resource.properties.entries.get("Layers")
    if isinstance(layers, Unknown):
        context.note_unsaid(resource.place_of("Layers"), resource.logical_id, [f"Layers ({layers.reason})"])
    if not isinstance(layers, list) or entry is None:
        return
    folders: list[Value] = []
    for layer in layers:
        folder = _layer_folder(context, layer)
        if folder is None or "command" in member.options:
            context.note(entry.place, resource.logical_id, _layer_left_out(layer, folder, member))
        else:
            folders.append(folder)
    if folders:
        member.options["layers"] = folders


def _layer_left_out(layer: Value, folder: Value, member: Member) -> str:
    """What is said of a layer that the function does not get: its runtime has none, or what is in it is not here."""
    if isinstance(folder, LocalPath):
        return f"left out the layer {folder.path.name}: put what is in it into the code's folder"
    shown = text_of(layer)
    if isinstance(shown, Unknown):
        which = f"{shown.about}, whose folder is not here" if shown.about else f"that is {shown.reason}"
    else:
        which = shown if isinstance(shown, str) else "that cannot be known"
    where = "put what is in it into the code's folder" if "command" in member.options else "name its folder in layers"
    return f"left out the layer {which}: {layer_fetched(which)}, and {where}"


def _layer_folder(context: Context, layer: Value) -> Value:
    """The folder of a layer that the template itself makes of a local one."""
    if not isinstance(layer, Unknown):
        return None
    resource = context.template.resources.get(layer.about or "")
    if resource is None or not resource.type.endswith("::LayerVersion"):
        return None
    built = context.built / resource.logical_id
    uri = context.evaluator.property(resource, "ContentUri" if "Serverless" in resource.type else "Content")
    path = built if is_folder(built) else context.folder / uri if isinstance(uri, str) else None
    return LocalPath(path) if path is not None and is_folder(path) else None


def _calls(context: Context, resource: Resource, member: Member) -> None:
    """Event invoke config, dead letters and URL, as SAM writes them in the function."""
    for name, option in _CALLS.items():
        given = _block(context, resource, name)
        place = resource.place_of(name)
        if given:
            given = _with_made_targets(context, given, resource, place) if name == "EventInvokeConfig" else given
            add_call(context, member, option, given, place)


def _block(context: Context, resource: Resource, name: str) -> dict[str, Value]:
    """A property that is a mapping; empty where there is none, with a note where it cannot be known."""
    value = context.evaluator.property(resource, name)
    if isinstance(value, Unknown):
        context.note_unsaid(resource.place_of(name), resource.logical_id, [f"{name} ({value.reason})"])
    return value if isinstance(value, dict) else {}


def _with_made_targets(
    context: Context, invoke: dict[str, Value], resource: Resource, place: Place
) -> dict[str, Value]:
    """SAM makes a queue or a topic for a destination that has a Type and no Destination (docs/lambda 17.2)."""
    destinations = invoke.get("DestinationConfig")
    if not isinstance(destinations, dict):
        return invoke
    filled = dict(destinations)
    for side, target in destinations.items():
        kind = target.get("Type") if isinstance(target, dict) and "Destination" not in target else None
        if isinstance(kind, str) and kind in ("SQS", "SNS"):
            noun = "Queue" if kind == "SQS" else "Topic"
            logical_id = f"{resource.logical_id}EventInvokeConfig{side}{noun}"
            filled[side] = {"Destination": context.made_arn(logical_id, kind, place)}
    return invoke | {"DestinationConfig": filled}


_MODELS: dict[str, type[Model]] = {
    "event_invoke_config": EventInvokeConfig,
    "dead_letter_config": DeadLetterConfig,
    "function_url": FunctionUrl,
}
_WITHOUT_EFFECT = frozenset({"FunctionName", "Qualifier", "TargetFunctionArn", "Type"})


def add_call(context: Context, member: Member, option: str, given: dict[str, Value], place: Place) -> None:
    """Add to a function how it is called; the first wins where an alias has another."""
    if option in member.options:
        context.note(
            place, member.name, f"left out a second {option}: functions have one here, whatever their aliases have"
        )
        return
    found = fit(given, options_of(_MODELS[option]))
    for key in found.left:
        if key.rpartition(".")[2] not in _WITHOUT_EFFECT:
            context.note(place, member.name, f"{key} has no effect here")
    context.note_unsaid(place, member.name, found.unsaid)
    if found.options:
        member.options[option] = found.options
    if option == "function_url":
        context.imported.sections.setdefault("lambda_api", _where(context))


def _where(context: Context) -> dict[str, Value]:
    """Region and account as far as they are known, so that functions have the ARNs that they have in AWS."""
    region, account = context.evaluator.given.get("AWS::Region"), context.evaluator.given.get("AWS::AccountId", "")
    known: dict[str, Value] = {"region": region} if region else {}
    return known | ({"account": account} if len(account) == 12 and account.isdecimal() else {})
