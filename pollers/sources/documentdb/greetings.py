"""Whether the driver is greeting a server just now, which is when a connection of its own may be half made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from pymongo.monitoring import ServerHeartbeatListener

if TYPE_CHECKING:
    from pymongo.monitoring import (
        ServerHeartbeatFailedEvent,
        ServerHeartbeatStartedEvent,
        ServerHeartbeatSucceededEvent,
    )


class Greetings(ServerHeartbeatListener):
    """Counts the greetings under way. Between two there is half a second at least.

    The driver's ``close`` cancels its monitors. One that is connecting leaves its socket open then, until it is collected.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._ended = anyio.Event()

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """See pymongo."""
        self._under_way += 1

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """See pymongo."""
        self._end()

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """See pymongo."""
        self._end()

    async def none(self) -> None:
        """Wait until none is under way."""
        while self._under_way > 0:
            await self._ended.wait()

    def _end(self) -> None:
        self._under_way -= 1
        self._ended.set()
        self._ended = anyio.Event()
