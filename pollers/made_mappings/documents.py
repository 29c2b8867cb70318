"""A made mapping as one JSON text, which is how it is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pollers.made_mappings.made import MadeMapping

if TYPE_CHECKING:
    from collections.abc import Mapping


def written(made: MadeMapping) -> str:
    """The text that :func:`read` understands."""
    document: dict[str, Any] = {
        "settings": dict(made.settings),
        "function_arn": made.function_arn,
        "created_at": made.created_at,
        "modified_at": made.modified_at,
    }
    if made.tags:
        document["tags"] = dict(made.tags)
    if made.deleting:
        document["deleting"] = True
    return json.dumps(document, separators=(",", ":"))


def read(uuid: str, text: str) -> MadeMapping:
    """The mapping. Raises ValueError, KeyError or TypeError for a text that :func:`written` did not write."""
    document: Mapping[str, Any] = json.loads(text)
    return MadeMapping(
        uuid,
        dict(document["settings"]),
        str(document["function_arn"]),
        float(document["created_at"]),
        float(document["modified_at"]),
        dict(document.get("tags", {})),
        bool(document.get("deleting", False)),
    )
