"""Made functions over a runtime that runs nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio

from pollers.engine.stop import Stop
from pollers.made_functions import CodeFolders, FunctionRegister, MemoryRows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from pollers.clocks.clock import Clock
    from pollers.made_functions import FunctionRows
    from tests.unit.made_mappings.fakes import FakeRuntime


async def _forget(name: str) -> None:
    """Nothing else was made."""


def made_functions(
    runtime: FakeRuntime,
    folder: Path,
    rows: FunctionRows | None = None,
    *,
    forget: Callable[[str], Awaitable[None]] = _forget,
    clock: Clock | None = None,
) -> FunctionRegister:
    """Functions whose code lies in ``folder``."""
    made = FunctionRegister(rows or MemoryRows(), CodeFolders(folder), cast("Any", runtime), forget, clock=clock)
    runtime.complete = made.completed
    return made


@asynccontextmanager
async def settling(made: FunctionRegister) -> AsyncIterator[None]:
    """While its changes are applied."""
    stop = Stop()
    async with anyio.create_task_group() as group:
        group.start_soon(made.run, stop)
        try:
            yield
        finally:
            stop.request()
            group.cancel_scope.cancel()


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; fails after some seconds."""
    with anyio.fail_after(10):
        while not holds():
            await anyio.sleep(0.002)
