"""Applies what was made, changed and deleted: each mapping in a task of its own, so that a slow end holds up nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.sources.registry import keeps_checkpoints
from pollers.storage import StoreError
from pollers.supervisor.runtime import ReloadRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from config.models import Config
    from pollers.engine.stop import Stop
    from pollers.made_mappings.entry import Entry
    from pollers.made_mappings.store import MappingRows
    from pollers.supervisor.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

RETRY_SECONDS = 5.0
"""How long after a disk has refused it is asked again."""


class Settling:
    """Brings the runtime to what ``entries`` want, by its own reload.

    A mapping that changes or goes ends first, outside of any reload: it may have to wait for running invocations. Only then does
    the configuration change, which is at once. A deleted mapping leaves the disk last: a kill before that leaves its end
    to the next start.
    """

    def __init__(
        self,
        entries: MutableMapping[str, Entry],
        runtime: Runtime,
        complete: Callable[[Config], Config],
        rows: MappingRows,
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self._entries = entries
        self._runtime = runtime
        self._complete = complete
        self._rows = rows
        self._forget = forget
        self._awake = anyio.Event()
        self._busy: set[str] = set()

    def wake(self) -> None:
        """Something is to be applied."""
        self._awake.set()

    async def run(self, stop: Stop) -> None:
        """Until stopped."""
        self._busy.clear()
        async with anyio.create_task_group() as group:
            while not stop.requested:
                self._awake = anyio.Event()
                for name, entry in self._entries.items():
                    if not entry.applied and name not in self._busy:
                        self._busy.add(name)
                        group.start_soon(self._settle, name, entry)
                with stop.waiting():
                    await self._awake.wait()
            group.cancel_scope.cancel()

    async def _settle(self, name: str, entry: Entry) -> None:
        if entry.target != entry.running:
            await self._end(name)
        wanted = entry.running = entry.target
        await self._apply()
        if wanted is None:
            await self._leave(name, entry)
        entry.applied, entry.runner = entry.target is wanted, self._runtime.mappings.get(name)
        self._busy.discard(name)
        self.wake()

    async def _end(self, name: str) -> None:
        runner = self._runtime.mappings.get(name)
        if runner is not None:
            runner.end()
            await runner.finished.wait()

    async def _apply(self) -> None:
        """One reload serves all that changed before its turn came."""
        runtime = self._runtime
        try:
            async with runtime.reading:
                wanted = self._complete(runtime.given).event_source_mappings
                if wanted != runtime.config.event_source_mappings:
                    await runtime.reload(runtime.given)
        except ReloadRefused:
            if not runtime.stopping:
                raise
            await anyio.sleep_forever()  # until the stop, which is on its way, cancels this

    async def _leave(self, name: str, entry: Entry) -> None:
        """Its checkpoints first, which nobody would find any more without its row."""
        while True:
            try:
                if keeps_checkpoints(entry.model):
                    await self._forget(name)
                await self._rows.remove(name)
            except StoreError as error:
                log.warning("a deleted mapping cannot be forgotten yet", mapping=name, error=str(error))
                await anyio.sleep(RETRY_SECONDS)
            else:
                del self._entries[name]
                log.info("deleted mapping has ended", mapping=name)
                return
