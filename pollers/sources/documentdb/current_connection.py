"""The connection that a mapping uses now: made when it is first needed, and anew when its user or its cluster is another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

if TYPE_CHECKING:
    from pollers.sources.documentdb.connecting import Connection, Connector

log = structlog.stdlib.get_logger(__name__)


class CurrentConnection:
    """Owns at most one connection. Whoever finds that it does not serve any more says so; the next call gets another."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._current: Connection | None = None
        self._changing = anyio.Lock()

    async def current(self) -> Connection:
        """The connection. Raises AwsError where none can be made."""
        async with self._changing:
            if self._current is None:
                self._current = await self._connector.connect()
            return self._current

    async def renewed(self, refused: Connection) -> bool:
        """After a server refused the user: whether there is another connection now, with what the secret says since.

        Passwords are rotated: the secret has the new one, and the cluster wants it. Raises AwsError where it cannot be read.
        """
        async with self._changing:
            if self._current is not refused:
                return True
            user = await self._connector.user()
            if refused.user is None or user == refused.user:
                return False
            self._current = await self._connector.made(refused.place, user, refused.cluster)
            log.info("the secret has another user or password than before: connecting anew", where=refused.place.where)
        await refused.aclose()
        return True

    async def drop(self, lost: Connection) -> None:
        """After no server could be reached: where the cluster is and who connects is asked again at the next call."""
        async with self._changing:
            if self._current is not lost:
                return
            self._current = None
        await lost.aclose()

    async def aclose(self) -> None:
        """Close the connection; bounded, raises nothing."""
        current, self._current = self._current, None
        if current is not None:
            await current.aclose()
