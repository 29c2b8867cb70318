"""Names for what is unknown: ``${ORDERS_QUEUE_ARN}``, each thing one name, each name one thing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pollers.importing.values import Unknown

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^A-Z0-9]+")
_LONGEST = 100


def variable(*words: str) -> str:
    """An environment variable's name of some words: ``OrdersQueue`` and ``Arn`` make ``ORDERS_QUEUE_ARN``."""
    parts = [_OTHER.sub("_", _BOUNDARY.sub("_", word).upper()).strip("_") for word in words]
    name = "_".join(part for part in parts if part)[:_LONGEST] or "VALUE"
    return f"_{name}" if name[0].isdigit() else name


@dataclass(slots=True)
class Placeholders:
    """The names given so far, in their order, with what each stands for."""

    _names: dict[str, str] = field(default_factory=dict)
    _taken: dict[str, Unknown] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)

    def name(self, unknown: Unknown, path: tuple[str, ...]) -> str:
        """The name of an unknown that stands at ``path``; the same for the same thing, another for another."""
        if unknown.key not in self._names:
            first = name = unknown.wanted or variable(*path)
            while name in self._taken:
                self._last[first] = self._last.get(first, 1) + 1
                name = f"{first}_{self._last[first]}"
            self._names[unknown.key] = name
            self._taken[name] = unknown
        return self._names[unknown.key]

    def given(self) -> dict[str, Unknown]:
        """What each name stands for, in the order in which they were given."""
        return dict(self._taken)
