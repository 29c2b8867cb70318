"""A service of the Serverless Framework as a source: packaged, or as it is written."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from config.faults import ConfigError, Fault
from config.text.nodes import Table, Unparsable
from config.text.places import Place
from pollers.importing.cloudformation import (
    Surroundings,
    chosen_folder,
    evaluator_for,
    import_template,
    refuse_unknown_parameters,
)
from pollers.importing.form import Source, SourceForm
from pollers.importing.local import is_code
from pollers.importing.model import Imported
from pollers.importing.running import Code
from pollers.importing.serverless.service import service_of
from pollers.importing.serverless.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pollers.importing.cloudformation import Context, Resource
    from pollers.importing.form import Request
    from pollers.importing.serverless.service import Service

PACKAGED = "cloudformation-template-update-stack.json"
FOLDER = ".serverless"
WRITTEN = ("serverless.yml", "serverless.yaml", "serverless.json")
PROGRAMS = ("serverless.ts", "serverless.js", "serverless.mjs", "serverless.cjs")
_OWN = "CustomDash"
"""How the logical ids of the framework's own functions begin."""


def _recognises(source: Source) -> bool:
    if source.is_folder:
        return any(source.has(name) for name in (PACKAGED, f"{FOLDER}/{PACKAGED}", *WRITTEN, *PROGRAMS))
    if source.path.name in (PACKAGED, *PROGRAMS):
        return source.is_file
    keys = source.keys
    return {"service", "provider"} <= keys or {"service", "functions"} <= keys


def _read(request: Request) -> Imported:
    source = _file(request.source)
    if source.path.name == PACKAGED:
        return _packaged(source, request)
    if source.path.name in PROGRAMS:
        message = f"found a program, expected serverless.yml, or a folder {FOLDER}: run serverless package"
        raise Unparsable(Place(source.text, 1), message)
    return _written(source, request)


def _file(source: Source) -> Source:
    """The file to read: what was packaged says more than what is written."""
    if not source.is_folder:
        return source
    for name in (PACKAGED, f"{FOLDER}/{PACKAGED}", *WRITTEN, *PROGRAMS):
        if source.has(name):
            return Source(str(Path(source.text) / name), source.path / name)
    return source


def _packaged(source: Source, request: Request) -> Imported:
    evaluator = evaluator_for(source.tree, request)
    refuse_unknown_parameters(request.parameters, [evaluator.template], source.tree.place)
    imported = Imported(f"what the Serverless Framework packaged, {source.text}")
    folder = source.path.absolute().parent
    folder = folder.parent if folder.name == FOLDER else folder
    around = Surroundings(
        folder, partial(_code, request=request), wanted=lambda one: not one.logical_id.startswith(_OWN)
    )
    import_template(evaluator, request, around, imported)
    return imported


def _written(source: Source, request: Request) -> Imported:
    folder = source.path.absolute().parent
    variables = Variables(source.tree, folder, source.text, request.parameters)
    service = service_of(variables)
    evaluator = evaluator_for(service.template, request, {"AWS::Region": variables.region})
    _refuse_unknown(request, variables, evaluator.template.parameters, source.tree.place)
    imported = Imported(f"the Serverless Framework's {source.text}")
    for place, about, message in service.notes:
        imported.note(place, about, message)
    for place, message in variables.notes:
        imported.note(place, "", message)
    if variables.unknown:
        message = f"import {FOLDER} instead for variables that only the framework can resolve: run serverless package"
        imported.note(None, "", message)
    around = Surroundings(
        folder,
        partial(_code, request=request, service=service),
        lambda resource: service.names.get(resource.logical_id, resource.logical_id),
    )
    import_template(evaluator, request, around, imported)
    return imported


def _refuse_unknown(request: Request, variables: Variables, declared: Iterable[str], place: Place) -> None:
    """A value that nothing asked for is a slip of the user's. Raises :class:`ConfigError`."""
    known = {*variables.asked, *declared, "stage", "region"}
    wrong = [name for name in request.parameters if name not in known and not name.startswith("AWS::")]
    if wrong:
        expected = f"one of {', '.join(sorted(known))}"
        raise ConfigError([Fault(*place, "", f"found --parameter {name}, expected {expected}") for name in wrong])


def _code(context: Context, resource: Resource, request: Request, service: Service | None = None) -> Code:
    """The service's folder, which handlers are paths in; or the archive that the service names."""
    key = service.keys.get(resource.logical_id, "") if service is not None else ""
    chosen = chosen_folder(context, resource, request.code_folders)
    if chosen is None and key in request.code_folders:
        path = request.code_folders[key]
        chosen = Code(path) if is_code(path) else Code(missing=f"{path} is not there", expected=True)
    if chosen is not None:
        return chosen
    if context.evaluator.property(resource, "PackageType") == "Image" or _is_image(resource):
        return Code(missing="it is an image")
    artifact = service.artifacts.get(resource.logical_id) if service is not None else None
    if artifact is None:
        return Code(context.folder)
    path = context.folder / Path(artifact)
    return Code(path) if is_code(path) else Code(missing=f"{artifact} is not there", expected=True)


def _is_image(resource: Resource) -> bool:
    entry = resource.properties.entries.get("Code")
    return entry is not None and isinstance(entry.node, Table) and "ImageUri" in entry.node.entries


SERVERLESS = SourceForm(
    called="a service of the Serverless Framework",
    looks_like=f"a folder {FOLDER}, or serverless.yml with service and provider",
    recognises=_recognises,
    read=_read,
)
