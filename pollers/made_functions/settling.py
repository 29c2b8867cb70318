"""Applies what was made, changed and deleted: each function in a task of its own, so that a slow end holds up nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.storage import StoreError
from pollers.supervisor.runtime import ReloadRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from config.models import FunctionModel
    from pollers.engine.stop import Stop
    from pollers.made_functions.entry import Entry
    from pollers.supervisor.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

RETRY_SECONDS = 5.0
"""How long after a disk has refused it is asked again."""
SWEEP_SECONDS = 1.0
"""How often is looked whether anybody still uses code that nobody wants."""


class Settling:
    """Brings the runtime to what ``entries`` want, by its own reload.

    Mappings whose function changes or goes end first, outside of any reload: they may have to wait for running invocations. Only
    then does the configuration change, which is at once. Whoever else calls the function has its old code until it has answered.
    ``leave`` takes a deleted function off the disk, last, so that a kill before that leaves its end to the next start.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        runtime: Runtime,
        leave: Callable[[str, Entry], Awaitable[None]],
        remove: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._entries = entries
        self._runtime = runtime
        self._leave = leave
        self._remove = remove
        self._awake = anyio.Event()
        self._untidy = anyio.Event()
        self._busy: set[str] = set()
        self._dropped: set[tuple[str, str]] = set()
        self._said: set[str] = set()

    def wake(self) -> None:
        """Something is to be applied."""
        self._awake.set()

    def drop(self, name: str, revision: str) -> None:
        """Remove this revision's code once nobody uses it."""
        self._dropped.add((name, revision))
        self._untidy.set()

    async def run(self, stop: Stop) -> None:
        """Until stopped."""
        self._busy.clear()
        self.say_waiting()
        async with anyio.create_task_group() as group:
            group.start_soon(self._tidy)
            while not stop.requested:
                self._awake = anyio.Event()
                for name, entry in list(self._entries.items()):
                    if not entry.applied and name not in self._busy:
                        self._busy.add(name)
                        group.start_soon(self._settle, name, entry)
                with stop.waiting():
                    await self._awake.wait()
            group.cancel_scope.cancel()

    async def _settle(self, name: str, entry: Entry) -> None:
        made, wanted = entry.made, entry.target
        if wanted != entry.running:
            if not _replaces(wanted, entry.running):
                await self._end_mappings(name)
            entry.running = wanted
            await self._apply()
        if wanted is None:
            await self._forget(name, entry)
        entry.applied = entry.made is made
        entry.entered = entry.entered or wanted is not None
        self._busy.discard(name)
        self.wake()

    async def _end_mappings(self, name: str) -> None:
        runners = [one for one in self._runtime.mappings.values() if one.model.function_name == name]
        for runner in runners:
            runner.end()
        for runner in runners:
            await runner.finished.wait()

    async def _apply(self) -> None:
        """One reload serves all that changed before its turn came."""
        runtime = self._runtime
        try:
            async with runtime.reading:
                if runtime.complete(runtime.given) != runtime.config:
                    await runtime.reload(runtime.given)
        except ReloadRefused:
            if not runtime.stopping:
                raise
            await anyio.sleep_forever()  # until the stop, which is on its way, cancels this

    async def _forget(self, name: str, entry: Entry) -> None:
        while True:
            try:
                await self._leave(name, entry)
            except StoreError as error:
                log.warning("a deleted function cannot be forgotten yet", function=name, error=str(error))
                await anyio.sleep(RETRY_SECONDS)
            else:
                log.info("deleted function has ended", function=name)
                return

    async def _tidy(self) -> None:
        while True:
            await self._untidy.wait()
            await self._sweep()
            if self._dropped:
                await anyio.sleep(SWEEP_SECONDS)
            else:
                self._untidy = anyio.Event()

    async def _sweep(self) -> None:
        """Remove code that nobody uses any more. A worker may read its files at any time until it has ended."""
        used = {getattr(host.model, "code", None) for host in self._runtime.functions.unfinished}
        used |= {getattr(entry.running, "code", None) for entry in self._entries.values()}
        free = {(name, revision) for name, revision in self._dropped if not _among(name, revision, used)}
        for name, revision in free:
            self._dropped.discard((name, revision))
            await self._remove(name, revision)

    def say_waiting(self) -> None:
        """Say once of each function that the configuration gives that what was made under its name waits."""
        waiting = {name for name in self._entries if name in self._runtime.given.functions}
        if new := sorted(waiting - self._said):
            log.warning(
                "the configuration gives functions that were made through the API: the configuration counts, and what was made is "
                "kept",
                functions=new,
            )
        self._said = waiting


def _replaces(wanted: FunctionModel | None, running: FunctionModel | None) -> bool:
    """Whether workers go on as they are."""
    return wanted is not None and running is not None and wanted.runs_as(running)


def _among(name: str, revision: str, used: set[object]) -> bool:
    return any(str(path).endswith(f"/{name}/{revision}") for path in used if path is not None)
