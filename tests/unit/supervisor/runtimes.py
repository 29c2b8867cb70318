"""Runtimes of fake pollers and functions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from pollers.supervisor.runtime import Runtime
from tests.unit.supervisor.fakes import Bench, FakeFunction
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.models import Config
    from pollers.supervisor.mapping import MappingState


@asynccontextmanager
async def running(runtime: Runtime, *, until_idle: float | None = None) -> AsyncIterator[list[int]]:
    """The runtime at work; its exit code is appended to the list when it ends."""
    codes: list[int] = []

    async def run() -> None:
        codes.append(await runtime.run(until_idle=until_idle))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await virtual_time.settle()
        yield codes


def state_of(runtime: Runtime, name: str) -> MappingState:
    """What a mapping is doing as a whole."""
    return runtime.mappings[name].state


def make_runtime(
    configuration: Config,
    bench: Bench,
    functions: list[FakeFunction] | None = None,
    unproven: dict[str, str] | None = None,
) -> Runtime:
    """A runtime whose functions, as they are made, are appended to ``functions``. Those that are made while they are in
    ``unproven`` fail with its text when they are proved."""
    made = functions if functions is not None else []

    def make_function(name: str, model: object) -> FakeFunction:
        made.append(FakeFunction(name, model))  # type: ignore[arg-type]
        made[-1].unproven = (unproven or {}).get(name)
        return made[-1]

    return Runtime(configuration, bench.make, make_function, clock=virtual_time.VirtualClock())
