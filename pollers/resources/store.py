"""Where resources are kept: a text for each function, durable once written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class ResourceRows(Protocol):
    """Documents by function's name."""

    async def load(self) -> dict[str, str]:
        """All documents. Raises a StoreError when they cannot be read, or are not as they were written."""

    async def save(self, documents: Mapping[str, str]) -> None:
        """Write these documents, all or none; what was there of the same functions is replaced. Durable on return.

        Raises a StoreError when nothing was written.
        """


class MemoryRows:
    """Documents in memory, for tests, and for whoever asks nothing of a restart."""

    def __init__(self) -> None:
        self._documents: dict[str, str] = {}

    async def load(self) -> dict[str, str]:
        """See ``ResourceRows.load``."""
        return dict(self._documents)

    async def save(self, documents: Mapping[str, str]) -> None:
        """See ``ResourceRows.save``."""
        self._documents.update(documents)
