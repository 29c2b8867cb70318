"""Queues in memory that note every call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.aws.api import EntryFailed
from pollers.sources.sqs.visibility import BRIEF_WAIT_SECONDS
from tests.worlds.memory_sqs import MemorySqs, Queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.aws.api import Wire


class Recorded(MemorySqs):
    """Notes every call, with the time that it began; may be slowed down or denied."""

    def __init__(self, *queues: Queue) -> None:
        super().__init__(*queues)
        self.log: list[tuple[float, str, list[str], list[int]]] = []
        self.asked: list[tuple[int, int, int | None]] = []
        self.change_takes = 0.0
        self.delete_takes = 0.0
        self.refuse_changes: Exception | None = None
        self.fail_deletes = 0

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        self.asked.append((maximum, wait_seconds, visibility_seconds))
        return await super().receive(
            url, maximum=maximum, wait_seconds=wait_seconds, visibility_seconds=visibility_seconds
        )

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        self.log.append((anyio.current_time(), "delete", list(handles), []))
        await anyio.sleep(self.delete_takes)
        if self.fail_deletes:
            self.fail_deletes -= 1
            return [EntryFailed(index, "InternalError", "", sender_fault=False) for index in range(len(handles))]
        return await super().delete(url, handles)

    async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
        self.log.append((anyio.current_time(), "change", [one for one, _ in entries], [two for _, two in entries]))
        if self.refuse_changes is not None:
            raise self.refuse_changes
        await anyio.sleep(self.change_takes)
        return await super().change_visibility(url, entries)

    def calls(self, kind: str) -> list[tuple[float, str, list[str], list[int]]]:
        return [call for call in self.log if call[1] == kind]


def recorded(queue: Queue | None = None) -> tuple[Queue, Recorded]:
    queue = queue or Queue("orders")
    return queue, Recorded(queue)


def ordinary(api: Recorded) -> set[int | None]:
    """For how long receives that are no long polls hide what they bring."""
    return {visibility for _, wait_seconds, visibility in api.asked if wait_seconds < BRIEF_WAIT_SECONDS}
