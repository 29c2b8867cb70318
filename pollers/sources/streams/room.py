"""Where a shard's reader waits for room: in the read-ahead of its mapping, and above its own checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio

from pollers.telemetry.facts import State

if TYPE_CHECKING:
    from pollers.engine.stop import Stop
    from pollers.sources.streams.pacing import Holding, ReadAhead
    from pollers.sources.streams.task_reports import TaskReports

REPORT_AFTER_SECONDS = 1.0
"""How long a reader has waited for room when that is reported."""


class FillingShard(Protocol):
    """The shard that records are read into. ``holding`` is its part of the read-ahead."""

    stop: Stop
    holding: Holding

    @property
    def shard_id(self) -> str:
        """The service's name for it."""

    @property
    def full(self) -> bool:
        """Whether so much is read above the checkpoint that reading must wait for it."""

    def room_wanted(self) -> None:
        """The reader waits for room: lanes need not wait for more records."""


class Room:
    """The room that one shard has. ``wanted``: its reader waits for some."""

    def __init__(self, shard: FillingShard, read_ahead: ReadAhead, reports: TaskReports) -> None:
        self._shard = shard
        self._read_ahead = read_ahead
        self._reports = reports
        self._changed = anyio.Event()
        self.wanted = False

    async def wait(self) -> tuple[int, int] | None:
        """Wait until records may be read; how many and how many bytes, None when stopped."""
        shard = self._shard
        while not shard.stop.requested:
            room = None if shard.full else self._read_ahead.room(shard.holding)
            if room is not None:
                if self.wanted:
                    self.wanted = False
                    self._reports.doing(shard.shard_id, State.POLLING)
                return room
            self.wanted = True
            self._changed = anyio.Event()
            # Lanes that gather for a window would wait for records that cannot come before they themselves make room.
            shard.room_wanted()
            await self._wait_for_change()
        return None

    async def _wait_for_change(self) -> None:
        with self._shard.stop.waiting():
            with anyio.move_on_after(REPORT_AFTER_SECONDS):
                await self._changed.wait()
            if not self._changed.is_set():
                self._reports.doing(self._shard.shard_id, State.WAITING_FOR_ROOM, "records read ahead are not done")
                await self._changed.wait()

    def look_again(self) -> None:
        """It makes sense to ask for room."""
        self._changed.set()
