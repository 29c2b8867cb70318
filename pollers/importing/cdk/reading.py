"""An assembly as a source: its stacks together, since they refer to one another."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from config.text.nodes import Entry, Node, Scalar, Table, Unparsable
from config.text.places import Place
from pollers.importing.cdk.assembly import MANIFEST, Stack, stacks_in
from pollers.importing.cloudformation import (
    Part,
    Surroundings,
    evaluator_for,
    import_together,
    local_code,
    refuse_unknown_parameters,
)
from pollers.importing.form import SourceForm
from pollers.importing.local import is_code, is_file, is_inside
from pollers.importing.model import Imported
from pollers.importing.running import Code

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from pollers.importing.cloudformation import Context, Evaluator, Resource
    from pollers.importing.form import Request, Source

_HASH = re.compile(r"[0-9a-f]{64}")
_ID_END = re.compile(r"(?<=.)(?:[0-9A-F]{8}){1,2}$")
_OTHER = re.compile(r"[^A-Za-z0-9]+")
_OWN_HANDLERS = ("__entrypoint__.", "framework.")
_OWN_CONSTRUCTS = ("Custom::", "BucketNotificationsHandler", "LogRetention", "AWS679f53fac002430cb0da5b7982bd2287")


@dataclass(frozen=True, slots=True)
class _Part:
    """A stack, and what evaluates its template."""

    stack: Stack
    evaluator: Evaluator


def _recognises(source: Source) -> bool:
    return source.has(MANIFEST)


def _read(request: Request) -> Imported:
    source = request.source
    shown = source.text.rstrip("/") or "/"
    stacks = list(stacks_in(source.path, shown))
    if not stacks:
        raise Unparsable(Place(f"{shown}/{MANIFEST}", 1), "found an assembly without stacks, expected at least one")
    parts = [_Part(stack, _evaluator(stack, request, several=len(stacks) > 1)) for stack in stacks]
    templates = [part.evaluator.template for part in parts]
    refuse_unknown_parameters(request.parameters, templates, Place(f"{shown}/{MANIFEST}", 1))
    _share_exports(parts)
    shared = _shared_names(parts)
    imported = Imported(f"the CDK's assembly {shown}")
    for part in parts:
        part.evaluator.readable = partial(_readable, stack=part.stack, shared=shared)
    import_together([_template_of(part, request) for part in parts], request, imported)
    return imported


def _template_of(part: _Part, request: Request) -> Part:
    stack = part.stack
    around = Surroundings(
        stack.folder.absolute(),
        partial(_code, stack=stack, request=request),
        part.evaluator.readable,
        partial(_is_users, stack=stack),
        os.path.dirname(stack.shown),
        template_of=partial(_nested_template, stack=stack),
    )
    return Part(part.evaluator, around)


def _evaluator(stack: Stack, request: Request, *, several: bool) -> Evaluator:
    found = evaluator_for(stack.tree, request, stack.given)
    if several and found.stack.pseudo.get("AWS::StackName", stack.name) != stack.name:
        found = evaluator_for(
            stack.tree, replace(request, stacks=()), stack.given
        )  # the user's file is about another stack
    found.scope = f"{stack.name}:" if several else ""
    return found


def _share_exports(parts: Sequence[_Part]) -> None:
    """Let each stack know where what the others export comes from."""
    exported: dict[str, tuple[Evaluator, Node]] = {}
    for part in parts:
        for entry in part.evaluator.template.outputs.values():
            export, value = _member(entry, "Export"), _member(entry, "Value")
            name = _member(export, "Name") if export is not None else None
            if name is not None and value is not None and isinstance(text := part.evaluator.value(name.node), str):
                exported[text] = (part.evaluator, value.node)
    for part in parts:
        part.evaluator.exports = exported.get


def _member(entry: Entry, key: str) -> Entry | None:
    return entry.node.entries.get(key) if isinstance(entry.node, Table) else None


def _code(context: Context, resource: Resource, stack: Stack, request: Request) -> Code:
    """The folder of the function's asset, by its hash where its path is not told."""
    found = local_code(context, resource, request.code_folders)
    if found.path is not None or found.expected:
        return found
    entry = resource.properties.entries.get("Code")
    for digest in _hashes(entry.node) if entry is not None else ():
        for path in (stack.assets.get(digest), f"asset.{digest}"):
            if path is not None and is_code(stack.folder / path):
                return Code((stack.folder / path).absolute())
    return found


def _nested_template(resource: Resource, stack: Stack) -> Path | None:
    """The template of a nested stack, which is an asset; none outside of the assembly."""
    entry = resource.properties.entries.get("TemplateURL")
    names = [stack.assets.get(digest) for digest in (_hashes(entry.node) if entry is not None else ())]
    for name in (resource.metadata("aws:asset:path"), *names):
        if name and is_inside(stack.folder / name, stack.folder) and is_file(stack.folder / name):
            return (stack.folder / name).absolute()
    return None


def _hashes(node: Node) -> list[str]:
    """Hashes of assets in a function's Code: in the key of its archive, or (older CDKs) in the names of parameters."""
    if isinstance(node, Scalar):
        return _HASH.findall(node.text)
    items = node.items if not isinstance(node, Table) else [entry.node for entry in node.entries.values()]
    return [found for item in items for found in _hashes(item)]


def _path(resource: Resource, stack: Stack) -> str | None:
    return stack.paths.get(resource.logical_id) or resource.metadata("aws:cdk:path")


def _name(resource: Resource, stack: Stack) -> str:
    """The construct's path without the stack's own, such as ``Orders-SqsEventSource``; else the logical id without its hashes."""
    path = _path(resource, stack)
    if path is None:
        return _ID_END.sub("", resource.logical_id)
    parts = path.split("/")
    start = len(stack.path) if tuple(parts[: len(stack.path)]) == stack.path else 1
    words = [_ID_END.sub("", part) for part in parts[start:] if part not in ("Resource", "Default")]
    return _OTHER.sub("-", "-".join(words)).strip("-") or _ID_END.sub("", resource.logical_id)


def _readable(resource: Resource, stack: Stack, shared: Collection[str]) -> str:
    """Its name, with the stack's before it where two stacks have one of the name."""
    name = _name(resource, stack)
    return f"{'-'.join(stack.path)}-{name}" if name in shared else name


def _shared_names(parts: Iterable[_Part]) -> frozenset[str]:
    counts = Counter(
        name
        for part in parts
        for name in {_name(resource, part.stack) for resource in part.evaluator.template.resources.values()}
    )
    return frozenset(name for name, count in counts.items() if count > 1)


def _is_users(resource: Resource, stack: Stack) -> bool:
    """Whether this is no function of the CDK's own, which it makes for its custom resources (docs/lambda 17.4)."""
    path = _path(resource, stack) or resource.logical_id
    entry = resource.properties.entries.get("Handler")
    handler = entry.node.text if entry is not None and isinstance(entry.node, Scalar) else ""
    in_path = any(part.startswith(_OWN_CONSTRUCTS) for part in path.split("/"))
    is_own = in_path or "CustomResourceProvider" in path or handler.startswith(_OWN_HANDLERS)
    return not (resource.is_function and is_own)


ASSEMBLY = SourceForm(
    called="a cdk.out folder", looks_like=f"a folder with {MANIFEST}", recognises=_recognises, read=_read
)
