"""Patterns against the records of a source, as that source sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from config.models import Mapping
    from pollers.aws.api import Wire


class RecordFilter(Protocol):
    """The patterns of one mapping, any of which lets a record through."""

    def matches(self, record: Wire) -> bool:
        """Whether the wire record (as ReceiveMessage or GetRecords returned it) is for the function. Never raises."""


def compile_filters(mapping: Mapping) -> RecordFilter | None:
    """The mapping's filters, compiled; None when it has none. Raises PatternError for what check_mapping refuses."""
    raise NotImplementedError
