"""A made function as one JSON text, which is how it is kept."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pollers.made_functions.made import Code, MadeFunction

if TYPE_CHECKING:
    from collections.abc import Mapping


def written(made: MadeFunction) -> str:
    """The text that :func:`read` understands."""
    document: dict[str, Any] = {
        "settings": dict(made.settings),
        "code": asdict(made.code),
        "revision_id": made.revision_id,
        "modified_at": made.modified_at,
    }
    if made.deleting:
        document["deleting"] = True
    return json.dumps(document, separators=(",", ":"))


def read(name: str, text: str) -> MadeFunction:
    """The function. Raises ValueError, KeyError or TypeError for a text that :func:`written` did not write."""
    document: Mapping[str, Any] = json.loads(text)
    return MadeFunction(
        name,
        dict(document["settings"]),
        Code(**document["code"]),
        str(document["revision_id"]),
        float(document["modified_at"]),
        deleting=bool(document.get("deleting", False)),
    )
