"""What is kept of a function that the API made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Code:
    """A package as it came. ``revision`` names its folder; ``sha256`` is that of the zip, in base64; ``size`` its bytes."""

    revision: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class MadeFunction:
    """``settings`` are the API's own, in its spelling, as they were given. ``revision_id``: another one after each change.

    ``modified_at``: seconds since the epoch. ``deleting``: it has been deleted, and has not left yet.
    """

    name: str
    settings: Mapping[str, Any]
    code: Code
    revision_id: str
    modified_at: float
    deleting: bool = False
