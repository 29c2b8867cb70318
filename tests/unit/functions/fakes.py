"""Functions for tests of their hosts: slow to load, to run or to leave."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from config.models import PythonFunction
from handlers.function import PLAIN, Call, Invocation, Payload
from pollers.functions import Functions
from tests.unit.supervisor.fakes import FakeFunction
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from types import TracebackType

    from config.models import FunctionModel


class SlowFunction(FakeFunction):
    """Takes ten seconds for each invocation and notes how many run at a time."""

    busy = 0
    most = 0

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await anyio.sleep(10.0)
        self.busy -= 1
        return Invocation(request_id, Payload(event), 10.0)


@dataclass
class Bench:
    """Makes functions and remembers them; ``problems`` are met by the first ones that are entered."""

    made: list[SlowFunction] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)
    kind: type[SlowFunction] = SlowFunction

    def make(self, name: str, model: FunctionModel) -> SlowFunction:
        """As the factory does."""
        problem = self.problems.pop(0) if self.problems else None
        self.made.append(self.kind(name, model, problem=problem))
        return self.made[-1]

    @asynccontextmanager
    async def running(self, **concurrency: int) -> AsyncIterator[Functions]:
        """Functions of these names, with so many permits each."""
        functions = Functions(self.make)
        async with anyio.create_task_group() as group:
            functions.start(group, models(**concurrency))
            await settle()
            yield functions
            functions.close()
        assert not functions.unfinished


def models(**concurrency: int) -> dict[str, FunctionModel]:
    """Functions of these names."""
    return {
        name: PythonFunction.model_validate({"code": ".", "handler": "app.handler", "concurrency": permits})
        for name, permits in concurrency.items()
    }


class LeavesSlowly(SlowFunction):
    """Takes a second to stop what it has started."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(1.0)
        await super().__aexit__(kind, error, traceback)


class LoadsForMinutes(SlowFunction):
    """Takes ten minutes to load; one with a problem says so then."""

    async def __aenter__(self) -> FakeFunction:
        await anyio.sleep(600.0)
        return await super().__aenter__()


class LeavesInSteps(SlowFunction):
    """Waits while it is left, without a shield."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await anyio.sleep(1.0)
        await super().__aexit__(kind, error, traceback)


async def answer_of(call: Awaitable[Invocation], answers: list[Invocation | Exception]) -> None:
    """Await the call and note what it gives or raises."""
    try:
        answers.append(await call)
    except Exception as problem:
        answers.append(problem)
