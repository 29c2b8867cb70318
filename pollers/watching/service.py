"""The task that watches: it looks, applies what has changed, and waits for the system's word that it is time to look again."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio import to_thread

from config.models import InProcessFunction, ProvidedFunction, PythonFunction
from pollers.functions import FunctionState
from pollers.supervisor import renew_from
from pollers.watching.bell import QUIET_MS, hung
from pollers.watching.changes import changes, with_new_roots
from pollers.watching.compiled import forget_compiled
from pollers.watching.ignored import own_files
from pollers.watching.tree import look

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from config.models import Config, FunctionModel
    from pollers.engine.stop import Stop
    from pollers.supervisor.runtime import Runtime
    from pollers.supervisor.service import Books
    from pollers.watching.changes import Changes
    from pollers.watching.tree import Tree

log = structlog.stdlib.get_logger(__name__)

LOOK_MS = 5_000
"""Looked at so often in any case: network disks and some containers' folders tell of nothing."""
GONE_SECONDS = 0.05
KEEP_SECONDS = 60.0
"""So long a function in process that loads slowly may hold up the watching at the start."""
SHOWN = 3
"""So many changed files of a function are named; of others there is a number."""


@dataclass(slots=True)
class _Untold:
    """Changes of one function that no line has told of yet: since when (monotonic seconds), and whether the last was refused."""

    since: float
    files: set[str] = field(default_factory=set)
    refused: bool = False


class Watching:
    """Applies changed code and a changed configuration to a running Headrace (a Service of the runtime)."""

    name = "watch"

    def __init__(self, runtime: Runtime, path: Path) -> None:
        self._runtime = runtime
        self._path = path
        self._seen: Tree | None = None
        self._behind: set[str] = set()
        """Functions whose code has changed and has not been looked at yet, because the configuration is at fault."""
        self._untold: dict[str, _Untold] = {}
        """What was changed of each function that is still to be renewed."""
        runtime.copied = True

    async def run(self, stop: Stop) -> None:
        """Watch until the stop. Raises WatchingUnusable where the system does not let it."""
        with stop.waiting():
            while True:
                await self._watch_folders()

    async def _watch_folders(self) -> None:
        """Watch for as long as the folders are the same."""
        tree = await self._look()
        try:
            async with hung(tree.folders) as bell:
                if self._seen is not None:
                    # Folders were made, whose files nobody told of: whoever makes them may be at it still.
                    await bell.rung(tree.matters, QUIET_MS)
                while (now := await self._look()).folders == tree.folders:
                    if not await self._follow(now):
                        await bell.rung(now.matters, LOOK_MS)
        except FileNotFoundError:
            await anyio.sleep(GONE_SECONDS)

    async def _look(self) -> Tree:
        config = self._runtime.given
        own = own_files(config.runtime.sqlite_path, config.runtime.state_folder)
        return await to_thread.run_sync(look, self._roots(), self._path, own)

    def _roots(self) -> dict[str, tuple[Path, ...]]:
        # Not the code of functions that the API made: nobody edits it, and workers may write there.
        return {name: code_of(model) for name, model in self._runtime.given.functions.items()}

    async def _follow(self, now: Tree) -> bool:
        """Apply what has changed. Returns whether the code of some function is now looked for elsewhere."""
        began = time.time_ns()
        if self._seen is None:
            await self._keep_what_runs()
            files = sum(len(found) for found in now.code.values())
            log.info("watching code and configuration", folders=len(now.folders), files=files + len(now.config))
        elif found := changes(self._seen, now):
            await self._apply(found)
            await self._keep_what_runs()
        # Only now: what failed to be applied for a fault of ours is found again when the watching has been restarted.
        self._seen = now
        elsewhere = [name for name, roots in self._roots().items() if now.roots.get(name) != roots]
        if elsewhere:
            # At once: what is saved there before the folders are listened to is a change, too.
            self._seen = with_new_roots(now, await self._look(), elsewhere, began)
        return bool(elsewhere)

    async def _apply(self, found: Changes) -> None:
        for name, files in found.code.items():
            untold = self._untold.setdefault(name, _Untold(anyio.current_time()))
            untold.files.update(files)
            if untold.refused:
                untold.since, untold.refused = anyio.current_time(), False
        self._behind.update(found.code)
        await to_thread.run_sync(forget_compiled, [path for files in found.code.values() for path in files])
        if await renew_from(self._runtime, self._path, sorted(self._behind), self):
            self._behind.clear()

    def renewed(self, name: str) -> None:
        """Say in one line what has changed of a function since the last one, however often it was saved while it was busy."""
        if (untold := self._untold.pop(name, None)) is not None:
            seconds = round(anyio.current_time() - untold.since, 2)
            log.info("changed code is applied", function=name, files=shown(sorted(untold.files)), seconds=seconds)

    def refused(self, name: str, faults: list[str]) -> None:
        """Say what is wrong with a function's code. The files count as changed until it is taken."""
        log.error("code refused, the old one runs on", function=name, faults=faults)
        if (untold := self._untold.get(name)) is not None:
            untold.refused = True

    async def _keep_what_runs(self) -> None:
        """Have every function copy its code before anything is changed: one that nobody has called yet, too."""
        hosts = [host for name, host in self._runtime.functions.items() if self._roots().get(name)]
        for host in hosts:
            host.enter_soon()
        with anyio.move_on_after(KEEP_SECONDS):
            while any(host.state is FunctionState.STARTING for host in hosts):  # noqa: ASYNC110 - no event tells of all
                await anyio.sleep(0.01)

    def running(self) -> int:
        """It invokes nothing."""
        return 0

    def held(self) -> int:
        """It takes nothing over."""
        return 0

    def left(self) -> str:
        """Nothing keeps ``--until-idle`` from ending."""
        return ""

    def refusal(self, config: Config) -> None:
        """It follows every configuration."""

    def apply(self, config: Config) -> None:
        """The next look is at the new configuration's folders."""

    def books(self) -> Books | None:
        """None: it takes nothing over."""
        return None


def code_of(model: FunctionModel) -> tuple[Path, ...]:
    """Where a function's code is on this machine; nothing for functions elsewhere."""
    match model:
        case PythonFunction():
            return (model.code, *model.layers)
        case InProcessFunction() | ProvidedFunction():
            return (model.code,)
        case _:
            return ()


def shown(files: Sequence[str]) -> list[str]:
    """The first few paths, as seen from here, and how many more there are."""
    here = os.getcwd()
    first = [os.path.relpath(path, here) if path.startswith(here + os.sep) else path for path in files[:SHOWN]]
    return [*first, f"and {len(files) - SHOWN} more"] if len(files) > SHOWN else first
