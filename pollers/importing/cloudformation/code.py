"""Where the code of a template's function is on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.nodes import Scalar
from pollers.importing.local import is_code
from pollers.importing.running import Code

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pollers.importing.cloudformation.context import Context
    from pollers.importing.cloudformation.template import Resource
    from pollers.importing.values import Value


def local_code(context: Context, resource: Resource, folders: Mapping[str, Path]) -> Code:
    """The code of a function: as the user says, as ``sam build`` or the CDK made it, or as the template names it."""
    chosen = chosen_folder(context, resource, folders)
    if chosen is not None:
        return chosen
    asset = resource.metadata("aws:asset:path")
    for there in (context.built / resource.logical_id, context.folder / asset if asset else None):
        if there is not None and is_code(there):
            return Code(there)
    uri = _uri(context, resource)
    if context.evaluator.property(resource, "PackageType") == "Image":
        return Code(missing="it is an image")  # Whatever code the template's Globals name for the others.
    if not isinstance(uri, str) or uri.startswith(("s3://", "http://", "https://")):
        return Code(missing=_elsewhere(context, resource, uri))
    path = context.folder / uri
    if resource.metadata("BuildMethod") is not None:
        message = f"its code must be built first ({resource.metadata('BuildMethod')}): run sam build, then import again"
        context.note(resource.place, resource.logical_id, message)
    if is_code(path):
        return Code(path)
    return Code(missing=f"{uri} is not there (or use --code-folder {resource.logical_id}=PATH)", expected=True)


def chosen_folder(context: Context, resource: Resource, folders: Mapping[str, Path]) -> Code | None:
    """What the user said of this function with --code-folder, by its logical id or its name."""
    for name in (resource.logical_id, context.name_of(resource)):
        if name in folders:
            path = folders[name]
            return Code(path) if is_code(path) else Code(missing=f"{path} is not there", expected=True)
    return None


def _uri(context: Context, resource: Resource) -> Value:
    for name in ("CodeUri", "Code"):
        entry = resource.properties.entries.get(name)
        if entry is not None:
            value = context.evaluator.value(entry.node)
            # A number or a truth value is a folder's name here.
            return entry.node.text if isinstance(entry.node, Scalar) and entry.node.value is not None else value
    return None


def _elsewhere(context: Context, resource: Resource, uri: Value) -> str:
    use = f"(or use --code-folder {resource.logical_id}=PATH)"
    if "InlineCode" in resource.properties.entries or (isinstance(uri, dict) and "ZipFile" in uri):
        return f"its code is in the template itself; put it into a folder as a file {use}"
    if isinstance(uri, dict) and "ImageUri" in uri:
        return "it is an image"
    if isinstance(uri, str) or (isinstance(uri, dict) and ({"S3Bucket", "Bucket"} & uri.keys())):
        return f"its code is in S3{_named(uri)} {use}"
    return f"where its code is cannot be known {use}"


def _named(uri: Value) -> str:
    """Which object in S3 it is, as the AWS CLI is told to copy it; nothing where that is not known."""
    if isinstance(uri, str):
        return f", {uri}"
    parts = uri if isinstance(uri, dict) else {}
    bucket, key = (parts.get(f"S3{name}", parts.get(name)) for name in ("Bucket", "Key"))
    return f", s3://{bucket}/{key}" if isinstance(bucket, str) and isinstance(key, str) else ""
