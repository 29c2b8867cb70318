"""The stacks of an assembly, those of assemblies inside it too (docs/lambda 17.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.text.nodes import Node, Scalar, Sequence, Table, Unparsable, describe
from pollers.importing.local import is_file, is_inside
from pollers.importing.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MANIFEST = "manifest.json"
DEEPEST = 10
"""Assemblies within assemblies. The CDK makes one level for each stage within a stage."""
_ENVIRONMENT = re.compile(r"aws://(?P<account>[^/]+)/(?P<region>[^/]+)")


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack. ``folder`` is that of its assembly, ``shown`` how the user would name its template's file.

    ``path`` is the way to the stack in the application's tree, by which its resources' ``paths`` begin; these are by logical id.
    ``assets`` are the sources of its assets by their hash, relative to the folder.
    """

    name: str
    folder: Path
    shown: str
    tree: Node
    given: Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    assets: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)


def stacks_in(folder: Path, shown: str, depth: int = 0) -> Iterator[Stack]:
    """Every stack of an assembly in the order of its manifest. Raises :class:`Unparsable` for one that cannot be read."""
    file = f"{shown}/{MANIFEST}"
    tree = read_tree(folder / MANIFEST, file)
    artifacts = _table(tree, "artifacts")
    if artifacts is None or depth > DEEPEST:
        what = "more assemblies within one another than the CDK makes" if artifacts else "no artifacts"
        raise Unparsable(tree.place, f"found {what}, expected the manifest of an assembly (cdk.out)")
    for name, entry in artifacts.entries.items():
        kind = _text(entry.node, "type")
        properties = _table(entry.node, "properties") or Table(entry.place)
        if kind == "cdk:cloud-assembly":
            inner = _inside(folder, _required(properties, "directoryName"))
            yield from stacks_in(inner, f"{shown}/{_text(properties, 'directoryName')}", depth + 1)
        elif kind == "aws:cloudformation:stack":
            yield _stack(name, entry.node, properties, folder, shown)


def _stack(name: str, artifact: Node, properties: Table, folder: Path, shown: str) -> Stack:
    template = _required(properties, "templateFile")
    stack_name = _text(properties, "stackName") or name
    given = {"AWS::StackName": stack_name}
    found = _ENVIRONMENT.fullmatch(_text(artifact, "environment") or "")
    if found is not None:
        if found["account"] != "unknown-account":
            given["AWS::AccountId"] = found["account"]
        if found["region"] != "unknown-region":
            given["AWS::Region"] = found["region"]
    display = (_text(artifact, "displayName") or name).partition(" ")[0]
    paths = _paths(artifact, folder, shown)
    file = f"{shown}/{template.text}"
    tree = read_tree(_inside(folder, template), file)
    return Stack(stack_name, folder, file, tree, given, tuple(display.split("/")), _assets(folder, name, shown), paths)


def _assets(folder: Path, name: str, shown: str) -> dict[str, str]:
    """Sources of assets by hash, from the stack's own manifest of assets; none where there is no such file."""
    path = folder / f"{name}.assets.json"
    if not is_file(path):
        return {}
    files = _table(read_tree(path, f"{shown}/{path.name}"), "files")
    found = {}
    for key, entry in files.entries.items() if files is not None else ():
        source = _table(entry.node, "source")
        text = _text(source, "path") if source is not None else None
        if text:
            found[key] = text
    return found


def _paths(artifact: Node, folder: Path, shown: str) -> dict[str, str]:
    """The paths of constructs by logical id, which the manifest has itself or in a file beside it."""
    metadata = _table(artifact, "metadata")
    if metadata is None and isinstance(artifact, Table) and "additionalMetadataFile" in artifact.entries:
        name = _required(artifact, "additionalMetadataFile")
        path = _inside(folder, name)
        tree = read_tree(path, f"{shown}/{name.text}") if is_file(path) else None
        metadata = tree if isinstance(tree, Table) else None
    found = {}
    for path_text, entry in metadata.entries.items() if metadata is not None else ():
        for item in entry.node.items if isinstance(entry.node, Sequence) else ():
            logical_id = _text(item, "data") if _text(item, "type") == "aws:cdk:logicalId" else None
            if logical_id:
                found[logical_id] = path_text.strip("/")
    return found


def _inside(folder: Path, name: Scalar) -> Path:
    """A file or folder of the assembly: nothing outside of it is read because a manifest names it."""
    path = folder / name.text
    if not is_inside(path, folder):
        raise Unparsable(
            name.place, f"found {name.text!r}, which is outside of the assembly, expected a name inside it"
        )
    return path


def _required(table: Table, key: str) -> Scalar:
    entry = table.entries.get(key)
    if entry is None or not isinstance(entry.node, Scalar) or not isinstance(entry.node.value, str):
        found = "nothing" if entry is None else describe(entry.node)
        raise Unparsable(table.place, f"found {found} as {key}, expected a name of a file or a folder")
    return entry.node


def _table(node: Node, key: str) -> Table | None:
    entry = node.entries.get(key) if isinstance(node, Table) else None
    return entry.node if entry is not None and isinstance(entry.node, Table) else None


def _text(node: Node, key: str) -> str | None:
    entry = node.entries.get(key) if isinstance(node, Table) else None
    return (
        entry.node.text
        if entry is not None and isinstance(entry.node, Scalar) and entry.node.value is not None
        else None
    )
