"""What is wrong with a mapping's patterns, found while the configuration is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.models import Mapping


class Finding(NamedTuple):
    """``path`` is relative to the mapping and goes on inside the pattern; a note stops nothing from loading."""

    path: tuple[str | int, ...]
    message: str
    is_note: bool


def check_mapping(mapping: Mapping) -> Iterable[Finding]:
    """Every fault of the mapping's patterns, and a note for every operator that Lambda's own table does not list."""
    raise NotImplementedError
