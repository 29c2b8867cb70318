"""Where made functions are kept: a text for each, durable once written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pollers.storage import StoreDamaged
from pollers.storage.seals import seal

if TYPE_CHECKING:
    import sqlite3

    from pollers.state import State


class FunctionRows(Protocol):
    """Documents by the function's name. What writes is durable on return, and raises a StoreError when nothing was written."""

    async def load(self) -> dict[str, str]:
        """All documents. Raises a StoreError when they cannot be read, or are not as they were written."""

    async def save(self, name: str, document: str) -> None:
        """Write this document in the place of the one that was there."""

    async def remove(self, name: str) -> None:
        """Remove the document, if there is one."""


class MemoryRows:
    """Documents in memory, for tests, and for whoever asks nothing of a restart."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}

    async def load(self) -> dict[str, str]:
        """See ``FunctionRows.load``."""
        return dict(self.documents)

    async def save(self, name: str, document: str) -> None:
        """See ``FunctionRows.save``."""
        self.documents[name] = document

    async def remove(self, name: str) -> None:
        """See ``FunctionRows.remove``."""
        self.documents.pop(name, None)


class StateRows:
    """Documents in the state; implements ``FunctionRows``. The state is open for as long as they are used."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def load(self) -> dict[str, str]:
        """See ``FunctionRows.load``."""
        return await self._state.call(_load)

    async def save(self, name: str, document: str) -> None:
        """See ``FunctionRows.save``."""
        row = (name, document, seal("made_functions", name, document))
        await self._state.call(
            lambda connection: connection.execute("INSERT OR REPLACE INTO made_functions VALUES (?, ?, ?)", row)
        )

    async def remove(self, name: str) -> None:
        """See ``FunctionRows.remove``."""
        await self._state.call(
            lambda connection: connection.execute("DELETE FROM made_functions WHERE name = ?", (name,))
        )


def _load(connection: sqlite3.Connection) -> dict[str, str]:
    documents = {}
    for name, document, found in connection.execute("SELECT name, document, seal FROM made_functions"):
        if found != seal("made_functions", name, document):
            raise StoreDamaged(damage(name, "is not as it was written"))
        documents[name] = document
    return documents


def damage(name: str, what: str) -> str:
    """What is said of a row that cannot be used."""
    return (
        f"the function {name}, made through the API, {what}: the state (runtime.state) is damaged; restore a copy of it"
    )
