"""A mapping that the API made: a value, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - dataclasses look at the annotations
from dataclasses import dataclass, field
from typing import Any

_MERGED = ("DocumentDBEventSourceConfig",)
"""Settings of which an update may say a part; the other settings are given as a whole."""


@dataclass(frozen=True, slots=True)
class MadeMapping:
    """What is kept of it. Times are seconds since the epoch.

    ``settings`` are those that its clients gave, in AWS's spelling; ``FunctionName`` among them is the bare name.
    ``function_arn`` has the qualifier that was given with the name. ``deleting``: it is to end, and then to be forgotten.
    """

    uuid: str
    settings: Mapping[str, Any]
    function_arn: str
    created_at: float
    modified_at: float
    tags: Mapping[str, str] = field(default_factory=dict)
    deleting: bool = False

    def changed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Its settings after an update with these; None among them takes one away."""
        merged = {**self.settings, **settings}
        for name in _MERGED:
            old, new = self.settings.get(name), settings.get(name)
            if isinstance(old, dict) and isinstance(new, dict):
                merged[name] = {**old, **new}
        return {name: value for name, value in merged.items() if value is not None}
