"""How a function is called: its event invoke config and its URL, which are resources of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.functions.asynchronous import EventInvokeConfig
from config.functions.function_url import FunctionUrl
from config.options.shapes import options_of
from pollers.importing.deployed.document import plain
from pollers.importing.deployed.settled import settled
from pollers.importing.fitting import fit

if TYPE_CHECKING:
    from config.options.model import Model
    from pollers.importing.deployed.document import Document
    from pollers.importing.deployed.functions import Functions
    from pollers.importing.model import Imported
    from pollers.importing.values import Value

_MODELS: dict[str, type[Model]] = {"event_invoke_config": EventInvokeConfig, "function_url": FunctionUrl}
_OTHER_NAMES = {"authorizationtype": "auth_type"}
"""What Terraform calls an option that AWS and CloudFormation call otherwise (docs/lambda 17.5)."""


def add_call(imported: Imported, functions: Functions, option: str, document: Document) -> None:
    """Add to a function how it is called. The function's own wins over that of a version or an alias."""
    given = {_OTHER_NAMES.get(plain(key), key): value for key, value in document.given().items()}
    member = functions.find(_function(document), document.place)
    if member is None:
        imported.note(document.place, document.name, "left out: its function is not known")
        return
    if option in member.options:
        message = f"left out a second {option}: functions have one here, whatever their versions and aliases have"
        imported.note(document.place, member.name, message)
        return
    options = options_of(_MODELS[option])
    found = settled(fit(given, options).options, options)
    if option == "function_url":
        imported.sections.setdefault("lambda_api", functions.home())
    if found:
        member.options[option] = found
        member.origins[option] = document.origin


def _function(document: Document) -> Value:
    name = document.get("function_name") or document.get("function_arn")
    qualifier = document.text("qualifier")
    if isinstance(name, str) and qualifier and not name.endswith(f":{qualifier}"):
        return f"{name}:{qualifier}"
    return name
