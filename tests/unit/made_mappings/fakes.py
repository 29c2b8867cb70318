"""A runtime that runs nothing: it notes which configuration it was told to run, and has runners that tests drive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import anyio

from config.models import Config
from pollers.functions import FunctionHost
from pollers.made_mappings import MappingRegister, MemoryRows
from pollers.supervisor.mapping import MappingState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.models import FunctionModel
    from config.models import Mapping as MappingModel
    from handlers.function import Function
    from pollers.clocks.clock import Clock
    from pollers.made_mappings import MappingRows


class FakeRunner:
    """Does what a test says. It ends at once, unless it is ``slow``."""

    def __init__(self, model: MappingModel, *, slow: bool = False) -> None:
        self.model = model
        self.state = MappingState.RUNNING if model.enabled else MappingState.DISABLED
        self.problem: str | None = None
        self.restarts = 0
        self.started_at: float | None = None
        self.finished = anyio.Event()
        self.ending = False
        self.paused = self.renewed = False
        self._slow = slow

    def resume(self) -> None:
        """See ``MappingRunner.resume``."""
        self.paused = False

    def end(self) -> None:
        """See ``MappingRunner.end``."""
        self.ending = True
        if not self._slow:
            self.finished.set()


class FakeHosts(dict[str, FunctionHost]):
    """Hosts that run nothing. With ``slow``, one that is replaced or gone has callers until a test clears ``leaving``."""

    def __init__(self) -> None:
        super().__init__()
        self.leaving: list[FunctionHost] = []
        self.slow = False

    @property
    def unfinished(self) -> list[FunctionHost]:
        """See ``Functions.unfinished``."""
        return [*self.values(), *self.leaving]

    def follow(self, models: Mapping[str, FunctionModel]) -> None:
        """See ``Functions.apply``."""
        for name in [name for name, host in self.items() if models.get(name) != host.model]:
            host = self.pop(name)
            if self.slow:
                self.leaving.append(host)
        self.update({name: FunctionHost(name, model, _never) for name, model in models.items() if name not in self})


def _never(name: str, model: FunctionModel) -> Function:
    raise AssertionError(f"{name} is not run")


class FakeRuntime:
    """Reloads as the real one does: what is unchanged keeps its runner."""

    def __init__(self) -> None:
        self.given = self.config = Config()
        self.mappings: dict[str, FakeRunner] = {}
        self.functions = FakeHosts()
        self.reading = anyio.Lock()
        self.reloads = 0
        self.slow = False
        self.stopping = False
        self.missing: set[str] = set()
        """ARNs of sources that do not exist."""
        self.complete: Callable[[Config], Config] = lambda config: config
        self.problem: Exception | None = None

    def where(self, path: tuple[str | int, ...]) -> str:
        """See ``Runtime.where``."""
        return f"headrace.yaml:{len(path)}"

    def follow(self, config: Config) -> None:
        """This is the file's configuration from now on."""
        self.given = config
        self._run(self.complete(config))

    async def reload(self, config: Config) -> None:
        """See ``Runtime.reload``."""
        if self.problem is not None:
            raise self.problem
        self.reloads += 1
        wanted = self.complete(config)
        for name, model in self.config.event_source_mappings.items():
            if wanted.event_source_mappings.get(name) != model:
                self.mappings[name].end()
                await self.mappings[name].finished.wait()
        self.given = config
        self._run(wanted)

    def _run(self, config: Config) -> None:
        old, self.config = self.config, config
        self.functions.follow(config.functions)
        for name in old.event_source_mappings:
            if name not in config.event_source_mappings:
                del self.mappings[name]
        for name, model in config.event_source_mappings.items():
            if old.event_source_mappings.get(name) != model:
                self.mappings[name] = FakeRunner(model, slow=self.slow)


def made_mappings(
    runtime: FakeRuntime,
    rows: MappingRows | None = None,
    forgotten: list[str] | None = None,
    *,
    base: Callable[[Config], Config] = lambda config: config,
    clock: Clock | None = None,
) -> MappingRegister:
    """Made mappings over ``runtime``; the names of those whose checkpoints are dropped go to ``forgotten``."""

    async def forget(name: str) -> None:
        if forgotten is not None:
            forgotten.append(name)

    async def is_missing(mapping: MappingModel) -> bool:
        return mapping.event_source_arn in runtime.missing

    made = MappingRegister(rows or MemoryRows(), cast("Any", runtime), forget, is_missing, base=base, clock=clock)
    runtime.complete = made.completed
    return made
