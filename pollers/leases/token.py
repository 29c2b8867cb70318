"""The lease of a shared store, as its holder has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.checkpoints.store import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.leases.leases import Leases


class SharedLease(Lease):
    """A lease that others may take when it was not renewed in time. Its counter is the store's affair."""

    def __init__(self, shard_id: str, leases: Leases, clock: Callable[[], float]) -> None:
        super().__init__(shard_id)
        self._leases = leases
        self._clock = clock
        self._changed = anyio.Event()

    @property
    def in_time(self) -> bool:
        """See ``Lease.in_time``."""
        return not self.lost.is_set() and self._leases.in_time(self.shard_id, self._clock())

    async def until_in_time(self) -> None:
        """See ``Lease.until_in_time``."""
        while not self.lost.is_set() and not self.in_time:
            await self._changed.wait()

    def renewed(self) -> None:
        """It was renewed: whoever waits may go on."""
        self._changed.set()
        self._changed = anyio.Event()

    def lose(self) -> None:
        """It is another's, or nobody's."""
        self.lost.set()
        self.renewed()
