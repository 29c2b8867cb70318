"""What schedules need of the functions' asynchronous queue, and what they tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pollers.storage.errors import StoreError

if TYPE_CHECKING:
    from pollers.storage.writer import Operation


class AlreadyDecided(StoreError):  # noqa: N818 - named for what happened
    """What becomes of the due time was decided before. Nothing was written, the event among it."""


class LeaseOutOfTime(StoreError):  # noqa: N818 - as above
    """Another replica may run the schedule by now. Nothing was written, the event among it."""


class EventQueue(Protocol):
    """The functions' asynchronous queue."""

    async def accept(
        self, function: str, event: bytes, *, request_id: str, also: Operation[object] | None = None
    ) -> bool:
        """Keep an event, in one transaction with ``also``, which comes first; durable on return.

        False when an event of this request id is known, which is not kept twice. Raises what ``also`` raises,
        :class:`pollers.storage.StoreError` where the disk refuses, and :class:`pollers.invocations.QueueFull`: then neither is
        written.
        """
