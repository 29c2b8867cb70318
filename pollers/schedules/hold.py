"""A schedule that this replica runs, among those that share it: its lease, and whether what was decided is in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from config.models import Schedule
    from pollers.engine.stop import Stop
    from pollers.leases.token import SharedLease


class Hold:
    """From taking a lease until it is given or lost. ``schedule`` is as it was when the lease was taken.

    ``stop``: nothing is begun any more, and what is not handed over stays undecided for the next replica.
    """

    def __init__(self, lease: SharedLease, schedule: Schedule, stop: Stop) -> None:
        self.lease = lease
        self.schedule = schedule
        self.stop = stop
        self.adopted = False
        """What the table knew is in the state of this process."""
        self.woken = anyio.Event()
        self._changes = 0
        self._written = 0

    @property
    def ready(self) -> bool:
        """Whether a due time may be decided now. Not before the last one is in the table: a crash would repeat both."""
        return self.adopted and self.written and not self.stop.requested and self.lease.in_time

    @property
    def written(self) -> bool:
        """Whether all that was decided is in the table."""
        return self._changes == self._written

    @property
    def changes(self) -> int:
        """So much was decided. To be given to :meth:`wrote` when that is in the table."""
        return self._changes

    def decided(self) -> None:
        """Something was decided, and is to be written."""
        self._changes += 1
        self.wake()

    def wrote(self, changes: int) -> None:
        """What was decided until then is in the table."""
        self._written = changes

    def wake(self) -> None:
        """Whoever keeps it looks again."""
        self.woken.set()

    async def may_start(self) -> bool:
        """Wait until a hand-over may begin; False when that is not to be any more."""
        await self.stop.unless_requested(self.lease.until_in_time)
        return not self.stop.requested and self.lease.in_time
