"""Pollers and functions that do what a test tells them to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from config.models import Config, PythonFunction, SqsMapping
from handlers.errors import FunctionUnusable
from handlers.function import PLAIN, Call, FunctionStatus, Invocation, Payload

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from config.models import FunctionModel, Mapping
    from pollers.engine.poller import Surroundings


class FakeFunction:
    """Accepts everything; counts how often it is entered and left. ``break_down``: what runs it dies when that is set."""

    unproven: str | None = None
    proved = 0
    entered = 0
    left = 0
    busy = 1

    def __init__(self, name: str, model: FunctionModel, *, problem: Exception | None = None) -> None:
        self.name = name
        self.arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        self.concurrency = model.concurrency
        self.timeout_seconds = model.timeout
        self.problem = problem
        self.break_down = anyio.Event()

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        return Invocation(request_id, Payload(b"null"), 0.0)

    async def prove(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self.unproven is not None:
            raise FunctionUnusable(self.unproven)
        self.proved += 1

    def status(self) -> FunctionStatus:
        return FunctionStatus(0, self.busy, log_lines_dropped_total=3, embedded_metrics_total=2)

    async def __aenter__(self) -> FakeFunction:
        if self.problem is not None:
            raise self.problem
        self.entered += 1
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._die)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.left += 1
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(kind, error, traceback)

    async def _die(self) -> None:
        await self.break_down.wait()
        raise RuntimeError("the runner died")


@dataclass
class FakePoller:
    """Runs until it is stopped, hurried (when ``stubborn``) or told to fail."""

    mapping: Mapping
    surroundings: Surroundings
    failure: Exception | None = None
    stubborn: bool = False
    ran: int = 0
    ended: bool = False
    holding: int = 0
    behind: bool = False
    hurried: bool = field(default=False)

    async def run(self) -> None:
        self.ran += 1
        if self.failure is not None:
            raise self.failure
        await self.surroundings.stop.until_requested()
        if self.stubborn:
            await self.surroundings.stop.until_hurried()
            self.hurried = True
        self.ended = True

    def held(self) -> int:
        return self.holding

    def running(self) -> int:
        return int(self.stubborn and not self.hurried)

    async def caught_up(self) -> bool:
        return not self.behind


@dataclass
class Bench:
    """Makes fake pollers and remembers them; ``failures`` are handed to the first ones of a mapping, in order."""

    failures: dict[str, list[Exception]] = field(default_factory=dict)
    stubborn: set[str] = field(default_factory=set)
    pollers: dict[str, list[FakePoller]] = field(default_factory=dict)

    async def make(self, mapping: Mapping, surroundings: Surroundings) -> FakePoller:
        waiting = self.failures.get(mapping.name, [])
        poller = FakePoller(
            mapping, surroundings, failure=waiting.pop(0) if waiting else None, stubborn=mapping.name in self.stubborn
        )
        self.pollers.setdefault(mapping.name, []).append(poller)
        return poller

    def last(self, name: str) -> FakePoller:
        return self.pollers[name][-1]


def mapping(name: str, function: str = "orders", **settings: object) -> SqsMapping:
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    return SqsMapping.model_validate({"name": name, "event_source_arn": arn, "function_name": function, **settings})


def config(code: Path, *mappings: SqsMapping, **functions: dict[str, object]) -> Config:
    models = {
        name: PythonFunction.model_validate({"runtime": "python", "code": code, "handler": "app.handler", **settings})
        for name, settings in {"orders": {}, **functions}.items()
    }
    return Config(functions=dict(models), event_source_mappings={m.name: m for m in mappings})
