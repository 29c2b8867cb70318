"""A template as a source: its functions first, then what calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.faults import ConfigError, Fault
from pollers.importing.cloudformation.code import local_code
from pollers.importing.cloudformation.context import Context
from pollers.importing.cloudformation.evaluator import Evaluator
from pollers.importing.cloudformation.events import read_events
from pollers.importing.cloudformation.functions import add_call, read_function
from pollers.importing.cloudformation.mappings import read_mapping
from pollers.importing.cloudformation.schedules import read_rule, read_schedule
from pollers.importing.cloudformation.stack import read_stacks
from pollers.importing.cloudformation.template import read_template
from pollers.importing.form import SourceForm
from pollers.importing.model import Imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from config.text.nodes import Node
    from config.text.places import Place
    from pollers.importing.cloudformation.template import Resource, Template
    from pollers.importing.form import Request, Source
    from pollers.importing.running import Code


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around a template. ``folder`` is what its local paths are relative to.

    ``code_of`` finds a function's code where it is not as in SAM. ``readable`` gives a resource a better name than its logical id.
    ``wanted`` says which resources are the user's own.
    """

    folder: Path
    code_of: Callable[[Context, Resource], Code] | None = None
    readable: Callable[[Resource], str] = lambda resource: resource.logical_id
    wanted: Callable[[Resource], bool] = lambda _resource: True


def evaluator_for(tree: Node, request: Request, given: Mapping[str, str] | None = None) -> Evaluator:
    """What evaluates the template in a tree, with what the user and the deployed stack say. ``given`` is known without them.

    Raises :class:`ConfigError` or :class:`config.text.nodes.Unparsable` for a template that cannot be read.
    """
    stack = read_stacks(request.stacks)
    known = {**(given or {}), **stack.pseudo, **stack.parameters, **request.parameters}
    return Evaluator(read_template(tree), known, stack)


def import_template(evaluator: Evaluator, request: Request, around: Surroundings, imported: Imported) -> None:
    """Add what is in a template."""
    template = evaluator.template
    names = _names(evaluator, around)
    context = Context(template, evaluator, imported, around.folder, _code(request, around), names)
    resources = [one for one in template.resources.values() if around.wanted(one) and context.made(one)]
    for name, place in template.loops:
        imported.note(place, name, f"left out: only CloudFormation can tell what {name} makes")
    for resource in resources:
        if resource.is_function:
            read_function(context, resource)
    for resource in resources:
        _read_caller(context, resource)


def _read_caller(context: Context, resource: Resource) -> None:
    match resource.type:
        case "AWS::Serverless::Function":
            read_events(context, resource)
        case "AWS::Lambda::EventSourceMapping":
            read_mapping(context, resource)
        case "AWS::Scheduler::Schedule":
            read_schedule(context, resource)
        case "AWS::Events::Rule":
            read_rule(context, resource)
        case "AWS::CloudFormation::Stack" | "AWS::Serverless::Application":
            context.note(
                resource.place, resource.logical_id, "left out: what is in a nested stack; import its own template"
            )
        case "AWS::Lambda::EventInvokeConfig":
            _read_call(context, resource, "event_invoke_config", "FunctionName")
        case "AWS::Lambda::Url":
            _read_call(context, resource, "function_url", "TargetFunctionArn")


def _read_call(context: Context, resource: Resource, option: str, function: str) -> None:
    """Add how a function is called, which is a resource of its own."""
    entry = resource.properties.entries.get(function)
    member = context.target(entry.node if entry is not None else None, resource.place_of(function))
    given = {key: context.evaluator.value(one.node) for key, one in resource.properties.entries.items()}
    if member is None:
        context.note(resource.place, resource.logical_id, "left out: its function cannot be known")
        return
    first = option not in member.options
    add_call(context, member, option, given, resource.place)
    if first and option in member.options:
        member.origins[option] = context.origin(resource)


def _code(request: Request, around: Surroundings) -> Callable[[Context, Resource], Code]:
    return around.code_of or (lambda context, resource: local_code(context, resource, request.code_folders))


def _names(evaluator: Evaluator, around: Surroundings) -> Callable[[Resource], str]:
    """The name that something has in the configuration: a function's real one, a readable one, or the logical id."""

    def name_of(resource: Resource) -> str:
        real = evaluator.name_of(resource) if resource.is_function else None
        if isinstance(real, str) and real:
            return real
        return around.readable(resource)

    return name_of


def refuse_unknown_parameters(names: Iterable[str], templates: Iterable[Template], place: Place) -> None:
    """A parameter that no template has is a slip of the user's. Raises :class:`ConfigError`."""
    known = {name for template in templates for name in template.parameters}
    wrong = [name for name in names if name not in known and not name.startswith("AWS::")]
    if wrong:
        expected = f"one of {', '.join(sorted(known))}" if known else "none: it has no parameters"
        raise ConfigError([Fault(*place, "", f"found --parameter {name}, expected {expected}") for name in wrong])


def _recognises(source: Source) -> bool:
    return "Resources" in source.keys


def _read(request: Request) -> Imported:
    source = request.source
    evaluator = evaluator_for(source.tree, request)
    refuse_unknown_parameters(request.parameters, [evaluator.template], source.tree.place)
    kind = "SAM" if evaluator.template.is_sam else "CloudFormation"
    imported = Imported(f"the {kind} template {source.text}")
    import_template(evaluator, request, Surroundings(source.path.absolute().parent), imported)
    return imported


TEMPLATE = SourceForm(
    called="a CloudFormation or SAM template",
    looks_like="YAML or JSON with Resources",
    recognises=_recognises,
    read=_read,
)
