"""A template as a source: its functions first, then what calls them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from config.faults import ConfigError, Fault
from pollers.importing.cloudformation.code import local_code
from pollers.importing.cloudformation.context import Context
from pollers.importing.cloudformation.evaluator import Evaluator
from pollers.importing.cloudformation.events import read_events
from pollers.importing.cloudformation.functions import add_call, read_function
from pollers.importing.cloudformation.mappings import read_mapping
from pollers.importing.cloudformation.nesting import NESTED, Part, nested_part
from pollers.importing.cloudformation.schedules import read_rule, read_schedule
from pollers.importing.cloudformation.stack import read_stacks
from pollers.importing.cloudformation.surroundings import Surroundings
from pollers.importing.cloudformation.template import read_template
from pollers.importing.form import SourceForm
from pollers.importing.model import Imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from config.text.nodes import Node
    from config.text.places import Place
    from pollers.importing.cloudformation.stack import Described
    from pollers.importing.cloudformation.template import Resource, Template
    from pollers.importing.form import Request, Source
    from pollers.importing.running import Code


def evaluator_for(tree: Node, request: Request, given: Mapping[str, str] | None = None) -> Evaluator:
    """What evaluates the template in a tree, with what the user and the deployed stack say. ``given`` is known without them.

    Raises :class:`ConfigError` or :class:`config.text.nodes.Unparsable` for a template that cannot be read.
    """
    stack = read_stacks(request.stacks).outermost
    known = {**(given or {}), **stack.pseudo, **stack.parameters, **request.parameters}
    return Evaluator(read_template(tree), known, stack)


def import_template(evaluator: Evaluator, request: Request, around: Surroundings, imported: Imported) -> None:
    """Add what is in a template."""
    import_together([Part(evaluator, around)], request, imported)


def import_together(parts: Iterable[Part], request: Request, imported: Imported) -> None:
    """Add what is in templates that are imported together, and in the stacks that are nested in them.

    The functions of all come first: what calls one may be in another.
    """
    stacks = read_stacks(request.stacks)
    waiting = list(reversed(list(parts)))
    read: list[tuple[Context, list[Resource]]] = []
    family: dict[int, Context] = {}
    while waiting:
        part = waiting.pop()
        context = _context(part, request, imported, family)
        resources = _resources(context, part.around)
        read.append((context, resources))
        waiting.extend(reversed(list(_nested(context, resources, part, stacks))))
        for resource in resources:
            if resource.is_function:
                read_function(context, resource)
    for context, resources in read:
        for resource in resources:
            _read_caller(context, resource)


def _context(part: Part, request: Request, imported: Imported, family: dict[int, Context]) -> Context:
    evaluator, around = part.evaluator, part.around
    code, names = _code(request, around), _names(evaluator, around)
    context = Context(evaluator.template, evaluator, imported, around.folder, code, names, around.built_folder)
    for other in family.values():
        # A queue and a function may be handed to another template, and both be named there.
        context.pairs, context.outside = other.pairs, other.outside
    context.family = family
    family[id(evaluator)] = context
    return context


def _resources(context: Context, around: Surroundings) -> list[Resource]:
    """Those of a template that are made, and are the user's own."""
    for name, place in context.template.loops:
        context.note(place, name, f"left out: only CloudFormation can tell what {name} makes")
    return [one for one in context.template.resources.values() if around.wanted(one) and context.made(one)]


def _nested(context: Context, resources: Iterable[Resource], part: Part, stacks: Described) -> Iterator[Part]:
    for resource in resources:
        if resource.type in NESTED and (inner := nested_part(context, resource, part, stacks)) is not None:
            yield inner


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
    path = source.path.absolute()
    around = Surroundings(path.parent, shown=os.path.dirname(source.text))
    import_together([Part(evaluator, around, (path,))], request, imported)
    return imported


TEMPLATE = SourceForm(
    called="a CloudFormation or SAM template",
    looks_like="YAML or JSON with Resources",
    recognises=_recognises,
    read=_read,
)
