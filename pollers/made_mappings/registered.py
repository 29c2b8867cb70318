"""A mapping as Lambda's API knows it, whether it was made there or is the file's."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.models import Mapping
    from pollers.made_mappings.made import MadeMapping
    from pollers.made_mappings.states import ApiState

_NAMES = uuid.UUID("3c1d7f0e-2b53-4a52-9a5e-6f1f8f3d9c44")
"""What the UUIDs of a file's mappings are made with."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One mapping now. ``modified_at``: seconds since the epoch.

    ``made`` is None for the file's. ``remark`` is why it does not do what its client would expect, if it does not: an operator has
    paused it, or it waits.
    """

    uuid: str
    model: Mapping
    made: MadeMapping | None
    state: ApiState
    modified_at: float
    remark: str | None = None
    problem: str | None = None


def uuid_of(name: str, source: str) -> str:
    """The UUID of a file's mapping: the same for as long as it has its name and its source."""
    return str(uuid.uuid5(_NAMES, f"{name} {source}"))
