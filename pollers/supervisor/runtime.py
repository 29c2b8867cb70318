"""The process: functions, clients and mappings, started together, supervised, reloaded and stopped in numbered steps."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import structlog

from handlers.environment import source_regions
from pollers.clocks.clock import Clock, SystemClock
from pollers.engine.stop import Stop
from pollers.functions import Functions
from pollers.sources.registry import keeps_checkpoints
from pollers.supervisor.idleness import Idleness
from pollers.supervisor.mapping import MappingRunner
from pollers.supervisor.service import ServiceRunner
from pollers.supervisor.shutdown import Runner, Shutdown
from pollers.supervisor.trials import SUPERSEDED, Trials
from pollers.supervisor.turns import Turns
from pollers.supervisor.unreachable import Unreachable
from pollers.supervisor.until_idle import UntilIdle
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.sinks import Facts, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from collections.abc import Mapping as MappingType

    from anyio.abc import TaskGroup

    from config.models import Config, FunctionModel, Mapping
    from config.text.places import Path as ConfigPath
    from pollers.functions.host import FunctionMaker
    from pollers.supervisor.mapping import PollerMaker
    from pollers.supervisor.service import Service

log = structlog.stdlib.get_logger(__name__)

LEDGER_SECONDS = 60.0
"""How often each mapping's ledger is logged."""


class ReloadRefused(Exception):  # noqa: N818 - the old configuration runs on
    """The new configuration changes what only a restart can change."""


class Runtime:
    """Runs a configuration's mappings until stopped.

    Pollers and functions are made by what is handed in, so that simulations run the same code. ``sinks`` get every fact.
    ``url`` is where the console, health and metrics are, if anywhere; ``console`` the same as a link for people, which may carry
    a token. ``has_store``: whether ``make_poller`` can serve sources that keep checkpoints. ``on_ending`` is told in how many
    seconds the process is to be gone, once that is known.
    ``reading`` is held from the reading of a changed configuration until it is applied, so that what was read last is what runs.
    ``given`` is the configuration as it was given, ``config`` what runs: ``given`` as :attr:`complete` has completed it by what has
    been made elsewhere. ``where`` says where something of ``given`` is written.
    ``over``: everything has been stopped, and ``exit_code`` is final. ``services`` are given before it runs, since they need
    its functions.
    """

    def __init__(
        self,
        config: Config,
        make_poller: PollerMaker,
        make_function: FunctionMaker,
        *,
        has_store: bool = False,
        sinks: tuple[Sink, ...] = (),
        clock: Clock | None = None,
        seed: random.Random | None = None,
    ) -> None:
        self.given = self.config = config
        self.complete: Callable[[Config], Config] = lambda config: config
        self.where: Callable[[ConfigPath], str] = lambda path: "the configuration"
        self.mappings: dict[str, MappingRunner] = {}
        self.functions = Functions(make_function, self._runs_copies)
        self.copied = False
        """Whether functions run copies of their code, which the watching sets: what is saved is then taken when it is accepted."""
        self.url: str | None = None
        self.console: str | None = None
        self.exit_code = 0
        self.over = False
        self.on_ending: Callable[[float], None] = lambda seconds: None
        self.services: tuple[Service, ...] = ()
        self.service_runners: list[ServiceRunner] = []
        self._make_poller = make_poller
        self._has_store = has_store
        self._sinks = sinks
        self._clock = clock or SystemClock()
        self._random = seed or random.Random()  # noqa: S311 - jitter, not secrets
        self._idleness = Idleness()
        self._group: TaskGroup | None = None
        self._stop = Stop()
        self.reading = anyio.Lock()
        self._reloading = anyio.Lock()
        self._turns = Turns()
        self.trials = Trials(self.functions)
        """Those of renewals."""
        self.trying: Config | None = None
        """The configuration under which functions are made that a reload tries, where it is not the running one yet."""
        self._asked: dict[str, int] = {}
        """How often each function's code was to be tried: another number than when a trial began, and it is out of date."""
        self._trying: set[str] = set()
        self._to_renew: set[str] = set()
        """Functions for which a renewal waits that has not begun."""

    async def run(self, *, until_idle: float | None = None) -> int:
        """Run until :meth:`stop`; returns the exit code (see docs/operations.md)."""
        async with anyio.create_task_group() as group:
            self._group = group
            self.config = self.complete(self.given)
            if until_idle is not None:
                unreachable = Unreachable()
                self._sinks = (*self._sinks, unreachable)
                group.start_soon(self._end_when_idle, until_idle, unreachable)
            self.functions.start(group, self.config.functions)
            self._start_all()
            group.start_soon(self._log_ledgers)
            await self._stop.until_requested()
            await self._shut_down()
            group.cancel_scope.cancel()
        return self.exit_code

    @property
    def stopping(self) -> bool:
        """Whether the shutdown was asked for. Asked from another thread, too."""
        return self._stop.requested

    @property
    def nothing_held(self) -> bool:
        """Whether the books balance already, however far the stop is. Asked from another thread, too."""
        return (
            self.stopping
            and all(runner.ledger.balances(0) and not runner.held() for runner in list(self.mappings.values()))
            and not any(runner.held() for runner in list(self.service_runners))
        )

    def stop(self) -> None:
        """Ask for the numbered shutdown (docs/design, decision 9). A second call skips every wait."""
        if self._stop.requested:
            self._stop.hurry()
        self._stop.request()

    # -- starting and reloading ------------------------------------------------------------------------------------------

    def _start_all(self) -> None:
        mappings = self.config.event_source_mappings
        for mapping in mappings.values():
            self._add(mapping)
        for service in self.services:
            self._start_service(service)
        log.info("headrace started", mappings=len(mappings), functions=len(self.config.functions))

    def _start_service(self, service: Service) -> None:
        runner = ServiceRunner(service, seed=self._random)
        self.service_runners.append(runner)
        self._running_group.start_soon(runner.run)

    @property
    def _running_group(self) -> TaskGroup:
        if self._group is None:
            raise RuntimeError("the runtime is not running")
        return self._group

    def _add(self, mapping: Mapping) -> None:
        ledger = Ledger()
        old = self.mappings.get(mapping.name)
        if old is not None:
            ledger = old.ledger
        paused = old is not None and old.paused
        traced = any(getattr(sink, "wants_trace_headers", False) for sink in self._sinks)
        facts = Facts(mapping.name, [ledger, self._idleness, *self._sinks], traced)
        runner = MappingRunner(
            mapping,
            self.functions[mapping.function_name],
            self._make_poller,
            facts,
            ledger,
            clock=self._clock,
            seed=self._random,
        )
        if paused:
            runner.pause()
        self.mappings[mapping.name] = runner
        self._running_group.start_soon(self._run_mapping, runner)

    async def _run_mapping(self, runner: MappingRunner) -> None:
        await runner.run()
        if self.stopping and not runner.abandoned:
            log.info("shutdown 5: all that was held is acknowledged or handed back", mapping=runner.name)

    async def reload(
        self, config: Config, renew: Collection[str] = (), trials: Trials | None = None
    ) -> dict[str, list[str]]:
        """Apply a changed configuration, once it is completed: only added, removed and changed mappings stop or start.

        Functions in ``renew`` begin anew in any case: their code has changed, whatever the configuration says. What was tried
        for it is in ``trials``.
        Says what it did. Raises ReloadRefused, with everything running on as before, for changes that need a restart. One at a
        time.
        """
        async with self._reloading, self._turns.alone():
            if self.stopping:
                raise ReloadRefused("shutting down")
            completed = self.complete(config)
            self._check_reloadable(completed)
            did = await self._apply(completed, renew, trials or self.trials)
            self.given = config
            return did

    def renew_soon(self, name: str, renewed: Callable[[], None], refused: Callable[[str], None]) -> None:
        """Try a function's changed code, and begin it anew with that once its mappings' running invocations have finished.

        Beside the renewals of other functions: only reloads wait for it, and it for them. ``renewed`` is called when it is done, or
        ``refused`` when the code fails, with what is wrong; the old one then runs on. Neither is when the process stops before, the
        function has gone, its code has become faulty, or another renewal is under way already, which then tries the code again.
        """
        self.trials.drop(name)  # what is tried now, or waits, is not the code on the disk any more
        self._asked[name] = self._asked.get(name, 0) + 1
        if name not in self._trying:
            self._trying.add(name)
            self._running_group.start_soon(self._try_and_renew, name, renewed, refused)

    async def _try_and_renew(self, name: str, renewed: Callable[[], None], refused: Callable[[str], None]) -> None:
        problem = None
        try:
            tried = 0
            while tried != self._asked[name]:
                tried = self._asked[name]
                if self.stopping or name not in self.config.functions:
                    return
                problem = await self.trials.tried(name, self.config.functions[name])
        finally:
            self._trying.discard(name)
        if self.stopping or problem is SUPERSEDED:
            return
        if problem is not None:
            refused(problem)
        elif name not in self._to_renew:  # a renewal that waits takes this candidate
            self._to_renew.add(name)
            await self._renew(name, renewed)

    async def _renew(self, name: str, renewed: Callable[[], None]) -> None:
        async with self._turns.beside(name):
            self._to_renew.discard(name)
            if name not in self.config.functions:
                self.trials.drop(name)
            if self.stopping or not self.trials.has(name):
                return
            before = self.functions[name]
            try:
                await self._apply(self.config, [name], self.trials)
            except ReloadRefused:
                return
        if self.functions.get(name) is not before:
            renewed()

    def renewed_by(self, config: Config) -> dict[str, FunctionModel]:
        """The functions that run now and that :meth:`reload` would begin anew, with their models."""
        completed = self.complete(config)
        return {
            name: completed.functions[name] for name in self._changed_functions(completed) & completed.functions.keys()
        }

    def _runs_copies(self, name: str) -> bool:
        # Not functions that the API made: nobody edits their code.
        return self.copied and name in self.given.functions

    def _check_reloadable(self, config: Config) -> None:
        changed = [
            part
            for part in ("aws", "runtime", "lambda_api", "console")
            if getattr(config, part) != getattr(self.config, part)
        ]
        if changed:
            raise ReloadRefused(f"{' and '.join(changed)} changed: restart Headrace to apply that")
        if not self._has_store and any(keeps_checkpoints(m) for m in config.event_source_mappings.values()):
            raise ReloadRefused("the first stream mapping needs a checkpoint store: restart Headrace to apply that")
        if config.schedules and not any(service.name == "schedules" for service in self.services):
            raise ReloadRefused("the first schedule needs the state: restart Headrace to apply that")
        for service in self.services:
            if refusal := service.refusal(config):
                raise ReloadRefused(refusal)

    async def _apply(self, config: Config, renew: Collection[str], trials: Trials) -> dict[str, list[str]]:
        old, new = self.config.event_source_mappings, config.event_source_mappings
        functions = self._changed_functions(config) | (set(renew) & self.config.functions.keys())
        removed = [name for name in old if name not in new]
        changed = [
            name for name in old if name in new and (old[name] != new[name] or new[name].function_name in functions)
        ]
        added = [name for name in new if name not in old]
        for name in [*removed, *changed]:
            self.mappings[name].renewed = old[name] == new.get(name)
            self.mappings[name].end()
        for name in [*removed, *changed]:
            await self.mappings[name].finished.wait()
        if self.stopping:
            # The shutdown may have closed the functions already: a host that came after that would be waited for in vain.
            raise ReloadRefused("shutting down")
        proven = {
            name: host
            for name in functions & config.functions.keys()
            if (host := trials.take(name, config.functions[name])) is not None
        }
        # One whose code has become faulty while it was waited for its invocations has no candidate any more: it goes on as it is.
        functions -= set(renew) - proven.keys() - self._changed_functions(config)
        for name in functions:
            self.trials.drop(name)  # older than what is taken now
        await self.functions.apply(config.functions, functions, proven)
        if self.stopping:
            raise ReloadRefused("shutting down")
        did = {
            "added": added,
            "removed": removed,
            "changed": changed,
            "functions": _differing(self.config.functions, config.functions),
            "schedules": _differing(self.config.schedules, config.schedules),
        }
        said = not renew or config != self.config
        self.config = config
        for name in removed:
            self._remove(name)
        for name in [*changed, *added]:
            self._add(new[name])
            self.mappings[name].renewed = old.get(name) == new[name]
        for service in self.services:
            service.apply(config)
        if said:
            log.info("configuration reloaded", **did)
        return did

    def _remove(self, name: str) -> None:
        runner = self.mappings.pop(name)
        runner.forget()
        self._log_books("mapping removed: ledger", runner)

    def _changed_functions(self, config: Config) -> set[str]:
        """Those to be renewed. One that its last mapping has left is among them, since it has no region of a source any more: its
        workers do not idle until somebody calls again."""
        return {
            name
            for name, model in self.config.functions.items()
            if (new := config.functions.get(name)) is None
            or not new.runs_as(model)
            or source_regions(config, name) != source_regions(self.config, name)  # workers are told of it
        }

    # -- watching --------------------------------------------------------------------------------------------------------

    async def _log_ledgers(self) -> None:
        while True:
            await anyio.sleep(LEDGER_SECONDS)
            for service in self.services:
                if (books := service.books()) is not None:
                    log.info("ledger", service=service.name, balanced=books.balanced, **books.figures)
            for runner in self.mappings.values():
                log.info("ledger", mapping=runner.name, state=runner.state.value, **runner.ledger.as_dict())

    async def _end_when_idle(self, quiet_seconds: float, unreachable: Unreachable) -> None:
        idle = UntilIdle(self.mappings, self.services, self._idleness, unreachable, lambda: self.stopping)
        caught_up = await idle.wait(quiet_seconds)
        if caught_up is False:
            self.exit_code = 1
        if not self.stopping:
            self.stop()

    # -- stopping --------------------------------------------------------------------------------------------------------

    async def _shut_down(self) -> None:
        """docs/design, decisions 9 and 16; step 7 is ours."""
        runners: list[Runner] = [*self.mappings.values(), *self.service_runners]
        shutdown = Shutdown(runners, self.functions, self._stop, self.on_ending)
        if not await shutdown.run(self.config.runtime.shutdown_grace):
            self.exit_code = 1
        self._final_ledger()
        self.over = True

    def _final_ledger(self) -> None:
        for runner in self.mappings.values():
            self._log_books("shutdown 7: ledger", runner)
        for service in self.services:
            self._log_service(service)

    def _log_service(self, service: Service) -> None:
        books = service.books()
        if books is None:
            return
        if not books.balanced:
            self.exit_code = 1
        log_it = log.info if books.balanced else log.error
        log_it("shutdown 7: ledger", service=service.name, balanced=books.balanced, **books.figures)

    def _log_books(self, event: str, runner: MappingRunner) -> None:
        balanced = runner.ledger.balances(0)
        if not balanced:
            self.exit_code = 1
        log_it = log.info if balanced else log.error
        log_it(event, mapping=runner.name, balanced=balanced, **runner.ledger.as_dict())


def _differing(old: MappingType[str, object], new: MappingType[str, object]) -> list[str]:
    """The names of what was added, removed or changed."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
