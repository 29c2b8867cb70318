"""What was made of a function as one JSON text, which is how it is kept."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from config.models import EventInvokeConfig, FunctionUrl
from pollers.resources.made import Invoking, Made, Seen, Url

if TYPE_CHECKING:
    from collections.abc import Mapping


def written(made: Made) -> str:
    """The text that :func:`read` understands."""
    document: dict[str, Any] = {}
    if made.invoking is not None:
        document["invoking"] = {"config": _given(made.invoking.config), "modified_at": made.invoking.modified_at}
    if made.url is not None:
        times = {"created_at": made.url.created_at, "modified_at": made.url.modified_at}
        document["url"] = {"config": _given(made.url.config), **times}
    if made.reserved is not None:
        document["reserved"] = made.reserved
    if made.policy_changes:
        document["statements"], document["policy_changes"] = dict(made.statements), made.policy_changes
    if made.recursion is not None:
        document["recursion"] = made.recursion
    if made.tags:
        document["tags"] = dict(made.tags)
    if made.seen:
        document["seen"] = {what: asdict(seen) for what, seen in made.seen.items()}
    return json.dumps(document, separators=(",", ":"))


def read(text: str) -> Made:
    """What was made. Raises ValueError, KeyError or TypeError for a text that :func:`written` did not write."""
    document: Mapping[str, Any] = json.loads(text)
    invoking, url = document.get("invoking"), document.get("url")
    return Made(
        invoking=Invoking(EventInvokeConfig.model_validate(invoking["config"]), float(invoking["modified_at"]))
        if invoking is not None
        else None,
        url=Url(FunctionUrl.model_validate(url["config"]), float(url["created_at"]), float(url["modified_at"]))
        if url is not None
        else None,
        reserved=document.get("reserved"),
        statements=document.get("statements", {}),
        policy_changes=document.get("policy_changes", 0),
        recursion=document.get("recursion"),
        tags=document.get("tags", {}),
        seen={what: Seen(**seen) for what, seen in document.get("seen", {}).items()},
    )


def _given(config: EventInvokeConfig | FunctionUrl) -> dict[str, Any]:
    """Only what was given: what was not has the default of the Headrace that reads it."""
    return config.model_dump(mode="json", exclude_unset=True)
