"""A state or a plan of Terraform as a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from config.text.nodes import Table, Unparsable
from config.text.places import Place
from pollers.importing.deployed import Deployment, Document
from pollers.importing.form import Source, SourceForm, refuse_values
from pollers.importing.model import Imported, Origin
from pollers.importing.terraform.callers import note_other_callers
from pollers.importing.terraform.code import code_finder
from pollers.importing.terraform.plan import plan_of
from pollers.importing.terraform.resources import resources_of

if TYPE_CHECKING:
    from pollers.importing.form import Request
    from pollers.importing.terraform.plan import Plan
    from pollers.importing.terraform.resources import Resource

STATE = "terraform.tfstate"
_SHOWN = ({"format_version", "values"}, {"format_version", "planned_values"}, {"format_version", "terraform_version"})
_STATE_KEYS = ({"version", "terraform_version"}, {"version", "lineage"}, {"version", "serial", "resources"})


def _recognises(source: Source) -> bool:
    if source.is_folder:
        return source.has(STATE) or any(source.path.glob("*.tf"))
    if source.path.suffix in (".tf", ".tfstate"):
        return True
    keys = source.keys
    return any(wanted <= keys for wanted in (*_SHOWN, *_STATE_KEYS)) or keys == {"format_version"}


def _read(request: Request) -> Imported:
    source = _file(request.source)
    tree = source.tree
    refuse_values(request, Place(source.text, 1))
    resources = resources_of(tree)
    sections = {key: entry.node for key, entry in tree.entries.items()} if isinstance(tree, Table) else {}
    plan = plan_of(sections, resources)
    is_plan = "planned_values" in sections
    imported = Imported(f"the Terraform {'plan' if is_plan else 'state'} {source.text}")
    folder = source.path.absolute().parent
    deployment = Deployment(imported, code_finder(resources, folder, request.code_folders))
    _add(deployment, resources, plan)
    note_other_callers(imported, resources)
    if imported.mappings and not is_plan:
        message = "its mappings run in AWS: disable each there before it runs here, or both read the same records"
        imported.note(None, "", message)
    return imported


def _file(source: Source) -> Source:
    """The file to read. Terraform's own language says what only Terraform can work out."""
    if source.is_folder and source.has(STATE):
        return Source(str(Path(source.text) / STATE), source.path / STATE)
    if source.is_folder or source.path.suffix == ".tf":
        message = "found Terraform's own language, expected a state or a plan: terraform show -json > state.json"
        raise Unparsable(Place(source.text, 1), message)
    return source


def _add(deployment: Deployment, resources: list[Resource], plan: Plan) -> None:
    by_type: dict[str, list[Document]] = {}
    for resource in resources:
        arn = resource.values.get("arn" if resource.type == "aws_lambda_function" else "function_arn")
        if isinstance(arn, str):
            deployment.told_of(arn)
        if resource.type.startswith("aws_") and not resource.address.rpartition("module.")[2].startswith("data."):
            by_type.setdefault(resource.type, []).append(_document(resource, plan))
    for document in by_type.get("aws_lambda_function", []):
        deployment.function(document)
    for document in by_type.get("aws_lambda_function_event_invoke_config", []):
        deployment.event_invoke_config(document)
    for document in by_type.get("aws_lambda_function_url", []):
        deployment.function_url(document)
    for document in by_type.get("aws_lambda_event_source_mapping", []):
        deployment.mapping(document, plan.service_of(document.get("event_source_arn")))
    for document in by_type.get("aws_scheduler_schedule", []):
        deployment.schedule(_named(document, "name"))
    targets = by_type.get("aws_cloudwatch_event_target", [])
    for rule in by_type.get("aws_cloudwatch_event_rule", []):
        deployment.rule(_named(rule, "name"), [one for one in targets if _is_of(one, rule)])


def _document(resource: Resource, plan: Plan) -> Document:
    return Document(resource.called, plan.completed(resource), Origin(resource.place, resource.address))


def _named(document: Document, attribute: str) -> Document:
    name = document.text(attribute)
    return Document(name or document.name, document.values, document.origin)


def _is_of(target: Document, rule: Document) -> bool:
    """Whether a target is one of a rule: its name and its bus, or the rule itself where its name is not known yet."""
    named = target.get("rule")
    if isinstance(named, str):
        return named == rule.get("name") and (target.text("event_bus_name") or "default") == (
            rule.text("event_bus_name") or "default"
        )
    return named is not None and getattr(named, "key", "") == f"{rule.origin.called}.arn"


TERRAFORM = SourceForm(
    called="a Terraform state or plan",
    looks_like="terraform.tfstate, or JSON with format_version as terraform show -json prints it",
    recognises=_recognises,
    read=_read,
)
