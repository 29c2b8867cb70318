"""Waiting for the deletes of one batch: a FIFO group goes on only when they are through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.sources.sqs.message import Held


class BatchDeletes:
    """The messages of one batch that are being deleted, for one who waits until all of them are through."""

    __slots__ = ("_left", "_over", "undeleted")

    def __init__(self, messages: Sequence[Held]) -> None:
        self._left = len(messages)
        self._over = anyio.Event()
        self.undeleted: list[Held] = []
        for message in messages:
            message.batch_deletes = self
        if not messages:
            self._over.set()

    def note(self, message: Held, *, deleted: bool) -> None:
        """One of them is deleted, or never will be by us."""
        message.batch_deletes = None
        if not deleted:
            self.undeleted.append(message)
        self._left -= 1
        if not self._left:
            self._over.set()

    async def wait(self) -> list[Held]:
        """Wait until all are through; those that could not be deleted."""
        await self._over.wait()
        return self.undeleted
