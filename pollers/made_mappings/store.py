"""Where made mappings are kept: a text for each, durable once written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pollers.storage import StoreDamaged
from pollers.storage.seals import seal

if TYPE_CHECKING:
    import sqlite3

    from pollers.state import State


class MappingRows(Protocol):
    """Documents by UUID. What writes is durable on return, and raises a StoreError when nothing was written."""

    async def load(self) -> dict[str, str]:
        """All documents. Raises a StoreError when they cannot be read, or are not as they were written."""

    async def save(self, uuid: str, document: str) -> None:
        """Write this document in the place of the one that was there."""

    async def remove(self, uuid: str) -> None:
        """Remove the document, if there is one."""


class MemoryRows:
    """Documents in memory, for tests, and for whoever asks nothing of a restart."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}

    async def load(self) -> dict[str, str]:
        """See ``MappingRows.load``."""
        return dict(self.documents)

    async def save(self, uuid: str, document: str) -> None:
        """See ``MappingRows.save``."""
        self.documents[uuid] = document

    async def remove(self, uuid: str) -> None:
        """See ``MappingRows.remove``."""
        self.documents.pop(uuid, None)


class StateRows:
    """Documents in the state; implements ``MappingRows``. The state is open for as long as they are used."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def load(self) -> dict[str, str]:
        """See ``MappingRows.load``."""
        return await self._state.call(_load)

    async def save(self, uuid: str, document: str) -> None:
        """See ``MappingRows.save``."""
        row = (uuid, document, seal("made_mappings", uuid, document))
        await self._state.call(
            lambda connection: connection.execute("INSERT OR REPLACE INTO made_mappings VALUES (?, ?, ?)", row)
        )

    async def remove(self, uuid: str) -> None:
        """See ``MappingRows.remove``."""
        await self._state.call(
            lambda connection: connection.execute("DELETE FROM made_mappings WHERE uuid = ?", (uuid,))
        )


def _load(connection: sqlite3.Connection) -> dict[str, str]:
    documents = {}
    for uuid, document, found in connection.execute("SELECT uuid, document, seal FROM made_mappings"):
        if found != seal("made_mappings", uuid, document):
            raise StoreDamaged(damage(uuid, "is not as it was written"))
        documents[uuid] = document
    return documents


def damage(uuid: str, what: str) -> str:
    """What is said of a row that cannot be used."""
    return (
        f"the mapping {uuid}, made through the API, {what}: the state (runtime.state) is damaged; restore a copy of it"
    )
