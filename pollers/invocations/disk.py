"""The state as the queue's tasks use it: what it refuses is tried again, said once, and shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import structlog

from pollers.invocations.reserve import disk_has_room
from pollers.storage import StoreUnwritable

if TYPE_CHECKING:
    from pollers.engine.stop import Stop
    from pollers.invocations.books import Books
    from pollers.state import State
    from pollers.storage.writer import Operation

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)

AGAIN_SECONDS = (1.0, 30.0)
"""First and longest wait before what the disk refused is written again."""


class Disk:
    """Reads and writes the queue's rows. ``books`` are told whether the disk takes writes."""

    def __init__(self, state: State, books: Books) -> None:
        self._state = state
        self._books = books
        self._folder = state.path.parent
        self._writes = anyio.Event()
        self.stuck = 0
        """Writes that were refused, wait to be tried again, and keep what they are to write in memory until then."""

    async def call(self, operation: Operation[T], *, writes: bool = True) -> T:
        """As ``State.call``. ``writes``: that it works says something about the disk.

        It cannot be cancelled, and there is no bound: the thread would do it all the same, and the books would not know.
        """
        with anyio.CancelScope(shield=True):
            try:
                value = await self._state.call(operation)
            except StoreUnwritable as error:
                self._refused(error)
                raise
        if writes and self._books.problem is not None:
            log.info("the asynchronous queue is written again")
            self._books.problem = None
            self._writes.set()
        return value

    async def surely(self, operation: Operation[T], stop: Stop) -> T:
        """Write, however long the disk refuses. Raises StoreUnwritable only when a hurried ``stop`` came first."""
        wait, longest = AGAIN_SECONDS
        while True:
            try:
                return await self.call(operation)
            except StoreUnwritable:
                if stop.hurried:
                    raise
            self.stuck += 1
            try:
                with stop.running(), anyio.move_on_after(wait):
                    await self._writes.wait()
            finally:
                self.stuck -= 1
            wait = min(wait * 2, longest)

    def room_for(self, more: int, share: float = 1.0) -> Operation[bool]:
        """Asks in the thread of the state: see :func:`~pollers.invocations.reserve.disk_has_room`."""
        return partial(disk_has_room, folder=self._folder, more=more, share=share)

    def cramped(self, why: str | None) -> None:
        """The disk has no room for another event, in words; None when it has some again."""
        if why is not None and self._books.cramped is None:
            log.error(f"the asynchronous queue {why}")
        elif why is None:
            log.info("the asynchronous queue takes events again")
        self._books.cramped = why

    def _refused(self, error: StoreUnwritable) -> None:
        if self._books.problem is None:
            log.error(
                "the asynchronous queue cannot be written; what runs goes on, and nothing is begun", error=str(error)
            )
        self._books.problem = str(error)
        if self._writes.is_set():
            self._writes = anyio.Event()
