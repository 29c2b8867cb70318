"""Where resources are kept: a text for each function, durable once written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pollers.storage import StoreDamaged
from pollers.storage.seals import seal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from pollers.state import State


class ResourceRows(Protocol):
    """Documents by function's name."""

    async def load(self) -> dict[str, str]:
        """All documents. Raises a StoreError when they cannot be read, or are not as they were written."""

    async def save(self, documents: Mapping[str, str]) -> None:
        """Write these documents, all or none; what was there of the same functions is replaced. Durable on return.

        Raises a StoreError when nothing was written.
        """

    async def remove(self, function: str) -> None:
        """Remove the document of a function, if there is one. Durable on return; raises as :meth:`save` does."""


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

    async def remove(self, function: str) -> None:
        """See ``ResourceRows.remove``."""
        self._documents.pop(function, None)


class StateRows:
    """Documents in the state; implements ``ResourceRows``. The state is open for as long as they are used."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def load(self) -> dict[str, str]:
        """See ``ResourceRows.load``."""
        return await self._state.call(_load)

    async def save(self, documents: Mapping[str, str]) -> None:
        """See ``ResourceRows.save``."""
        await self._state.call(lambda connection: _save(connection, documents))

    async def remove(self, function: str) -> None:
        """See ``ResourceRows.remove``."""
        await self._state.call(
            lambda connection: connection.execute("DELETE FROM resources WHERE function = ?", (function,))
        )


def _load(connection: sqlite3.Connection) -> dict[str, str]:
    documents = {}
    for function, document, found in connection.execute("SELECT function, document, seal FROM resources"):
        if found != seal("resources", function, document):
            raise StoreDamaged(
                f"what was made of function {function} through the API is not as it was written: the state (runtime.state) is "
                "damaged; restore a copy of it"
            )
        documents[function] = document
    return documents


def _save(connection: sqlite3.Connection, documents: Mapping[str, str]) -> None:
    rows = [(function, document, seal("resources", function, document)) for function, document in documents.items()]
    connection.executemany("INSERT OR REPLACE INTO resources VALUES (?, ?, ?)", rows)
