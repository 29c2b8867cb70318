"""A function that the API made in Lambda's words: as it was given, with the states that it goes through (docs/lambda 16.8)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pollers.lambda_api.control.function_document import configuration, time_text

if TYPE_CHECKING:
    from pollers.lambda_api.names import Here
    from pollers.made_functions import Entry
    from pollers.resources.made import Made

_NAMES = uuid.UUID("0b8de6f3-7f7c-4a5e-9a43-1f0a3c7f5d21")
"""What the ids of revisions are made with."""
_AS_GIVEN = (
    "Runtime",
    "Handler",
    "Role",
    "Description",
    "Timeout",
    "MemorySize",
    "Architectures",
    "EphemeralStorage",
    "TracingConfig",
    "KMSKeyArn",
)
_CREATING = "The function is being created."


def made_configuration(
    entry: Entry, beside: Made, here: Here, *, listed: bool = False, qualified: bool = False
) -> dict[str, Any]:
    """The FunctionConfiguration; ``beside`` is what else the API made of the function."""
    made, settings = entry.made, entry.made.settings
    document = configuration(made.name, entry.model, beside, here, listed=listed, qualified=qualified)
    document |= {name: settings[name] for name in _AS_GIVEN if name in settings}
    document |= {
        "CodeSha256": made.code.sha256,
        "CodeSize": made.code.size,
        "LastModified": time_text(made.modified_at),
        "RevisionId": made_revision_id(entry, beside),
    }
    document.pop("Environment", None)
    if "Environment" in settings:
        document["Environment"] = settings["Environment"]
    if "SnapStart" in settings:
        document["SnapStart"] = {"ApplyOn": settings["SnapStart"]["ApplyOn"], "OptimizationStatus": "Off"}
    if "VpcConfig" in settings:
        document["VpcConfig"] = {"SubnetIds": [], "SecurityGroupIds": [], **settings["VpcConfig"], "VpcId": ""}
    if not listed:
        _change_states(entry, document)
    return document


def made_revision_id(entry: Entry, beside: Made) -> str:
    """Another one after each change of the function or its policy, and at each step of a change."""
    return str(uuid.uuid5(_NAMES, f"{entry.made.revision_id} {entry.applied} {beside.policy_changes}"))


def _change_states(entry: Entry, document: dict[str, Any]) -> None:
    """While a function is made there is no status of its last update."""
    if entry.applied:
        return
    changing = {"Reason": _CREATING, "ReasonCode": "Creating"}
    if entry.entered:
        document["LastUpdateStatus"] = "InProgress"
        document.update({f"LastUpdateStatus{name}": text for name, text in changing.items()})
    else:
        del document["LastUpdateStatus"]
        document["State"] = "Pending"
        document.update({f"State{name}": text for name, text in changing.items()})
