"""Stacks within a stack: their templates where these are files of this machine, read with what the stack around them passes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from config.text.nodes import Table
from pollers.importing.cloudformation.evaluator import Evaluator
from pollers.importing.cloudformation.template import read_template
from pollers.importing.local import is_file
from pollers.importing.trees import read_tree

if TYPE_CHECKING:
    from pollers.importing.cloudformation.context import Context
    from pollers.importing.cloudformation.stack import Described
    from pollers.importing.cloudformation.surroundings import Surroundings
    from pollers.importing.cloudformation.template import Resource, Template

APPLICATION = "AWS::Serverless::Application"
NESTED = (APPLICATION, "AWS::CloudFormation::Stack")
DEEPEST = 10
"""Stacks within one another. Each may hold two of the next, so this alone bounds nothing:"""
MOST = 500
"""Templates that are read for one source; no nested one is after that."""
_OWN = "import its own template"


@dataclass(frozen=True, slots=True)
class Part:
    """A template that is imported: what evaluates it, what is around it, and the files that it lies within."""

    evaluator: Evaluator
    around: Surroundings
    within: tuple[Path, ...] = ()


def nested_part(context: Context, resource: Resource, part: Part, stacks: Described) -> Part | None:
    """The template of a nested stack; None with a note where it is not here.

    Raises :class:`config.text.nodes.Unparsable` and :class:`config.faults.ConfigError` for one that cannot be used.
    """
    found = _template(context, resource, part.around)
    if isinstance(found, Path) and (found in part.within or len(part.within) >= DEEPEST):
        found = f"whose template {found.name} is one that it lies within, or more than {DEEPEST} stacks deep"
    if len(context.family) > MOST:
        found = f"{resource.logical_id}, after {MOST} templates: {_OWN}"
    if isinstance(found, str):
        context.note(resource.place, resource.logical_id, f"left out: what is in the nested stack {found}")
        return None
    shown = os.path.normpath(Path(part.around.shown) / os.path.relpath(found, part.around.folder))
    evaluator = _evaluator(context.evaluator, resource, read_template(read_tree(found, shown)), stacks)
    around = replace(
        part.around,
        folder=found.parent,
        shown=os.path.dirname(shown),
        built=part.around.built_folder / resource.logical_id,
    )
    return Part(evaluator, around, (*part.within, found))


def _evaluator(outer: Evaluator, resource: Resource, template: Template, stacks: Described) -> Evaluator:
    """What evaluates the template with what the stack around it passes, and where: both are in one region and account."""
    stack = stacks.nested(outer.stack.physical_ids.get(resource.logical_id))
    around = {name: value for name, value in outer.given.items() if name in ("AWS::Region", "AWS::AccountId")}
    entry = resource.properties.entries.get("Parameters")
    given = entry.node.entries if entry is not None and isinstance(entry.node, Table) else {}
    inner = Evaluator(template, {**around, **stack.pseudo, **stack.parameters}, stack)
    inner.parent, inner.passed = outer, {name: one.node for name, one in given.items()}
    inner.scope = f"{outer.scope}{resource.logical_id}:"
    inner.exports, inner.readable = outer.exports, outer.readable
    outer.nested[resource.logical_id] = inner
    return inner


def _template(context: Context, resource: Resource, around: Surroundings) -> Path | str:
    """The file of its template, or what completes "what is in the nested stack"."""
    name = "Location" if resource.type == APPLICATION else "TemplateURL"
    asset = resource.metadata("aws:asset:path") if resource.metadata("aws:asset:property") == name else None
    told = asset or context.evaluator.property(resource, name)
    if (known := around.template_of(resource)) is not None:
        return known
    if isinstance(told, dict):
        fetch = "fetch its template (aws serverlessrepo create-cloud-formation-template) and import that"
        return f"of an application in the Serverless Application Repository: {fetch}"
    if not isinstance(told, str):
        return f"whose template's place cannot be known: {_OWN}"
    if "://" in told and not told.startswith("file://"):
        packaged = "or the template that was packaged to it, in which this is a local file"
        return f"whose template is {told}: fetch and import that, {packaged}"
    path = Path(os.path.normpath(around.folder / told.removeprefix("file://")))
    if not is_file(path):
        return f"whose template {told} is not there: {_OWN}"
    return path
